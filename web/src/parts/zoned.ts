import { zoneOffset } from "../format/time";

/** The moment a wall clock in that zone shows that date and time ("2026-11-21", "09:30"), as RFC 3339 in UTC. */
export function zoned(date: string, clock: string, zone: string): string {
  const wall = Date.parse(`${date}T${clock}:00Z`);
  const near = new Date(wall - zoneOffset(new Date(wall).toISOString(), zone) * 60_000);
  // Once more with the offset that holds there, for hours beside a clock change.
  return new Date(wall - zoneOffset(near.toISOString(), zone) * 60_000).toISOString();
}
