import { describe, expect, it } from "vitest";
import { hoursAreRight } from "./hours";
import { zoned } from "./zoned";

const monday = (start: string, end: string) => ({ weekday: 0, start, end });

describe("hours", () => {
  it("finds what is upside down or overlaps", () => {
    expect(hoursAreRight([monday("09:00", "12:00"), monday("12:00", "13:00")])).toBe(true);
    expect(hoursAreRight([monday("09:00", "12:00"), monday("11:00", "13:00")])).toBe(false);
    expect(hoursAreRight([monday("12:00", "09:00")])).toBe(false);
    expect(hoursAreRight([monday("", "09:00")])).toBe(false);
    expect(hoursAreRight([monday("09:00", "12:00"), { weekday: 1, start: "10:00", end: "11:00" }])).toBe(true);
  });
});

describe("wall clocks", () => {
  it.each([
    ["2026-11-21", "09:00", "Europe/Paris", "2026-11-21T08:00:00.000Z"],
    ["2026-07-01", "00:00", "America/New_York", "2026-07-01T04:00:00.000Z"],
    ["2026-03-29", "12:00", "Europe/Paris", "2026-03-29T10:00:00.000Z"],
    ["2026-10-25", "00:00", "Europe/Paris", "2026-10-24T22:00:00.000Z"],
  ])("%s %s in %s is %s", (date, clock, zone, moment) => expect(zoned(date, clock, zone)).toBe(moment));
});
