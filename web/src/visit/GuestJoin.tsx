/** Replaced by the live visit. */
export function GuestJoin() {
  return null;
}
