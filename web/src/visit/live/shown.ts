/**
 * Tells the server how large each picture is shown, so that it sends the encoding that suits and
 * nothing that nobody looks at.
 *
 * A picture may be in several places (the call, the small window); the largest counts. More is told
 * at once. Less is told after a while: a tile that only moves is gone for a moment, and what is
 * stopped needs a key frame to go on.
 */
import type { ClientCalls } from "./protocol";

type Wish = ClientCalls["media.prefer"]["send"];

const LESS_AFTER_MS = 2_000;
/** Lines of a picture where a weak connection carries no more. */
export const SMALL_PICTURE = 180;

export class ShownPictures {
  private readonly places = new Map<string, Map<string, number>>();
  private readonly told = new Map<string, number>();
  private readonly timers = new Map<string, number>();
  private most = Infinity;

  constructor(private readonly prefer: (wish: Wish) => Promise<unknown>) {}

  /** A place shows a track this many device pixels high; 0: not at all. */
  set(place: string, trackId: string, pixels: number): void {
    const places = this.places.get(trackId) ?? new Map<string, number>();
    this.places.set(trackId, places.set(place, pixels));
    this.changed(trackId);
  }

  /** However large they are shown, pictures come no larger than this; null: as they are shown. */
  limit(lines: number | null): void {
    const most = lines ?? Infinity;
    if (most === this.most) return;
    this.most = most;
    for (const trackId of this.told.keys()) this.changed(trackId);
  }

  private changed(trackId: string): void {
    window.clearTimeout(this.timers.get(trackId));
    this.timers.delete(trackId);
    const told = this.told.get(trackId);
    const now = this.height(trackId);
    if (now === told) return;
    if (told === undefined || now > told) this.tell(trackId);
    else this.timers.set(trackId, window.setTimeout(() => this.tell(trackId), LESS_AFTER_MS));
  }

  close(): void {
    for (const timer of this.timers.values()) window.clearTimeout(timer);
    this.timers.clear();
  }

  private height(trackId: string): number {
    return Math.min(this.most, Math.max(0, ...(this.places.get(trackId)?.values() ?? [])));
  }

  private tell(trackId: string): void {
    this.timers.delete(trackId);
    const height = this.height(trackId);
    this.told.set(trackId, height);
    const wish: Wish =
      height > 0
        ? { track_id: trackId, max_height: Math.min(height, 8192), paused: false }
        : { track_id: trackId, paused: true };
    // A track that has ended meanwhile is nobody's concern; another one has another name.
    void this.prefer(wish).catch(() => this.told.delete(trackId));
  }
}
