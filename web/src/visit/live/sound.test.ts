import { describe, expect, it, vi } from "vitest";
import { allowSound, loudness } from "./sound";

describe("allowSound", () => {
  it("waits only shortly where there is no sound device", async () => {
    class Silent {
      state = "suspended";
      resume = () => new Promise<void>(() => undefined);
    }
    vi.stubGlobal("window", { AudioContext: Silent, setTimeout });
    vi.stubGlobal("navigator", { userActivation: { hasBeenActive: true } });
    vi.stubGlobal("AudioContext", Silent);
    expect(await allowSound()).toBe(false);
    vi.unstubAllGlobals();
  });
});

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
