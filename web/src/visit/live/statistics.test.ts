import { describe, expect, it } from "vitest";
import { difference, narrowed, NOTHING, summarise } from "./statistics";

describe("statistics", () => {
  it("takes the round trip of the selected pair, not of another nominated one", () => {
    const totals = summarise([
      { id: "old", type: "candidate-pair", currentRoundTripTime: 0.9 },
      { id: "now", type: "candidate-pair", currentRoundTripTime: 0.042 },
      { id: "t", type: "transport", selectedCandidatePairId: "now" },
    ]);
    expect(totals.roundTripMs).toBe(42);
  });

  it("knows no round trip before a path is selected", () => {
    expect(summarise([{ id: "t", type: "transport" }]).roundTripMs).toBeNull();
  });

  it("adds up received tracks and leaves filled silence out", () => {
    const totals = summarise([
      { id: "a", type: "inbound-rtp", concealedSamples: 900, silentConcealedSamples: 400, totalSamplesReceived: 48_000, packetsLost: 3, packetsReceived: 97 },
      { id: "v", type: "inbound-rtp", freezeCount: 1, totalFreezesDuration: 0.4, framesDecoded: 150, packetsLost: 0, packetsReceived: 100 },
    ]);
    expect(totals).toMatchObject({
      concealed: 500,
      audioSamples: 48_000,
      freezes: 1,
      frozenMs: 400,
      framesDecoded: 150,
    });
    expect(difference(NOTHING, totals).loss).toBe(0.015);
  });

  it("reports only what is new, and starts again with a new connection", () => {
    const before = { ...NOTHING, freezes: 4, packetsReceived: 1_000 };
    const report = difference(before, { ...NOTHING, freezes: 5, packetsReceived: 1_100 });
    expect(report).toMatchObject({ freezes: 1, loss: 0 });
    expect(difference(before, { ...NOTHING, freezes: 1 }).freezes).toBe(1);
  });

  it("tells a narrow way out only while a picture suffers from it", () => {
    const pair = { id: "p", type: "candidate-pair", availableOutgoingBitrate: 280_000.4 };
    const picture = (qualityLimitationReason: string) => ({ id: "v", type: "outbound-rtp", qualityLimitationReason });
    expect(narrowed([pair, picture("bandwidth")])).toBe(280_000);
    expect(narrowed([pair, picture("none")])).toBeNull();
    expect(narrowed([pair, picture("cpu")])).toBeNull();
    expect(narrowed([picture("bandwidth")])).toBeNull();
  });
});
