/** A day of many practitioners beside each other: where things stand, and where a moved visit may go. Pure. */
import type { Appointment, Slot } from "../api/types";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** Shown even on an empty day: the ordinary working hours of the desk's clock. */
const ORDINARY = { first: 8, last: 18 };

export type Span = { start: number; end: number };
export type Placed = { visit: Appointment; top: number; height: number; lane: number; lanes: number };

/** The stretch of real time that the board shows: whole hours that hold the day's visits and free times. */
export function boardSpan(midnight: string, nextMidnight: string, things: { start: string; end: string }[]): Span {
  const day = { start: Date.parse(midnight), end: Date.parse(nextMidnight) };
  let start = day.start + ORDINARY.first * HOUR;
  let end = day.start + ORDINARY.last * HOUR;
  for (const thing of things) {
    const from = Math.max(Date.parse(thing.start), day.start);
    const to = Math.min(Date.parse(thing.end), day.end);
    if (from >= to) continue;
    start = Math.min(start, day.start + Math.floor((from - day.start) / HOUR) * HOUR);
    end = Math.max(end, day.start + Math.ceil((to - day.start) / HOUR) * HOUR);
  }
  return { start, end: Math.min(end, day.end) };
}

/** The full hours within the span, as moments: a day on which clocks change has one more or one less. */
export function hoursOf(span: Span): string[] {
  const hours: string[] = [];
  for (let at = span.start; at < span.end; at += HOUR) hours.push(new Date(at).toISOString());
  return hours;
}

/** Minutes below the top of the board. */
export function minutesInto(span: Span, time: string): number {
  return (Date.parse(time) - span.start) / MINUTE;
}

/** Where one practitioner's visits stand; those that overlap share the width in lanes. */
export function place(visits: Appointment[], span: Span): Placed[] {
  const sorted = visits
    .filter((visit) => Date.parse(visit.end) > span.start && Date.parse(visit.start) < span.end)
    .sort((a, b) => a.start.localeCompare(b.start) || b.end.localeCompare(a.end));
  const placed: Placed[] = [];
  let group: Placed[] = [];
  let groupEnd = -Infinity;
  const close = () => {
    const lanes = Math.max(0, ...group.map((each) => each.lane)) + 1;
    for (const each of group) each.lanes = lanes;
    group = [];
  };
  for (const visit of sorted) {
    const start = Date.parse(visit.start);
    if (start >= groupEnd) close();
    const busy = new Set(group.filter((each) => Date.parse(each.visit.end) > start).map((each) => each.lane));
    let lane = 0;
    while (busy.has(lane)) lane++;
    const top = Math.max(0, minutesInto(span, visit.start));
    const each = { visit, top, height: minutesInto(span, visit.end) - top, lane, lanes: 1 };
    group.push(each);
    placed.push(each);
    groupEnd = Math.max(groupEnd, Date.parse(visit.end));
  }
  close();
  return placed;
}

/** The free time nearest to a place on the board, no further than `reach` minutes away. */
export function nearestFree(free: Slot[], span: Span, minute: number, reach = 45): Slot | null {
  let best: Slot | null = null;
  let distance = reach;
  for (const slot of free) {
    const away = Math.abs(minutesInto(span, slot.start) - minute);
    if (away <= distance) {
      best = slot;
      distance = away;
    }
  }
  return best;
}

/** The next free time above (−1) or below (1) a moment; the same one at the end of the day. */
export function stepFree(free: Slot[], from: string, step: 1 | -1): Slot | null {
  const sorted = [...free].sort((a, b) => a.start.localeCompare(b.start));
  return (step === 1 ? sorted.find((slot) => slot.start > from) : sorted.reverse().find((slot) => slot.start < from)) ?? null;
}

/** Whether a visit can still be moved. */
export function isMovable(visit: Appointment, now: Date): boolean {
  return visit.status === "booked" && Date.parse(visit.start) > now.getTime();
}
