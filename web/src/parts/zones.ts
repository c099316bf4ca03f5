/** All zones the browser knows; older browsers know the present one at least. */
export function zones(own: string): string[] {
  const known = typeof Intl.supportedValuesOf === "function" ? Intl.supportedValuesOf("timeZone") : [];
  return [...new Set([own, ...known, "UTC"])].sort();
}
