import { expect, test } from "vitest";
import { activate, cameraEncodings } from "./encodings";

const active = (encodings: RTCRtpEncodingParameters[]) =>
  encodings.filter((one) => one.active ?? true).map(({ rid }) => rid);

test("a camera has as many encodings as its size allows, the largest active", () => {
  const sizes: [number, number, (string | undefined)[]][] = [
    [1280, 720, ["q", "h", "f"]],
    [640, 480, ["h", "f"]],
    [320, 240, [undefined]],
  ];
  for (const [width, height, rids] of sizes) {
    const encodings = cameraEncodings({ width, height });
    expect(encodings.map(({ rid }) => rid)).toEqual(rids);
    expect(active(encodings)).toEqual(rids.slice(-1));
  }
});

test("what is wanted is sent and nothing else", () => {
  const encodings = cameraEncodings({});
  expect(activate(encodings, { wanted: true, rids: ["q", "h", "f"] })).toBe(true);
  expect(active(encodings)).toEqual(["q", "h", "f"]);
  expect(activate(encodings, { wanted: true, rids: ["q", "h", "f"] })).toBe(false);
  activate(encodings, { wanted: true, rids: ["q"] });
  expect(active(encodings)).toEqual(["q"]);
  activate(encodings, { wanted: false, rids: [] });
  expect(active(encodings)).toEqual([]);
  const single = cameraEncodings({ width: 160, height: 120 });
  activate(single, { wanted: false, rids: [] });
  expect(single[0]?.active).toBe(false);
  activate(single, { wanted: true, rids: [] });
  expect(single[0]?.active).toBe(true);
});
