import { describe, expect, it } from "vitest";
import type { Appointment } from "../api/types";
import { avatarTint, initials } from "../design/surfaces";
import { entryText } from "./Entries";
import { calendarFile } from "./files";
import { safeNext } from "./next";
import { isComing, isOpen } from "./visits";

const visit = {
  id: "a1", status: "booked", start: "2026-11-21T08:00:00.000Z", end: "2026-11-21T08:20:00.000Z", version: 2,
  visit_opens_at: "2026-11-21T07:30:00.000Z", visit_closes_at: "2026-11-21T09:20:00.000Z",
} as Appointment;

describe("a visit", () => {
  it("opens and closes with its window", () => {
    expect(isOpen(visit, new Date("2026-11-21T07:29:59Z"))).toBe(false);
    expect(isOpen(visit, new Date("2026-11-21T07:30:00Z"))).toBe(true);
    expect(isComing(visit, new Date("2026-11-21T09:20:00Z"))).toBe(false);
  });
  it("is over once cancelled", () => expect(isComing({ ...visit, status: "cancelled" }, new Date("2026-11-20T00:00:00Z"))).toBe(false));
});

describe("where to go after signing in", () => {
  it.each(["/visits", "/book/1?start=x"])("%s is ours", (path) => expect(safeNext(path)).toBe(path));
  it.each([null, "", "//evil.example", "/\\evil.example", "https://evil.example", "visits", "/sign-in?next=/"])("%j is not", (path) => expect(safeNext(path)).toBeNull());
});

describe("avatars", () => {
  it.each([
    ["Dr Awa Diop", "AD"],
    ["Élodie", "É"],
    ["Jean Pierre Martin", "JM"],
    ["  ", "?"],
  ])("%j is %s", (name, text) => expect(initials(name)).toBe(text));
  it("keeps a person's colour", () => expect(avatarTint("Awa Diop")).toBe(avatarTint("Awa Diop")));
});

describe("record entries", () => {
  it("reads text first, values with their unit, and names the rest", () => {
    expect(entryText({ name: "Blood pressure", value: 120, unit: "mmHg", code: "8480-6", arm: "left" })).toBe("Blood pressure\n120 mmHg\narm: left");
    expect(entryText({ summary: "Rest.", outcome: null })).toBe("Rest.");
  });
});

describe("the calendar file", () => {
  it("holds when and with whom, never why", async () => {
    const text = await new Promise<string>((resolve) => {
      const reader = new FileReader();
      reader.onload = () => resolve(String(reader.result));
      reader.readAsText(calendarFile({ ...visit, reason: "secret" }, "Visit with A, B", new Date("2026-11-20T10:00:00Z"), "https://x.test"));
    });
    expect(text).toContain("DTSTART:20261121T080000Z\r\n");
    expect(text).toContain("SUMMARY:Visit with A\\, B");
    expect(text).toContain("UID:a1@visits.bedside");
    expect(text).not.toContain("secret");
  });
});
