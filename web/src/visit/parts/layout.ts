/** Where everybody stands on the stage. Pure: who is there goes in, who is large comes out. */

export type StageView = "grid" | "speaker";

/** A picture on the stage: a person, or a screen that a person shares. */
export interface Place {
  key: string;
  participantId: string;
  screen: boolean;
}

export interface Arrangement {
  /** Side by side, as large as there is room. */
  large: Place[];
  /** Small, in a row below; empty while everybody is large. */
  strip: Place[];
}

export interface Wishes {
  view: StageView;
  /** Keys of pinned places. Those that are not there are passed over, and count again when they return. */
  pinned: ReadonlySet<string>;
  /** Who speaks, oneself left out. */
  speaker: string | null;
}

export const screenKey = (participantId: string): string => `${participantId}.screen`;

/**
 * Shared screens and pinned places are always large. The grid shows all others large too, unless
 * something is; the speaker's view shows who speaks beside what is pinned, so that a
 * sign-language interpreter and the person they interpret are both seen well.
 */
export function arrange(
  people: readonly string[],
  screens: readonly string[],
  { view, pinned, speaker }: Wishes,
): Arrangement {
  const shared = screens.map((id): Place => ({ key: screenKey(id), participantId: id, screen: true }));
  const faces = people.map((id): Place => ({ key: id, participantId: id, screen: false }));
  const kept = faces.filter(({ key }) => pinned.has(key));
  if (view === "grid" && shared.length === 0 && kept.length === 0) return { large: faces, strip: [] };
  const large = [...shared, ...kept];
  if (view === "speaker" && shared.length === 0) {
    const free = faces.filter(({ key }) => !pinned.has(key));
    const featured = free.find(({ key }) => key === speaker) ?? (kept.length === 0 ? free[0] : undefined);
    if (featured) large.unshift(featured);
  }
  return { large, strip: faces.filter((face) => !large.includes(face)) };
}

/** A face fills a picture best a little wider than high. */
const FACE_ASPECT = 4 / 3;

/** In how many columns `count` pictures become largest in a room of this size, in any one unit. */
export function columnsFor(count: number, width: number, height: number): number {
  let best = 1;
  let largest = 0;
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const across = Math.min(width / columns, (height / rows) * FACE_ASPECT);
    if (across > largest * 1.001) {
      best = columns;
      largest = across;
    }
  }
  return best;
}

/** Somebody stays large this long at least: a cough must not make the picture jump. */
export const SPEAKER_STAYS_MS = 2_000;

export interface Speaking {
  id: string | null;
  since: number;
}

/** Who is featured now. `loudest` is whom the server named, loudest first. */
export function nextSpeaker(
  before: Speaking,
  loudest: readonly string[],
  present: readonly string[],
  now: number,
): Speaking {
  const here = before.id !== null && present.includes(before.id);
  const first = loudest.find((id) => present.includes(id)) ?? null;
  if (first === before.id || (first === null && here)) return before;
  if (here && now - before.since < SPEAKER_STAYS_MS) return before;
  return first === null && before.id === null ? before : { id: first, since: now };
}
