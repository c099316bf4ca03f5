import { describe, expect, it } from "vitest";
import { askFor, clockChange, clocks, columns, hoursApart, minuteOfDay, neighbour, offsetName, otherDay } from "./week";

const slot = (start: string) => ({ start, end: new Date(Date.parse(start) + 1_800_000).toISOString() });
const PARIS = "Europe/Paris";

describe("a week of free times", () => {
  it("asks for the days that hold the reader's week wherever the practitioner lives", () => {
    expect(askFor("2026-11-02")).toEqual({ date: "2026-11-01", days: 9 });
  });

  it("puts each time on the reader's day", () => {
    const week = columns([slot("2026-11-02T22:30:00.000Z"), slot("2026-11-02T08:00:00.000Z")], "2026-11-02", "Asia/Tokyo");
    expect(week).toHaveLength(7);
    expect(week.map((column) => column.slots.map((each) => each.start))).toEqual([["2026-11-02T08:00:00.000Z"], ["2026-11-02T22:30:00.000Z"], [], [], [], [], []]);
  });

  it("tells the two hours of an autumn night apart", () => {
    const night = [slot("2026-10-25T00:30:00.000Z"), slot("2026-10-25T01:30:00.000Z"), slot("2026-10-25T02:30:00.000Z")];
    expect(clocks(night, "en-GB", PARIS)).toEqual(["02:30 (UTC+2)", "02:30 (UTC+1)", "03:30"]);
    expect(columns(night, "2026-10-25", PARIS)[0]?.slots).toHaveLength(3);
  });

  it("knows the days on which clocks change", () => {
    expect(clockChange("2026-10-25", PARIS)).toBe(-60);
    expect(clockChange("2026-03-29", PARIS)).toBe(60);
    expect(clockChange("2026-10-24", PARIS)).toBe(0);
    expect(clockChange("2026-10-26", PARIS)).toBe(0);
    expect(clockChange("2026-10-25", "Africa/Abidjan")).toBe(0);
    expect(clockChange("2026-03-08", "America/New_York")).toBe(60);
    expect(clockChange("2026-04-05", "Australia/Lord_Howe")).toBe(-30);
  });

  it("names offsets with their minutes", () => {
    expect(offsetName("2026-01-01T00:00:00Z", "Asia/Kolkata")).toBe("UTC+5:30");
    expect(offsetName("2026-01-01T00:00:00Z", "America/New_York")).toBe("UTC−5");
    expect(offsetName("2026-01-01T00:00:00Z", "Africa/Abidjan")).toBe("UTC");
  });

  it("compares two zones at a moment", () => {
    expect(hoursApart("2026-11-02T08:00:00Z", "Asia/Tokyo", PARIS)).toBe(-8);
    expect(hoursApart("2026-07-02T08:00:00Z", "Asia/Tokyo", PARIS)).toBe(-7);
    expect(otherDay("2026-11-02T22:30:00Z", "Asia/Tokyo", PARIS)).toBe("2026-11-02");
    expect(otherDay("2026-11-02T08:00:00Z", "Asia/Tokyo", PARIS)).toBeNull();
    expect(minuteOfDay("2026-11-02T22:30:00Z", "Asia/Tokyo")).toBe(450);
  });
});

describe("arrows in the week", () => {
  const week = columns(
    ["2026-11-02T08:00:00.000Z", "2026-11-02T09:00:00.000Z", "2026-11-05T07:30:00.000Z", "2026-11-05T09:30:00.000Z"].map(slot),
    "2026-11-02",
    "UTC",
  );
  const go = (start: string, key: Parameters<typeof neighbour>[2]) => neighbour(week, start, key, "UTC")?.start.slice(8, 16) ?? null;

  it("go up and down a day and stop at its ends", () => {
    expect(go("2026-11-02T08:00:00.000Z", "ArrowDown")).toBe("02T09:00");
    expect(go("2026-11-02T08:00:00.000Z", "ArrowUp")).toBeNull();
    expect(go("2026-11-05T07:30:00.000Z", "End")).toBe("05T09:30");
    expect(go("2026-11-05T09:30:00.000Z", "Home")).toBe("05T07:30");
  });

  it("go sideways past days without times to the nearest clock", () => {
    expect(go("2026-11-02T08:00:00.000Z", "ArrowRight")).toBe("05T07:30");
    expect(go("2026-11-02T09:00:00.000Z", "ArrowRight")).toBe("05T09:30");
    expect(go("2026-11-05T09:30:00.000Z", "ArrowLeft")).toBe("02T09:00");
    expect(go("2026-11-05T09:30:00.000Z", "ArrowRight")).toBeNull();
  });
});
