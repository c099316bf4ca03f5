/**
 * The media of one visit: both connections, their recovery, and the report about what arrives.
 */
import { onNetworkChange } from "./link";
import type { MediaOffer, MediaReset, TrackSource, WantedPicture } from "./protocol";
import { Publisher, type IceWays, type PathState } from "./publisher";
import { CALM_MS, Reach } from "./reach";
import { ShownPictures } from "./shown";
import type { VisitSignaling } from "./signaling";
import { difference, narrowed, NOTHING, summarise, type Totals } from "./statistics";
import { Subscriber, type RemoteTracks } from "./subscriber";

const REPORT_EVERY_MS = 5_000;
/** A publication is worth asking for over a whole short outage. */
const PUBLISH_RETRY_MS = 30_000;
/** The same for a new way in, which whoever is away for a while needs first. */
const RESTART_RETRY_MS = 30_000;
/**
 * The server makes no further offer before it has this answer, so a lost one would hide everybody's
 * new pictures for good: it is said again until it is heard, or superseded.
 */
const ANSWER_RETRY_MS = 600_000;
/** Saying it twice does no harm, waiting does: people look at an empty place meanwhile. */
const ANSWER_TIMEOUT_MS = 3_000;

export interface MediaListener {
  onTracks: (tracks: RemoteTracks) => void;
  onPath: (connection: "publish" | "subscribe", state: PathState) => void;
}

export class VisitMedia {
  private readonly publisher: Publisher;
  private readonly subscriber: Subscriber;
  /** How large the page shows what comes in. */
  readonly shown: ShownPictures;
  private readonly unlisten: () => void;
  private readonly reach: Reach;
  private readonly interrupted = new Set<"publish" | "subscribe">();
  private readonly reporter: number;
  private ways: IceWays = { iceServers: [], iceTransportPolicy: "all" };
  private generation = 0;
  private before: Totals = NOTHING;
  private returnedAt = -Infinity;
  private muted = new Map<TrackSource, boolean>();
  private reporting = false;
  /** The last report found the way out narrow: so does every connection that begins. */
  private narrow = false;

  constructor(
    private readonly signaling: VisitSignaling,
    private readonly listener: MediaListener,
  ) {
    const ways = () => this.ways;
    this.publisher = new Publisher({
      ways,
      publish: async (offer) => {
        const answer = await signaling.call("media.publish", offer, {
          retryForMs: PUBLISH_RETRY_MS,
        });
        // A track published while muted starts out audible for the server: say so again.
        for (const { source } of offer.tracks) {
          if (this.muted.get(source)) void this.tellMuted(source, true);
        }
        return answer;
      },
      changed: (state) => this.moved("publish", state),
    });
    this.subscriber = new Subscriber({
      ways,
      answer: (answer) =>
        signaling.call("media.answer", answer, {
          timeoutMs: ANSWER_TIMEOUT_MS,
          retryForMs: ANSWER_RETRY_MS,
        }),
      restart: () => signaling.call("media.restart", {}, { retryForMs: RESTART_RETRY_MS }),
      tracksChanged: listener.onTracks,
      changed: (state) => this.moved("subscribe", state),
    });
    this.shown = new ShownPictures((wish) => signaling.call("media.prefer", wish));
    this.unlisten = onNetworkChange(() => {
      this.publisher.restart(true);
      this.subscriber.restart();
    });
    this.reach = new Reach(() => signaling.renew());
    this.reporter = window.setInterval(() => void this.report(), REPORT_EVERY_MS);
  }

  /** `call.join` was accepted: a new life of both connections. */
  start(generation: number, ways: IceWays): void {
    this.ways = ways;
    this.generation = generation;
    this.publisher.start(generation);
    this.subscriber.start(generation);
  }

  /** Signaling is back: media that is away still goes on by a new way. */
  reconnected(): void {
    if (this.interrupted.size === 0 || performance.now() - this.returnedAt < CALM_MS) return;
    this.returnedAt = performance.now();
    this.publisher.returned();
    this.subscriber.returned();
  }

  offer(offer: MediaOffer): void {
    this.subscriber.handle(offer);
  }

  wanted(generation: number, pictures: readonly WantedPicture[]): void {
    if (generation === this.generation) this.publisher.want(pictures);
  }

  reset({ connection, generation, reason }: MediaReset): void {
    // A server that is being replaced goes on until the new connections stand; a lost one does not.
    const keep = reason === "drain";
    this.generation = generation;
    if (connection !== "subscribe") this.publisher.start(generation, keep);
    if (connection !== "publish") this.subscriber.start(generation, keep);
  }

  set(source: TrackSource, track: MediaStreamTrack): Promise<void> {
    track.enabled = !this.muted.get(source);
    return this.publisher.set(source, track);
  }

  remove(source: TrackSource): void {
    this.publisher.remove(source);
    this.muted.delete(source);
  }

  /** Silences here at once, whatever the network does, and tells the others. */
  mute(source: TrackSource, muted: boolean, track: MediaStreamTrack | null): void {
    this.muted.set(source, muted);
    if (track) track.enabled = !muted;
    void this.tellMuted(source, muted);
  }

  /** Sums of both connections, for the report and for whoever wants to look. */
  async totals(): Promise<Totals> {
    const incoming = this.subscriber.connection;
    const outgoing = this.publisher.connection;
    const totals = incoming ? summarise((await incoming.getStats()).values()) : { ...NOTHING };
    if (outgoing && totals.roundTripMs === null) {
      totals.roundTripMs = summarise((await outgoing.getStats()).values()).roundTripMs;
    }
    return totals;
  }

  close(): void {
    this.unlisten();
    this.reach.rest();
    window.clearInterval(this.reporter);
    this.shown.close();
    this.publisher.close();
    this.subscriber.close();
  }

  private moved(connection: "publish" | "subscribe", state: PathState): void {
    if (state === "interrupted") this.interrupted.add(connection);
    else if (state === "connected" && this.interrupted.delete(connection)) this.reach.found();
    if (this.interrupted.size > 0) this.reach.watch();
    else this.reach.rest();
    this.listener.onPath(connection, state);
  }

  private async tellMuted(source: TrackSource, muted: boolean): Promise<void> {
    await this.signaling
      .call("media.mute", { source, muted }, { retryForMs: PUBLISH_RETRY_MS })
      .catch(() => undefined);
  }

  private async report(): Promise<void> {
    if (!this.subscriber.connection || this.reporting) return;
    this.reporting = true;
    try {
      const now = await this.totals();
      const report = difference(this.before, now);
      this.before = now;
      const outgoing = this.publisher.connection;
      const carried = outgoing ? narrowed((await outgoing.getStats()).values()) : null;
      if (carried !== null && this.narrow) report.available_bps = carried;
      this.narrow = carried !== null;
      await this.signaling.call("media.report", report);
    } catch {
      // The next report says it again; a missed one is not worth anybody's waiting.
    } finally {
      this.reporting = false;
    }
  }
}
