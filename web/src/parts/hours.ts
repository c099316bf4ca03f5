import type { Schedule } from "../api/types";

export type Hours = { weekday: number; start: string; end: string };

const minutes = (clock: string) => Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3, 5));
const clock = (value: number) => `${String(Math.floor(value / 60)).padStart(2, "0")}:${String(value % 60).padStart(2, "0")}`;

/** Whether each stretch ends after it begins and none of a day overlap. */
export function hoursAreRight(rules: Hours[]): boolean {
  const sorted = [...rules].sort((a, b) => a.weekday - b.weekday || minutes(a.start) - minutes(b.start));
  return sorted.every((rule, index) => {
    const before = sorted[index - 1];
    const apart = !before || before.weekday !== rule.weekday || minutes(before.end) <= minutes(rule.start);
    return /^\d\d:\d\d$/.test(rule.start) && /^\d\d:\d\d$/.test(rule.end) && minutes(rule.start) < minutes(rule.end) && apart;
  });
}

/** The wall-clock starts of a weekday's visits, as the rules give them on an ordinary day. */
export function startsOf(schedule: Pick<Schedule, "rules" | "slot_minutes" | "buffer_minutes">, weekday: number): string[] {
  const { slot_minutes: slot, buffer_minutes: buffer } = schedule;
  const starts: string[] = [];
  if (!(slot > 0) || !(buffer >= 0)) return starts;
  for (const rule of schedule.rules.filter((each) => each.weekday === weekday).sort((a, b) => minutes(a.start) - minutes(b.start))) {
    for (let at = minutes(rule.start); at + slot <= minutes(rule.end); at += slot + buffer) starts.push(clock(at));
  }
  return starts;
}
