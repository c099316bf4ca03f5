/**
 * Puts numbered server events back into one line: in order, each exactly once.
 *
 * Policy, and all of it: an event at or below the last delivered number is a duplicate and
 * dropped; the next number is delivered with every held successor; a later number is held and
 * reported as a gap, for the owner to decide how long to wait before it asks for a replay.
 * Pure: no clock, no socket.
 */
export interface Numbered<Item> {
  seq: number;
  item: Item;
}

/**
 * Most events to hold behind a gap. A replay brings far fewer; more than this means that the
 * missing event will not come and only a snapshot helps.
 */
const HELD_LIMIT = 512;

export class Sequencer<Item> {
  private last: number | null;
  private held = new Map<number, Item>();

  constructor(last: number | null = null) {
    this.last = last;
  }

  /** The number of the newest delivered event, or null before anything is known. */
  get position(): number | null {
    return this.last;
  }

  /** True while a later event waits for an earlier one. */
  get waiting(): boolean {
    return this.held.size > 0;
  }

  /** Takes one event and returns what may be delivered now, in order. */
  accept({ seq, item }: Numbered<Item>): Numbered<Item>[] {
    if (!Number.isSafeInteger(seq) || seq < 0) return [];
    if (this.last !== null && seq <= this.last) return [];
    if (this.held.size >= HELD_LIMIT && !this.held.has(seq) && seq !== this.next) return [];
    this.held.set(seq, item);
    return this.release();
  }

  /**
   * The server states where the line stands: a fresh session or a snapshot that replaces
   * everything up to `seq`. Returns held events that come right after it.
   */
  reset(seq: number): Numbered<Item>[] {
    this.last = seq;
    for (const number of this.held.keys()) if (number <= seq) this.held.delete(number);
    return this.release();
  }

  /** Forgets what is held behind a gap; a replay brings it again. */
  forgetHeld(): void {
    this.held.clear();
  }

  private get next(): number | null {
    return this.last === null ? null : this.last + 1;
  }

  private release(): Numbered<Item>[] {
    const ready: Numbered<Item>[] = [];
    while (this.last !== null) {
      const seq = this.last + 1;
      const item = this.held.get(seq);
      if (item === undefined) break;
      this.held.delete(seq);
      this.last = seq;
      ready.push({ seq, item });
    }
    return ready;
  }
}

/**
 * Where the line starts after a resumed connection was accepted.
 *
 * With replayed events the client's own number stands, and the replay follows it. Without any,
 * the server's number stands when it is ahead, for then its snapshot holds the difference.
 */
export function resumePosition(own: number, ready: { seq: number; replayed: number }): number {
  return ready.replayed > 0 ? own : Math.max(own, ready.seq);
}
