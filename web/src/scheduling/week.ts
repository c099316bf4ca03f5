/** Free times as a week: days and clocks in the reader's zone, whatever the practitioner's. Pure. */
import type { Slot } from "../api/types";
import { addDays, dateIn, formatClock, zoneOffset, type Zone } from "../format/time";

export const DAYS = 7;

export type Column = { day: string; slots: Slot[] };

/** Which of the practitioner's days to ask for, to have all of these seven days of the reader's. */
export function askFor(from: string): { date: string; days: number } {
  return { date: addDays(from, -1), days: DAYS + 2 };
}

/** The seven days from `from` in that zone, each with its free times in order. */
export function columns(slots: Slot[], from: string, zone: Zone): Column[] {
  const byDay = new Map<string, Slot[]>();
  for (const slot of [...slots].sort((a, b) => a.start.localeCompare(b.start))) {
    const day = dateIn(slot.start, zone);
    byDay.set(day, [...(byDay.get(day) ?? []), slot]);
  }
  return Array.from({ length: DAYS }, (_, index) => addDays(from, index)).map((day) => ({ day, slots: byDay.get(day) ?? [] }));
}

/** "UTC+2", for a clock that shows the same time twice in one night. */
export function offsetName(time: string, zone: Zone): string {
  const minutes = zoneOffset(time, zone);
  if (minutes === 0) return "UTC";
  const size = Math.abs(minutes);
  const rest = size % 60;
  return `UTC${minutes < 0 ? "−" : "+"}${Math.floor(size / 60)}${rest ? `:${String(rest).padStart(2, "0")}` : ""}`;
}

/** The clock of each time of a day; where the night repeats an hour, with the offset that tells them apart. */
export function clocks(slots: Slot[], locale: string, zone: Zone): string[] {
  const plain = slots.map((slot) => formatClock(slot.start, locale, zone));
  return plain.map((clock, index) => {
    const slot = slots[index];
    return slot && plain.indexOf(clock) !== plain.lastIndexOf(clock) ? `${clock} (${offsetName(slot.start, zone)})` : clock;
  });
}

/** Minutes by which the clock is moved during that day: 60 forward in spring, −60 in autumn, 0 on most days. */
export function clockChange(day: string, zone: Zone): number {
  const at = (date: string) => zoneOffset(`${date}T00:00:00Z`, zone);
  // These three days of UTC hold the local day of every zone.
  return at(addDays(day, 2)) === at(addDays(day, -1)) ? 0 : changeWithin(day, zone);
}

function changeWithin(day: string, zone: Zone): number {
  const start = Date.parse(`${day}T00:00:00Z`) - 14 * 3_600_000;
  let before: number | null = null;
  for (let hour = 0; hour <= 40; hour++) {
    const time = new Date(start + hour * 3_600_000).toISOString();
    const offset = zoneOffset(time, zone);
    if (before !== null && offset !== before && dateIn(time, zone) === day) return offset - before;
    before = offset;
  }
  return 0;
}

export type Arrow = "ArrowUp" | "ArrowDown" | "ArrowLeft" | "ArrowRight" | "Home" | "End";

/** Where an arrow leads from a time: up and down its day, sideways to the nearest clock of the next day with times. */
export function neighbour(week: Column[], start: string, key: Arrow, zone: Zone): Slot | null {
  const at = week.findIndex((column) => column.slots.some((slot) => slot.start === start));
  const column = week[at];
  if (!column) return null;
  const row = column.slots.findIndex((slot) => slot.start === start);
  if (key === "Home") return column.slots[0] ?? null;
  if (key === "End") return column.slots[column.slots.length - 1] ?? null;
  if (key === "ArrowUp" || key === "ArrowDown") return column.slots[row + (key === "ArrowDown" ? 1 : -1)] ?? null;
  const step = key === "ArrowRight" ? 1 : -1;
  for (let next = at + step; next >= 0 && next < week.length; next += step) {
    const slots = week[next]?.slots ?? [];
    if (slots.length > 0) return nearest(slots, minuteOfDay(start, zone), zone);
  }
  return null;
}

function nearest(slots: Slot[], minute: number, zone: Zone): Slot | null {
  let best: Slot | null = null;
  for (const slot of slots) {
    if (!best || Math.abs(minuteOfDay(slot.start, zone) - minute) < Math.abs(minuteOfDay(best.start, zone) - minute)) best = slot;
  }
  return best;
}

/** Minutes since the clock showed 00:00, as the clock says. */
export function minuteOfDay(time: string, zone: Zone): number {
  const at = new Date(time).getTime() / 60_000 + zoneOffset(time, zone);
  return ((at % 1440) + 1440) % 1440;
}

/** How the other zone differs at a moment: hours to add to the reader's clock, 0 when they agree. */
export function hoursApart(time: string, own: Zone, other: Zone): number {
  return (zoneOffset(time, other) - zoneOffset(time, own)) / 60;
}

/** The other's date when it is not the reader's: "Mon 2 Nov" beside a clock. */
export function otherDay(time: string, own: Zone, other: Zone): string | null {
  const theirs = dateIn(time, other);
  return theirs === dateIn(time, own) ? null : theirs;
}
