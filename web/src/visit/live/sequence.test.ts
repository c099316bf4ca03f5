import { describe, expect, it } from "vitest";
import { resumePosition, Sequencer } from "./sequence";

function names(events: { item: string }[]): string[] {
  return events.map(({ item }) => item);
}

describe("the sequencer", () => {
  it("holds what comes before the session is ready, then delivers what follows it", () => {
    const line = new Sequencer<string>();
    expect(line.accept({ seq: 8, item: "eight" })).toEqual([]);
    expect(line.accept({ seq: 7, item: "seven" })).toEqual([]);
    expect(names(line.reset(7))).toEqual(["eight"]);
    expect(line.position).toBe(8);
  });

  it("drops duplicates", () => {
    const line = new Sequencer<string>(4);
    expect(names(line.accept({ seq: 5, item: "five" }))).toEqual(["five"]);
    expect(line.accept({ seq: 5, item: "five" })).toEqual([]);
    expect(line.accept({ seq: 1, item: "one" })).toEqual([]);
  });

  it("puts events that overtook each other back in order", () => {
    const line = new Sequencer<string>(0);
    expect(line.accept({ seq: 3, item: "three" })).toEqual([]);
    expect(line.accept({ seq: 2, item: "two" })).toEqual([]);
    expect(line.waiting).toBe(true);
    expect(names(line.accept({ seq: 1, item: "one" }))).toEqual(["one", "two", "three"]);
    expect(line.waiting).toBe(false);
  });

  it("closes a gap by a replay of everything after the last delivered number", () => {
    const line = new Sequencer<string>(10);
    line.accept({ seq: 13, item: "thirteen" });
    line.forgetHeld();
    const replay = [11, 12, 13].flatMap((seq) => line.accept({ seq, item: String(seq) }));
    expect(names(replay)).toEqual(["11", "12", "13"]);
  });

  it("jumps ahead with a snapshot and forgets what it replaced", () => {
    const line = new Sequencer<string>(2);
    line.accept({ seq: 6, item: "six" });
    line.accept({ seq: 9, item: "nine" });
    expect(names(line.reset(8))).toEqual(["nine"]);
    expect(line.accept({ seq: 6, item: "six" })).toEqual([]);
  });

  it("ignores numbers that are none", () => {
    const line = new Sequencer<string>(0);
    for (const seq of [Number.NaN, -1, 1.5, Number.POSITIVE_INFINITY]) {
      expect(line.accept({ seq, item: "odd" })).toEqual([]);
    }
    expect(line.waiting).toBe(false);
  });

  it("holds a bounded number of events behind a gap, and still takes the missing one", () => {
    const line = new Sequencer<number>(0);
    for (let seq = 2; seq < 2_000; seq += 1) line.accept({ seq, item: seq });
    const released = line.accept({ seq: 1, item: 1 });
    expect(released[0]?.seq).toBe(1);
    expect(released.length).toBeLessThan(600);
  });
});

describe("the position after a resume", () => {
  it("is the client's own when a replay follows", () => {
    expect(resumePosition(5, { seq: 9, replayed: 4 })).toBe(5);
  });

  it("is the server's when its snapshot is ahead and nothing is replayed", () => {
    expect(resumePosition(5, { seq: 9, replayed: 0 })).toBe(9);
    expect(resumePosition(5, { seq: 5, replayed: 0 })).toBe(5);
  });
});
