import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ShownPictures } from "./shown";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function pictures() {
  const prefer = vi.fn(() => Promise.resolve());
  return { prefer, shown: new ShownPictures(prefer) };
}

test("more is told at once, less after a while", () => {
  const { prefer, shown } = pictures();
  shown.set("call", "a", 180);
  expect(prefer).toHaveBeenLastCalledWith({ track_id: "a", max_height: 180, paused: false });
  shown.set("call", "a", 720);
  expect(prefer).toHaveBeenLastCalledWith({ track_id: "a", max_height: 720, paused: false });
  shown.set("call", "a", 0);
  shown.set("call", "a", 180);
  expect(prefer).toHaveBeenCalledTimes(2);
  vi.advanceTimersByTime(2_000);
  expect(prefer).toHaveBeenCalledTimes(3);
  expect(prefer).toHaveBeenLastCalledWith({ track_id: "a", max_height: 180, paused: false });
});

test("a tile that moves is never paused", () => {
  const { prefer, shown } = pictures();
  shown.set("call", "a", 360);
  shown.set("call", "a", 0);
  vi.advanceTimersByTime(300);
  shown.set("call", "a", 360);
  vi.advanceTimersByTime(10_000);
  expect(prefer).toHaveBeenCalledTimes(1);
});

test("the largest of several places counts, and none pauses", () => {
  const { prefer, shown } = pictures();
  shown.set("call", "a", 720);
  shown.set("window", "a", 200);
  shown.set("call", "a", 0);
  vi.advanceTimersByTime(2_000);
  expect(prefer).toHaveBeenLastCalledWith({ track_id: "a", max_height: 200, paused: false });
  shown.set("window", "a", 0);
  vi.advanceTimersByTime(2_000);
  expect(prefer).toHaveBeenLastCalledWith({ track_id: "a", paused: true });
});

test("a weak connection makes all pictures small, and large again later", () => {
  const { prefer, shown } = pictures();
  shown.set("call", "a", 720);
  shown.limit(180);
  vi.advanceTimersByTime(2_000);
  expect(prefer).toHaveBeenLastCalledWith({ track_id: "a", max_height: 180, paused: false });
  shown.set("call", "b", 400);
  expect(prefer).toHaveBeenLastCalledWith({ track_id: "b", max_height: 180, paused: false });
  shown.set("call", "a", 360);
  expect(prefer).toHaveBeenCalledTimes(3);
  shown.limit(null);
  expect(prefer).toHaveBeenCalledWith({ track_id: "a", max_height: 360, paused: false });
  expect(prefer).toHaveBeenLastCalledWith({ track_id: "b", max_height: 400, paused: false });
});
