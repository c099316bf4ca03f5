/** Times for people. Everything takes the locale, the zone and the present moment as arguments. */

export type Zone = string;

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** The zone this device is set to. */
export function deviceZone(): Zone {
  return Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
}

/** "09:30" where the day has 24 hours, "9:30 AM" where it has twice twelve. */
export function formatClock(time: string, locale: string, zone: Zone): string {
  const twelve = new Intl.DateTimeFormat(locale, { hour: "numeric" }).resolvedOptions().hour12 === true;
  return new Intl.DateTimeFormat(locale, { hour: twelve ? "numeric" : "2-digit", minute: "2-digit", timeZone: zone }).format(new Date(time));
}

/** The calendar date at that moment in that zone, as `2026-11-21`. */
export function dateIn(time: string | Date, zone: Zone): string {
  const parts = new Intl.DateTimeFormat("en-CA", { year: "numeric", month: "2-digit", day: "2-digit", timeZone: zone }).formatToParts(new Date(time));
  const part = (type: string) => parts.find((p) => p.type === type)?.value ?? "";
  return `${part("year")}-${part("month")}-${part("day")}`;
}

/** The calendar date `days` after a date, both as `2026-11-21`. */
export function addDays(date: string, days: number): string {
  return new Date(Date.parse(`${date}T00:00:00Z`) + days * DAY).toISOString().slice(0, 10);
}

/** A calendar date ("2026-11-21") as words, without any shift of zone. */
export function formatDate(date: string, locale: string, style: "long" | "short" = "long"): string {
  const options: Intl.DateTimeFormatOptions =
    style === "long"
      ? { weekday: "long", day: "numeric", month: "long", year: "numeric", timeZone: "UTC" }
      : { weekday: "short", day: "numeric", month: "short", timeZone: "UTC" };
  return new Intl.DateTimeFormat(locale, options).format(new Date(`${date.slice(0, 10)}T12:00:00Z`));
}

/** "Today", "Tomorrow", or the weekday and date; with the year where it is not this one. */
export function formatDay(time: string, locale: string, zone: Zone, now: Date, style: "long" | "short" = "long"): string {
  const day = dateIn(time, zone);
  const today = dateIn(now, zone);
  const words = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  const capital = (text: string) => text.charAt(0).toLocaleUpperCase(locale) + text.slice(1);
  if (day === today) return capital(words.format(0, "day"));
  if (day === addDays(today, 1)) return capital(words.format(1, "day"));
  if (day === addDays(today, -1)) return capital(words.format(-1, "day"));
  // The year is told where it is another one; far dates need it more than their weekday.
  const month = style === "long" ? "long" : "short";
  const near: Intl.DateTimeFormatOptions = { weekday: style, day: "numeric", month };
  const far: Intl.DateTimeFormatOptions = { ...(style === "long" && { weekday: style }), day: "numeric", month, year: "numeric" };
  const options = day.slice(0, 4) === today.slice(0, 4) ? near : far;
  return capital(new Intl.DateTimeFormat(locale, { ...options, timeZone: "UTC" }).format(new Date(`${day}T12:00:00Z`)));
}

/** "in 12 minutes", "2 days ago", "now". */
export function formatRelative(time: string, locale: string, now: Date): string {
  const words = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  const distance = Date.parse(time) - now.getTime();
  const size = Math.abs(distance);
  if (size < MINUTE / 2) return words.format(0, "second");
  if (size < HOUR) return words.format(Math.round(distance / MINUTE), "minute");
  if (size < DAY) return words.format(Math.round(distance / HOUR), "hour");
  return words.format(Math.round(distance / DAY), "day");
}

/** Minutes east of UTC in that zone at that moment. */
export function zoneOffset(time: string, zone: Zone): number {
  const at = new Date(time);
  const parts = new Intl.DateTimeFormat("en-US", {
    timeZone: zone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric",
  }).formatToParts(at);
  const n = (type: string) => Number(parts.find((p) => p.type === type)?.value);
  const local = Date.UTC(n("year"), n("month") - 1, n("day"), n("hour"), n("minute"));
  return Math.round((local - at.getTime()) / MINUTE);
}

/** "Paris" for "Europe/Paris". */
export function zoneCity(zone: Zone): string {
  return (zone.split("/").pop() ?? zone).replace(/_/g, " ");
}

/** The clock time, with the other person's clock beside it when their zone differs: "09:00 (10:00 in Paris)". */
export function formatClockBoth(time: string, locale: string, own: Zone, other: Zone | undefined, inCity: (clock: string, city: string) => string): string {
  const clock = formatClock(time, locale, own);
  if (!other || zoneOffset(time, own) === zoneOffset(time, other)) return clock;
  return `${clock} (${inCity(formatClock(time, locale, other), zoneCity(other))})`;
}

/** Whole seconds left as "4:05", or "1:04:05" above an hour. */
export function formatCountdown(seconds: number): string {
  const left = Math.max(0, Math.floor(seconds));
  const two = (value: number) => String(value).padStart(2, "0");
  const hours = Math.floor(left / 3600);
  const minutes = Math.floor((left % 3600) / 60);
  return hours > 0 ? `${hours}:${two(minutes)}:${two(left % 60)}` : `${minutes}:${two(left % 60)}`;
}
