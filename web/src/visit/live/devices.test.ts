import { describe, expect, it } from "vitest";
import { abilityOf, problemOf } from "./devices";

const track = {} as MediaStreamTrack;
const nothing = { camera: null, microphone: null, cameraProblem: null, microphoneProblem: null };

describe("devices", () => {
  it("names each failure of a browser", () => {
    const named = (name: string) => problemOf(Object.assign(new Error(), { name }));
    expect(named("NotAllowedError")).toBe("denied");
    expect(named("NotFoundError")).toBe("missing");
    expect(named("OverconstrainedError")).toBe("missing");
    expect(named("NotReadableError")).toBe("in_use");
    expect(named("TypeError")).toBe("failed");
    expect(problemOf(null)).toBe("failed");
  });

  it("says what a person can still do", () => {
    expect(abilityOf({ ...nothing, camera: track, microphone: track })).toBe("full");
    expect(abilityOf({ ...nothing, microphone: track })).toBe("audio_only");
    expect(abilityOf({ ...nothing, camera: track })).toBe("video_only");
    expect(abilityOf(nothing)).toBe("listen_only");
  });
});
