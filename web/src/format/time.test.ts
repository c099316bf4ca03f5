import { describe, expect, it } from "vitest";
import { addDays, dateIn, formatClock, formatClockBoth, formatCountdown, formatDate, formatDay, formatRelative, zoneOffset } from "./time";

const noon = "2026-11-21T12:00:00.000Z";
const inCity = (clock: string, city: string) => `${clock} in ${city}`;

describe("clock times", () => {
  it("reads the moment in the reader's zone", () => {
    expect(formatClock(noon, "en-GB", "Africa/Dakar")).toBe("12:00");
    expect(formatClock(noon, "en-GB", "Europe/Paris")).toBe("13:00");
    expect(formatClock("2026-11-21T06:05:00Z", "en-GB", "UTC")).toBe("06:05");
    expect(formatClock("2026-11-21T06:05:00Z", "en-US", "UTC")).toMatch(/^6:05\sAM$/);
  });
  it("shows the other clock only when it differs at that moment", () => {
    expect(formatClockBoth(noon, "en-GB", "Africa/Dakar", "Europe/Paris", inCity)).toBe("12:00 (13:00 in Paris)");
    expect(formatClockBoth(noon, "en-GB", "Africa/Dakar", "Africa/Abidjan", inCity)).toBe("12:00");
    expect(formatClockBoth("2026-07-01T12:00:00Z", "en-GB", "Europe/London", "Africa/Lagos", inCity)).toBe("13:00");
  });
  it("knows offsets on both sides of a clock change", () => {
    expect(zoneOffset("2026-10-25T00:30:00Z", "Europe/Paris")).toBe(120);
    expect(zoneOffset("2026-10-25T01:30:00Z", "Europe/Paris")).toBe(60);
    expect(zoneOffset(noon, "Asia/Kolkata")).toBe(330);
  });
});

describe("days", () => {
  const now = new Date(noon);
  it("names the days around now", () => {
    expect(formatDay(noon, "en-GB", "UTC", now)).toBe("Today");
    expect(formatDay("2026-11-22T08:00:00Z", "en-GB", "UTC", now)).toBe("Tomorrow");
    expect(formatDay("2026-11-20T08:00:00Z", "fr-FR", "UTC", now)).toBe("Hier");
    expect(formatDay("2026-11-25T08:00:00Z", "en-GB", "UTC", now)).toBe("Wednesday 25 November");
    expect(formatDay("2027-01-05T08:00:00Z", "en-GB", "UTC", now)).toContain("2027");
    expect(formatDay("2026-11-25T08:00:00Z", "en-GB", "UTC", now, "short")).toBe("Wed 25 Nov");
    expect(formatDay("2037-04-02T08:00:00Z", "en-GB", "UTC", now, "short")).toBe("2 Apr 2037");
  });
  it("takes the day of the zone, not of UTC", () => {
    expect(dateIn("2026-11-21T23:30:00Z", "Europe/Paris")).toBe("2026-11-22");
    expect(formatDay("2026-11-21T23:30:00Z", "en-GB", "Europe/Paris", now)).toBe("Tomorrow");
  });
  it("counts days over the end of a month and a leap day", () => {
    expect(addDays("2026-11-30", 1)).toBe("2026-12-01");
    expect(addDays("2028-02-28", 1)).toBe("2028-02-29");
    expect(addDays("2026-03-01", -1)).toBe("2026-02-28");
  });
  it("never shifts a calendar date", () => {
    expect(formatDate("2026-11-21", "en-GB", "short")).toBe("Sat 21 Nov");
  });
});

describe("distances", () => {
  const now = new Date(noon);
  it.each([
    ["2026-11-21T12:12:00Z", "in 12 minutes"],
    ["2026-11-21T11:59:00Z", "1 minute ago"],
    ["2026-11-21T12:00:10Z", "now"],
    ["2026-11-21T15:00:00Z", "in 3 hours"],
    ["2026-11-23T12:00:00Z", "in 2 days"],
  ])("%s is %s", (time, words) => expect(formatRelative(time, "en-GB", now)).toBe(words));
  it.each([
    [245, "4:05"],
    [0, "0:00"],
    [-3, "0:00"],
    [3845, "1:04:05"],
  ])("%i seconds count down as %s", (seconds, text) => expect(formatCountdown(seconds)).toBe(text));
});
