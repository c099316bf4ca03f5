/**
 * The incoming connection: everybody else's tracks from the media server.
 *
 * The server offers, one offer at a time; offers are answered strictly in their order. A receiver
 * may be given to another person's track later, so who is who is read from the newest offer.
 */
import type { MediaOffer, OfferedTrack, TrackSource } from "./protocol";
import type { PathState } from "./publisher";

export interface RemoteTrack extends OfferedTrack {
  track: MediaStreamTrack;
}

/** Tracks by participant and source. */
export type RemoteTracks = Record<string, Partial<Record<TrackSource, RemoteTrack>>>;

export interface SubscriberOptions {
  iceServers: () => RTCIceServer[];
  answer: (answer: { generation: number; negotiation: number; sdp: string }) => Promise<unknown>;
  /** Asks the server for an offer with new ICE credentials. */
  restart: () => Promise<unknown>;
  tracksChanged: (tracks: RemoteTracks) => void;
  changed: (state: PathState) => void;
}

const RESTART_EVERY_MS = 4_000;

export class Subscriber {
  private pc: RTCPeerConnection | null = null;
  private generation = 0;
  private queue: Promise<void> = Promise.resolve();
  private closed = false;
  /** Media has flowed before: a new connection then replaces a lost one, and people should be told. */
  private stood = false;
  private timer: number | undefined;

  constructor(private readonly options: SubscriberOptions) {}

  get connection(): RTCPeerConnection | null {
    return this.pc;
  }

  /** A life of the room begins: older offers mean nothing any more. */
  start(generation: number): void {
    this.generation = generation;
    this.discard();
    this.options.tracksChanged({});
  }

  handle(offer: MediaOffer): void {
    this.queue = this.queue.then(() => this.answer(offer)).catch(() => this.askAgain());
  }

  restart(): void {
    if (!this.pc || this.closed) return;
    void this.options.restart().catch(() => undefined);
  }

  close(): void {
    this.closed = true;
    this.discard();
  }

  private discard(): void {
    window.clearTimeout(this.timer);
    if (this.pc) {
      this.pc.onconnectionstatechange = null;
      this.pc.close();
    }
    this.pc = null;
  }

  private async answer(offer: MediaOffer): Promise<void> {
    if (this.closed || offer.generation < this.generation) return;
    if (offer.generation > this.generation) this.start(offer.generation);
    const pc = (this.pc ??= this.build());
    await pc.setRemoteDescription({ type: "offer", sdp: offer.sdp });
    await pc.setLocalDescription(await pc.createAnswer());
    if (pc !== this.pc) return;
    this.options.tracksChanged(tracksOf(pc, offer.tracks));
    const sdp = pc.localDescription?.sdp;
    if (!sdp) return;
    // Refused answers are superseded ones: the server's next offer follows without our doing.
    await this.options
      .answer({ generation: offer.generation, negotiation: offer.negotiation, sdp })
      .catch(() => undefined);
  }

  /** An offer this browser could not set: the next one has to be a complete new start. */
  private askAgain(): void {
    this.restart();
  }

  private build(): RTCPeerConnection {
    const pc = new RTCPeerConnection({
      bundlePolicy: "max-bundle",
      iceServers: this.options.iceServers(),
    });
    pc.onconnectionstatechange = () => this.watch(pc);
    this.options.changed(this.stood ? "interrupted" : "connecting");
    return pc;
  }

  private watch(pc: RTCPeerConnection): void {
    if (pc !== this.pc) return;
    window.clearTimeout(this.timer);
    if (pc.connectionState === "connected") {
      this.stood = true;
      this.options.changed("connected");
    } else if (pc.connectionState === "disconnected" || pc.connectionState === "failed") {
      this.options.changed("interrupted");
      this.recover(pc);
    }
  }

  private recover(pc: RTCPeerConnection): void {
    if (pc !== this.pc || this.closed || pc.connectionState === "connected") return;
    this.restart();
    this.timer = window.setTimeout(() => this.recover(pc), RESTART_EVERY_MS);
  }
}

function tracksOf(pc: RTCPeerConnection, offered: readonly OfferedTrack[]): RemoteTracks {
  const receivers = new Map(pc.getTransceivers().map(({ mid, receiver }) => [mid, receiver]));
  const tracks: RemoteTracks = {};
  for (const entry of offered) {
    const receiver = receivers.get(entry.mid);
    if (!receiver) continue;
    (tracks[entry.participant_id] ??= {})[entry.source] = { ...entry, track: receiver.track };
  }
  return tracks;
}
