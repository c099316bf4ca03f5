import { describe, expect, it } from "vitest";
import { better, judge, read, type Measured } from "./probeVerdict";

const GOOD: Measured = { upKbps: 1500, downKbps: 1400, loss: 0, roundTripMs: 40, jitterMs: 5 };

describe("the network test's verdict", () => {
  it.each([
    [{}, "good", null],
    [{ loss: 0.05 }, "fair", "loss"],
    [{ loss: 0.2 }, "poor", "loss"],
    [{ roundTripMs: 400 }, "fair", "delay"],
    [{ roundTripMs: 800, loss: 0.05 }, "poor", "delay"],
    [{ upKbps: 300 }, "fair", "bandwidth"],
    [{ downKbps: 100 }, "poor", "bandwidth"],
  ])("of %o is %s because of %s", (change, verdict, reason) => {
    expect(judge({ ...GOOD, ...change })).toEqual({ verdict, reason });
  });

  it("is that of the best way", () => {
    const poor = { verdict: "poor", reason: "unreachable" } as const;
    const fair = { verdict: "fair", reason: "delay" } as const;
    expect(better(null, poor)).toBe(poor);
    expect(better(poor, fair)).toBe(fair);
    expect(better(fair, poor)).toBe(fair);
  });
});

describe("figures between two reports", () => {
  const at = (timestamp: number, sent: number, received: number, packets: number, lost: number) => [
    { id: "o", type: "outbound-rtp", timestamp, bytesSent: sent },
    { id: "i", type: "inbound-rtp", timestamp, bytesReceived: received, packetsReceived: packets, packetsLost: lost, jitter: 0.0123 },
    { id: "r", type: "remote-inbound-rtp", timestamp, fractionLost: 0.02 },
    { id: "t", type: "transport", timestamp, selectedCandidatePairId: "p" },
    { id: "q", type: "candidate-pair", timestamp, currentRoundTripTime: 9 },
    { id: "p", type: "candidate-pair", timestamp, currentRoundTripTime: 0.05 },
  ];

  it("are of that time alone", () => {
    expect(read(at(1000, 100_000, 90_000, 100, 50), at(3000, 350_000, 290_000, 290, 60))).toEqual({
      upKbps: 980,
      downKbps: 800,
      loss: 0.05,
      roundTripMs: 50,
      jitterMs: 12,
    });
  });

  it("of nothing that came back are a total loss", () => {
    expect(read([], [])).toMatchObject({ upKbps: 0, downKbps: 0, loss: 1 });
  });
});
