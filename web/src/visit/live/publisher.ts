/**
 * The outgoing connection: this person's camera, microphone and screen to the media server.
 *
 * Negotiation is desired state, not a list of commands: whatever changes (a track added or
 * removed, a new network, a lost connection to signaling) marks the connection as out of date,
 * and one loop offers the whole until the server has answered the newest.
 */
import { activate, cameraEncodings, screenEncodings } from "./encodings";
import { SignalingError } from "./link";
import type { PublishedTrack, TrackSource, WantedPicture } from "./protocol";

export type PathState = "idle" | "connecting" | "connected" | "interrupted";

/** By which ways media may go: relays that can be used, and whether nothing else may be. */
export type IceWays = Required<Pick<RTCConfiguration, "iceServers" | "iceTransportPolicy">>;

export interface PublisherOptions {
  ways: () => IceWays;
  publish: (offer: {
    generation: number;
    sdp: string;
    tracks: PublishedTrack[];
  }) => Promise<{ sdp: string }>;
  changed: (state: PathState) => void;
}

/**
 * A path that looks lost is given this long to come back before ICE is restarted again; the
 * browser's own checks come every 2.5 s.
 */
const RESTART_EVERY_MS = 4_000;
const RETRY_AFTER_MS = 1_000;
/** A connection that is replaced while it works is kept until the new one stands, or this long. */
export const KEPT_MS = 5_000;
const OVERLAP_MS = 2_500;

export class Publisher {
  private pc: RTCPeerConnection | null = null;
  private readonly wanted = new Map<TrackSource, MediaStreamTrack>();
  private transceivers = new Map<TrackSource, RTCRtpTransceiver>();
  private generation = 0;
  private dirty = false;
  private running = false;
  private closed = false;
  /** Media has flowed before: a new connection then replaces a lost one, and people should be told. */
  private stood = false;
  /** What the server says of use to anybody; what it has said nothing of is sent as it began. */
  private readonly useful = new Map<TrackSource, WantedPicture>();
  private timer: number | undefined;
  /** The connection before, still carrying media while the new one is built. */
  private former: RTCPeerConnection | null = null;
  private formerTimer: number | undefined;
  /** New ICE credentials are on their way to the server; more of them would only be in their way. */
  private restarting = false;

  constructor(private readonly options: PublisherOptions) {}

  get connection(): RTCPeerConnection | null {
    return this.pc;
  }

  /**
   * A life of the room begins: everything wanted so far is offered on a new connection. With
   * `keep` the one before goes on until the new one stands.
   */
  start(generation: number, keep = false): void {
    this.generation = generation;
    this.useful.clear();
    const former = keep && this.pc?.connectionState === "connected" ? this.pc : null;
    if (former) {
      this.endFormer();
      former.onconnectionstatechange = null;
      this.former = former;
      this.formerTimer = window.setTimeout(() => this.endFormer(), KEPT_MS);
      this.pc = null;
      this.transceivers = new Map();
    }
    this.discard();
    this.changed();
  }

  /** Adds a source, or puts another track in its place without negotiating. */
  async set(source: TrackSource, track: MediaStreamTrack): Promise<void> {
    this.wanted.set(source, track);
    const transceiver = this.transceivers.get(source);
    if (transceiver && transceiver.direction === "sendonly") {
      await transceiver.sender.replaceTrack(track);
    } else {
      this.changed();
    }
  }

  remove(source: TrackSource): void {
    if (!this.wanted.delete(source)) return;
    this.changed();
  }

  /** Which of our pictures, and which encodings of them, anybody is shown. */
  want(pictures: readonly WantedPicture[]): void {
    for (const picture of pictures) this.useful.set(picture.source, picture);
    void this.applyWanted();
  }

  /**
   * A path that died: look for a new one on the same connection. Once, until the server has heard of
   * it; `anew` where the device has other addresses since.
   */
  restart(anew = false): void {
    if (!this.pc || this.closed || (this.restarting && !anew)) return;
    this.restarting = true;
    this.pc.restartIce();
    this.changed();
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

  /** The others have their own new connections to build before they see the new one of ours. */
  private endFormerSoon(): void {
    if (!this.former) return;
    window.clearTimeout(this.formerTimer);
    this.formerTimer = window.setTimeout(() => this.endFormer(), OVERLAP_MS);
  }

  private endFormer(): void {
    window.clearTimeout(this.formerTimer);
    this.former?.close();
    this.former = null;
  }

  private discard(): void {
    window.clearTimeout(this.timer);
    this.restarting = false;
    if (this.pc) {
      this.pc.onconnectionstatechange = null;
      this.pc.close();
    }
    this.pc = null;
    this.transceivers = new Map();
  }

  private changed(): void {
    this.dirty = true;
    void this.negotiate();
  }

  private async negotiate(): Promise<void> {
    if (this.running) return;
    this.running = true;
    try {
      while (this.dirty && !this.closed && this.generation > 0) {
        if (this.wanted.size === 0 && this.pc === null) {
          this.dirty = false;
          break;
        }
        this.dirty = false;
        if (!(await this.offer())) {
          this.dirty = true;
          await new Promise((resolve) => window.setTimeout(resolve, RETRY_AFTER_MS));
        }
      }
    } finally {
      this.running = false;
    }
  }

  /** One offer and its answer. False when it has to be tried again. */
  private async offer(): Promise<boolean> {
    const generation = this.generation;
    const pc = (this.pc ??= this.build());
    try {
      await this.apply(pc);
      await pc.setLocalDescription(await pc.createOffer());
      const tracks = this.tracks();
      const sdp = pc.localDescription?.sdp;
      if (!sdp) return false;
      const answer = await this.options.publish({ generation, sdp, tracks });
      if (pc !== this.pc) return true;
      await pc.setRemoteDescription({ type: "answer", sdp: answer.sdp });
      // Only the whole of what was wanted when it was offered: a restart since then has its own offer.
      if (!this.dirty) this.restarting = false;
      await this.applyWanted();
      return true;
    } catch (error) {
      // Superseded while under way: the newer connection has its own turn.
      if (pc !== this.pc || this.closed) return true;
      if (error instanceof SignalingError && error.transient) return false;
      this.restarting = false;
      if (error instanceof SignalingError) {
        // An old generation ends with a reset, which begins again by itself; a visit we are not
        // (or no longer) in ends here.
        return true;
      }
      throw error;
    }
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

  /** Makes the transceivers what is wanted. A source keeps its transceiver for good. */
  private async apply(pc: RTCPeerConnection): Promise<void> {
    for (const [source, track] of this.wanted) {
      const existing = this.transceivers.get(source);
      if (!existing) {
        const transceiver = pc.addTransceiver(track, {
          direction: "sendonly",
          ...(track.kind === "video" && {
            sendEncodings: source === "screen" ? screenEncodings() : cameraEncodings(track.getSettings()),
          }),
        });
        this.transceivers.set(source, transceiver);
      } else if (existing.direction !== "sendonly" || existing.sender.track !== track) {
        existing.direction = "sendonly";
        await existing.sender.replaceTrack(track);
      }
    }
    for (const [source, transceiver] of this.transceivers) {
      if (this.wanted.has(source) || transceiver.direction === "inactive") continue;
      transceiver.direction = "inactive";
      await transceiver.sender.replaceTrack(null);
    }
  }

  private async applyWanted(): Promise<void> {
    for (const [source, { sender }] of this.transceivers) {
      const useful = this.useful.get(source);
      if (!useful || !sender.track) continue;
      const parameters = sender.getParameters();
      if (!activate(parameters.encodings, useful)) continue;
      // Refused while an offer is under way: its answer comes back here.
      await sender.setParameters(parameters).catch(() => undefined);
    }
  }

  private tracks(): PublishedTrack[] {
    const tracks: PublishedTrack[] = [];
    for (const [source, { mid, direction }] of this.transceivers) {
      if (mid !== null && direction === "sendonly") tracks.push({ mid, source });
    }
    return tracks;
  }

  private watch(pc: RTCPeerConnection): void {
    if (pc !== this.pc) return;
    window.clearTimeout(this.timer);
    const { connectionState } = pc;
    if (connectionState === "connected") {
      this.endFormerSoon();
      this.stood = true;
      this.options.changed("connected");
    } else if (connectionState === "disconnected" || connectionState === "failed") {
      this.options.changed("interrupted");
      this.recover(pc);
    }
  }

  /** Restarts ICE now and again until the path stands. */
  private recover(pc: RTCPeerConnection): void {
    if (pc !== this.pc || this.closed || pc.connectionState === "connected") return;
    this.restart();
    this.timer = window.setTimeout(() => this.recover(pc), RESTART_EVERY_MS);
  }
}
