/** Where to go after signing in: a path of this application, never another site. */
export function safeNext(next: string | null): string | null {
  return next && /^\/(?![/\\])/.test(next) && !next.startsWith("/sign-in") && !next.startsWith("/register") ? next : null;
}
