import { describe, expect, it } from "vitest";
import type { Appointment } from "../api/types";
import { boardSpan, hoursOf, isMovable, minutesInto, nearestFree, place, stepFree } from "./board";

const visit = (start: string, end: string, status: Appointment["status"] = "booked") => ({ id: start, start: `2026-11-23T${start}:00.000Z`, end: `2026-11-23T${end}:00.000Z`, status }) as Appointment;
const slot = (start: string) => ({ start: `2026-11-23T${start}:00.000Z`, end: "" });
const MIDNIGHT = "2026-11-23T00:00:00.000Z";
const NEXT = "2026-11-24T00:00:00.000Z";
const span = boardSpan(MIDNIGHT, NEXT, []);

describe("the board's hours", () => {
  it("are the ordinary ones, widened to whole hours by what there is", () => {
    expect(hoursOf(span)).toHaveLength(10);
    const wide = boardSpan(MIDNIGHT, NEXT, [visit("06:40", "07:10"), visit("21:00", "21:20")]);
    expect(hoursOf(wide)[0]).toBe("2026-11-23T06:00:00.000Z");
    expect(hoursOf(wide)).toHaveLength(16);
  });

  it("never leave the day, and keep the hour that an autumn day has more", () => {
    const autumn = boardSpan("2026-10-24T22:00:00.000Z", "2026-10-25T23:00:00.000Z", [{ start: "2026-10-24T20:00:00.000Z", end: "2026-10-26T05:00:00.000Z" }]);
    expect(hoursOf(autumn)).toHaveLength(25);
  });
});

describe("visits on the board", () => {
  it("stand at their minute and share the width only where they overlap", () => {
    const placed = place([visit("09:00", "10:00"), visit("09:30", "10:30"), visit("10:00", "10:20"), visit("11:00", "11:30")], span);
    expect(placed.map(({ top, height, lane, lanes }) => [top, height, lane, lanes])).toEqual([
      [60, 60, 0, 2],
      [90, 60, 1, 2],
      [120, 20, 0, 2],
      [180, 30, 0, 1],
    ]);
  });

  it("are dropped on the nearest free time within reach", () => {
    const free = [slot("09:00"), slot("09:30"), slot("14:00")];
    expect(nearestFree(free, span, minutesInto(span, slot("09:20").start))?.start).toBe(slot("09:30").start);
    expect(nearestFree(free, span, minutesInto(span, slot("12:00").start))).toBeNull();
    expect(nearestFree([], span, 0)).toBeNull();
  });

  it("step through free times by key and stay at the ends", () => {
    const free = [slot("14:00"), slot("09:00"), slot("09:30")];
    expect(stepFree(free, slot("09:10").start, 1)?.start).toBe(slot("09:30").start);
    expect(stepFree(free, slot("09:30").start, -1)?.start).toBe(slot("09:00").start);
    expect(stepFree(free, slot("14:00").start, 1)).toBeNull();
  });

  it("move only before they begin", () => {
    expect(isMovable(visit("09:00", "09:30"), new Date("2026-11-23T08:00:00Z"))).toBe(true);
    expect(isMovable(visit("09:00", "09:30"), new Date("2026-11-23T09:10:00Z"))).toBe(false);
    expect(isMovable(visit("09:00", "09:30", "cancelled"), new Date("2026-11-23T08:00:00Z"))).toBe(false);
  });
});
