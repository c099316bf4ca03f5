/**
 * The incoming connection: everybody else's tracks from the media server.
 *
 * The server offers, one offer at a time; offers are answered strictly in their order. A receiver
 * may be given to another person's track later, so who is who is read from the newest offer.
 */
import type { MediaOffer, OfferedTrack, TrackSource } from "./protocol";
import { KEPT_MS, type IceWays, type PathState } from "./publisher";

export interface RemoteTrack extends OfferedTrack {
  track: MediaStreamTrack;
}

/** Tracks by participant and source. */
export type RemoteTracks = Record<string, Partial<Record<TrackSource, RemoteTrack>>>;

export interface SubscriberOptions {
  ways: () => IceWays;
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
  /** The connection before, still shown while the new one is built, and what it shows. */
  private former: RTCPeerConnection | null = null;
  private formerTimer: number | undefined;
  private shown: RemoteTracks = {};
  /** The server is being asked for new ICE credentials. */
  private asking = false;
  /** What the newest offer brings. */
  private current: RemoteTracks = {};

  constructor(private readonly options: SubscriberOptions) {}

  get connection(): RTCPeerConnection | null {
    return this.pc;
  }

  /**
   * A life of the room begins: older offers mean nothing any more. With `keep` what is shown stays
   * until the new connection has as much.
   */
  start(generation: number, keep = false): void {
    this.generation = generation;
    this.current = {};
    if (keep && this.pc?.connectionState === "connected") {
      this.endFormer();
      this.pc.onconnectionstatechange = null;
      this.former = this.pc;
      this.formerTimer = window.setTimeout(() => this.showCurrent(), KEPT_MS);
      this.pc = null;
      this.discard();
    } else {
      this.endFormer();
      this.discard();
      this.show({});
    }
  }

  handle(offer: MediaOffer): void {
    this.queue = this.queue.then(() => this.answer(offer)).catch(() => this.askAgain());
  }

  /** Asks for a new path, once until the server has heard it. */
  restart(): void {
    if (!this.pc || this.closed || this.asking) return;
    this.asking = true;
    void this.options
      .restart()
      .catch(() => undefined)
      .finally(() => {
        this.asking = false;
      });
  }

  /** The network is back: some paths are as they were, the others need a restart. */
  returned(): void {
    if (this.pc?.connectionState !== "connected") this.restart();
  }

  close(): void {
    this.closed = true;
    this.endFormer();
    this.discard();
  }

  private show(tracks: RemoteTracks): void {
    this.shown = tracks;
    this.options.tracksChanged(tracks);
  }

  /** Shows what there is now; the connection before has done its work. */
  private showCurrent(): void {
    this.endFormer();
    this.show(this.current);
  }

  private endFormer(): void {
    window.clearTimeout(this.formerTimer);
    this.former?.close();
    this.former = null;
  }

  /** Nobody who is seen or heard over the former connection is missing from the new one. */
  private replaced(): boolean {
    if (this.pc?.connectionState !== "connected") return false;
    return Object.entries(this.shown).every(([person, tracks]) =>
      Object.values(tracks).every(
        ({ source, track }) =>
          track.muted || this.current[person]?.[source]?.track.muted === false,
      ),
    );
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
    this.current = tracksOf(pc, offer.tracks);
    if (this.former) this.showWhenReplaced(pc);
    else this.show(this.current);
    const sdp = pc.localDescription?.sdp;
    if (!sdp) return;
    // Refused answers are superseded ones: the server's next offer follows without our doing. Not
    // waited for: an answer that is on its way again must not hold up a newer offer.
    void this.options
      .answer({ generation: offer.generation, negotiation: offer.negotiation, sdp })
      .catch(() => undefined);
  }

  /** A track unmutes with its first packet. */
  private showWhenReplaced(pc: RTCPeerConnection): void {
    const look = () => {
      if (pc === this.pc && this.former && this.replaced()) this.showCurrent();
    };
    for (const { receiver } of pc.getTransceivers()) receiver.track.onunmute = look;
    look();
  }

  /** An offer this browser could not set: the next one has to be a complete new start. */
  private askAgain(): void {
    this.restart();
  }

  private build(): RTCPeerConnection {
    const pc = new RTCPeerConnection({
      bundlePolicy: "max-bundle",
      ...this.options.ways(),
    });
    pc.onconnectionstatechange = () => this.watch(pc);
    if (!this.former) this.options.changed(this.stood ? "interrupted" : "connecting");
    return pc;
  }

  private watch(pc: RTCPeerConnection): void {
    if (pc !== this.pc) return;
    window.clearTimeout(this.timer);
    if (pc.connectionState === "connected") {
      this.stood = true;
      if (this.former) this.showWhenReplaced(pc);
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
