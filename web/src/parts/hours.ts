export type Hours = { weekday: number; start: string; end: string };

const minutes = (clock: string) => Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3, 5));

/** Whether each stretch ends after it begins and none of a day overlap. */
export function hoursAreRight(rules: Hours[]): boolean {
  const sorted = [...rules].sort((a, b) => a.weekday - b.weekday || minutes(a.start) - minutes(b.start));
  return sorted.every((rule, index) => {
    const before = sorted[index - 1];
    const apart = !before || before.weekday !== rule.weekday || minutes(before.end) <= minutes(rule.start);
    return /^\d\d:\d\d$/.test(rule.start) && /^\d\d:\d\d$/.test(rule.end) && minutes(rule.start) < minutes(rule.end) && apart;
  });
}
