/**
 * What the browser's WebRTC statistics say about the last few seconds. Pure: reports in,
 * differences out. The selected path is found by `transport.selectedCandidatePairId`, because
 * several candidate pairs may be nominated and succeeded at once.
 */
import type { MediaReport } from "./protocol";

/** Sums over all received tracks since the connection began. */
export interface Totals {
  freezes: number;
  frozenMs: number;
  concealed: number;
  audioSamples: number;
  packetsLost: number;
  packetsReceived: number;
  framesDecoded: number;
  roundTripMs: number | null;
}

export const NOTHING: Totals = {
  freezes: 0,
  frozenMs: 0,
  concealed: 0,
  audioSamples: 0,
  packetsLost: 0,
  packetsReceived: 0,
  framesDecoded: 0,
  roundTripMs: null,
};

/** The fields read from an RTCStatsReport entry. Each is optional: browsers differ. */
interface Entry {
  id: string;
  type: string;
  selectedCandidatePairId?: string;
  currentRoundTripTime?: number;
  freezeCount?: number;
  totalFreezesDuration?: number;
  concealedSamples?: number;
  silentConcealedSamples?: number;
  totalSamplesReceived?: number;
  packetsLost?: number;
  packetsReceived?: number;
  framesDecoded?: number;
  availableOutgoingBitrate?: number;
  qualityLimitationReason?: string;
}

/** Adds up one connection's report. Durations arrive in seconds and leave in milliseconds. */
export function summarise(entries: Iterable<Entry>): Totals {
  const all = [...entries];
  const byId = new Map(all.map((entry) => [entry.id, entry]));
  const totals = { ...NOTHING };
  for (const entry of all) {
    if (entry.type === "transport" && entry.selectedCandidatePairId) {
      const seconds = byId.get(entry.selectedCandidatePairId)?.currentRoundTripTime;
      if (seconds !== undefined) totals.roundTripMs = Math.round(seconds * 1000);
    }
    if (entry.type !== "inbound-rtp") continue;
    totals.freezes += entry.freezeCount ?? 0;
    totals.frozenMs += Math.round((entry.totalFreezesDuration ?? 0) * 1000);
    // Silence that is filled with silence is what discontinuous transmission does, not damage.
    totals.concealed += Math.max(
      0,
      (entry.concealedSamples ?? 0) - (entry.silentConcealedSamples ?? 0),
    );
    totals.audioSamples += entry.totalSamplesReceived ?? 0;
    totals.packetsLost += entry.packetsLost ?? 0;
    totals.packetsReceived += entry.packetsReceived ?? 0;
    totals.framesDecoded += entry.framesDecoded ?? 0;
  }
  return totals;
}

/**
 * Bits a second that the way out carries, where it keeps a picture smaller than it should be; null where
 * it does not, or the browser doesn't say. What has nothing to send never learns how much would fit.
 */
export function narrowed(entries: Iterable<Entry>): number | null {
  const all = [...entries];
  if (!all.some(({ type, qualityLimitationReason }) => type === "outbound-rtp" && qualityLimitationReason === "bandwidth"))
    return null;
  const rates = all.map((entry) => entry.availableOutgoingBitrate).filter((rate) => rate !== undefined);
  return rates.length > 0 ? Math.round(Math.max(...rates)) : null;
}

/** The report about the time between two sums. A connection built anew starts from zero again. */
export function difference(before: Totals, now: Totals): MediaReport {
  const since = (key: Exclude<keyof Totals, "roundTripMs">): number =>
    now[key] >= before[key] ? now[key] - before[key] : Math.max(0, now[key]);
  const lost = since("packetsLost");
  const received = since("packetsReceived");
  return {
    freezes: since("freezes"),
    frozen_ms: since("frozenMs"),
    concealed: since("concealed"),
    audio_samples: since("audioSamples"),
    round_trip_ms: now.roundTripMs,
    loss: lost + received === 0 ? 0 : Math.round((lost / (lost + received)) * 10_000) / 10_000,
  };
}
