import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Reach } from "./reach";

describe("Reach", () => {
  let open: boolean;
  let returned: number;
  let asked: number;
  let reach: Reach;

  beforeEach(() => {
    vi.useFakeTimers();
    vi.stubGlobal("window", globalThis);
    open = true;
    returned = asked = 0;
    reach = new Reach(
      () => (returned += 1),
      () => {
        asked += 1;
        return open ? Promise.resolve() : Promise.reject(new Error("away"));
      },
    );
  });

  afterEach(() => {
    reach.rest();
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it("tells once that the network is back, within a second", async () => {
    open = false;
    reach.watch();
    await vi.advanceTimersByTimeAsync(20_000);
    expect(returned).toBe(0);
    open = true;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(returned).toBe(1);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(returned).toBe(1);
  });

  it("says nothing where the server answers all the time", async () => {
    reach.watch();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(asked).toBeGreaterThan(5);
    expect(returned).toBe(0);
  });

  it("asks nobody while media gets through", async () => {
    reach.watch();
    reach.rest();
    const before = asked;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(asked).toBe(before);
  });

  it("does not tell of a slow network again and again", async () => {
    reach.watch();
    for (let second = 0; second < 10; second += 1) {
      open = !open;
      await vi.advanceTimersByTimeAsync(1_000);
    }
    expect(returned).toBeLessThanOrEqual(2);
    expect(returned).toBeGreaterThan(0);
  });
});
