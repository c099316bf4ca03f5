/** What the network test's figures mean. Pure: WebRTC statistics in, figures and a verdict out. */

export interface Measured {
  upKbps: number;
  downKbps: number;
  /** The worse direction's share of packets, 0 to 1. */
  loss: number;
  roundTripMs: number;
  jitterMs: number;
}

export type Reason = "loss" | "delay" | "bandwidth" | "unreachable";

export interface Verdict {
  verdict: "good" | "fair" | "poor";
  reason: Reason | null;
}

/** The fields read from RTCStatsReport entries. Each is optional: browsers differ. */
export interface ProbeEntry {
  id: string;
  type: string;
  timestamp?: number;
  bytesSent?: number;
  bytesReceived?: number;
  packetsReceived?: number;
  packetsLost?: number;
  jitter?: number;
  fractionLost?: number;
  roundTripTime?: number;
  selectedCandidatePairId?: string;
  currentRoundTripTime?: number;
}

function first(entries: readonly ProbeEntry[], type: string): ProbeEntry | undefined {
  return entries.find((entry) => entry.type === type);
}

/** Figures over the time between two reports. */
export function read(before: readonly ProbeEntry[], after: readonly ProbeEntry[]): Measured {
  const seconds = (was?: ProbeEntry, is?: ProbeEntry) =>
    Math.max(0.001, ((is?.timestamp ?? 0) - (was?.timestamp ?? 0)) / 1000);
  const sentBefore = first(before, "outbound-rtp");
  const sent = first(after, "outbound-rtp");
  const heardBefore = first(before, "inbound-rtp");
  const heard = first(after, "inbound-rtp");
  const remote = first(after, "remote-inbound-rtp");
  const transport = after.find((entry) => entry.type === "transport" && entry.selectedCandidatePairId);
  const pair = after.find((entry) => entry.id === transport?.selectedCandidatePairId);
  const received = (heard?.packetsReceived ?? 0) - (heardBefore?.packetsReceived ?? 0);
  const lost = Math.max(0, (heard?.packetsLost ?? 0) - (heardBefore?.packetsLost ?? 0));
  const lossDown = heard ? lost / Math.max(1, received + lost) : 1;
  const lossUp = Math.min(1, Math.max(0, remote?.fractionLost ?? 0));
  const bitsUp = 8 * ((sent?.bytesSent ?? 0) - (sentBefore?.bytesSent ?? 0)) * (1 - lossUp);
  const bitsDown = 8 * ((heard?.bytesReceived ?? 0) - (heardBefore?.bytesReceived ?? 0));
  return {
    upKbps: Math.round(Math.max(0, bitsUp) / 1000 / seconds(sentBefore, sent)),
    downKbps: Math.round(Math.max(0, bitsDown) / 1000 / seconds(heardBefore, heard)),
    loss: Math.round(Math.max(lossUp, lossDown) * 1000) / 1000,
    roundTripMs: Math.round(1000 * (pair?.currentRoundTripTime ?? remote?.roundTripTime ?? 0)),
    jitterMs: Math.round(1000 * (heard?.jitter ?? 0)),
  };
}

/** A conversation with a clear picture; one with a small picture; one that will often be broken. */
export function judge({ upKbps, downKbps, loss, roundTripMs }: Measured): Verdict {
  const least = Math.min(upKbps, downKbps);
  const grades: [Reason, boolean, boolean][] = [
    ["loss", loss > 0.1, loss > 0.03],
    ["delay", roundTripMs > 600, roundTripMs > 300],
    ["bandwidth", least < 150, least < 600],
  ];
  const poor = grades.find(([, isPoor]) => isPoor);
  if (poor) return { verdict: "poor", reason: poor[0] };
  const fair = grades.find(([, , isFair]) => isFair);
  return fair ? { verdict: "fair", reason: fair[0] } : { verdict: "good", reason: null };
}

const ORDER = ["poor", "fair", "good"] as const;

/** The better of two: a visit takes the best way there is. */
export function better(one: Verdict | null, other: Verdict): Verdict {
  return one && ORDER.indexOf(one.verdict) >= ORDER.indexOf(other.verdict) ? one : other;
}
