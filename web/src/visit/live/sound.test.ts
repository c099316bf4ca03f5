import { describe, expect, it } from "vitest";
import { loudness } from "./sound";

describe("loudness", () => {
  it("is nothing in silence and full at a shout", () => {
    expect(loudness(new Float32Array(64))).toBe(0);
    expect(loudness(new Float32Array(64).fill(0.9))).toBe(1);
  });

  it("rises with the sound and stays between its bounds", () => {
    const levels = [0.0001, 0.01, 0.05, 0.2].map((value) =>
      loudness(new Float32Array(64).fill(value)),
    );
    expect(levels).toEqual([...levels].sort((a, b) => a - b));
    expect(levels[0]).toBe(0);
    expect(levels[2]).toBeGreaterThan(0.5);
  });
});
