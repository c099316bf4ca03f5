import { expect, it } from "vitest";
import { niceTop } from "./Plot";

it.each([
  [0, 1],
  [1, 1],
  [3, 5],
  [7, 10],
  [0.4, 0.5],
  [15000, 20000],
  [81000, 100000],
])("a scale for values up to %d ends at %d", (greatest, top) => expect(niceTop(greatest)).toBeCloseTo(top));
