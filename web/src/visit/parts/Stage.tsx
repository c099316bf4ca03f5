import { useEffect, useRef, useState, type CSSProperties, type ReactNode } from "react";
import { Avatar } from "../base";
import type { VisitSession, VisitView } from "../live/session";
import { titled } from "../live/state";
import type { VisitText } from "../text";
import { arrange, columnsFor, nextSpeaker, SPEAKER_STAYS_MS, type Place, type Speaking, type StageView } from "./layout";
import { Voice } from "./Media";
import { SelfTile, SelfView } from "./SelfView";
import { PersonTile, type Shown, type Tile } from "./Tile";

/** Everybody else, as large as the room allows, what is shared or pinned above all; and oneself. */
export function Stage({
  view,
  text,
  mode,
  session,
  onShown,
}: {
  view: VisitView;
  text: VisitText;
  mode: StageView;
  session: VisitSession;
  onShown?: Shown | undefined;
}) {
  const [resumeSound, setResumeSound] = useState<(() => void) | null>(null);
  const [pinned, setPinned] = useState<ReadonlySet<string>>(() => new Set());
  const speaker = useSpeaker(view);
  const { visit, tracks, local } = view;
  if (!visit) return null;
  const others = othersIn(view);
  const sharing = others.filter(({ participant_id }) => tracks[participant_id]?.screen);
  const forAll = visit.pinned;
  const ids = others.map(({ participant_id }) => participant_id);
  const { large, strip } = arrange(
    ids,
    sharing.map(({ participant_id }) => participant_id),
    { view: mode, pinned: forAll ? new Set([...pinned, forAll]) : pinned, speaker },
  );
  const tileOf = (place: Place): Tile | null => {
    const participant = others.find(({ participant_id }) => participant_id === place.participantId);
    if (!participant) return null;
    const video = tracks[place.participantId]?.[place.screen ? "screen" : "camera"];
    return { key: place.key, participant, video, screen: place.screen };
  };
  const decides = visit.you.role === "practitioner";
  const pin = (key: string, role: string) => {
    // Everybody needs to see who signs: the practitioner's pin of an interpreter is for all.
    if (decides && (role === "interpreter" || key === forAll)) {
      void session.pinForAll(key === forAll ? null : key).catch(() => undefined);
      return;
    }
    const next = new Set(pinned);
    if (!next.delete(key)) next.add(key);
    setPinned(next);
  };
  const tiles = (places: Place[]) =>
    places.map((place) => {
      const tile = tileOf(place);
      return (
        tile && (
          <PersonTile
            key={tile.key}
            tile={tile}
            view={view}
            text={text}
            pinned={pinned.has(tile.key) || tile.key === forAll}
            onPin={
              (ids.length > 1 || sharing.length > 0) && (decides || tile.key !== forAll)
                ? () => pin(tile.key, tile.participant.role)
                : undefined
            }
            onShown={onShown}
          />
        )
      );
    });
  // Among three or more everybody has a place of their own; a floating picture would cover one.
  const together = others.length > 1 && strip.length === 0;
  return (
    <div className="v-stage" data-testid="stage" data-view={mode}>
      {others.map(({ participant_id }) => {
        const voice = tracks[participant_id]?.microphone;
        return voice ? (
          <Voice
            key={voice.track_id}
            track={voice.track}
            speaker={local.speaker}
            onBlocked={(resume) => setResumeSound(() => resume)}
          />
        ) : null;
      })}
      {resumeSound && (
        <div className="v-banner" data-tone="attention">
          <span>{text("call.banner.sound")}</span>
          <button
            type="button"
            onClick={() => {
              resumeSound();
              setResumeSound(null);
            }}
          >
            {text("call.banner.soundOn")}
          </button>
        </div>
      )}
      {others.length === 0 && <Alone view={view} text={text} />}
      <Large count={large.length + (together ? 1 : 0)}>
        {tiles(large)}
        {together && <SelfTile view={view} text={text} />}
      </Large>
      {strip.length > 0 && (
        <div className="v-strip" role="group" aria-label={text("call.others")} tabIndex={0}>
          {tiles(strip)}
          <SelfTile view={view} text={text} />
        </div>
      )}
      {!together && strip.length === 0 && <SelfView view={view} text={text} />}
    </div>
  );
}

export function othersIn({ visit }: VisitView) {
  return (visit?.participants ?? []).filter(
    ({ participant_id }) => participant_id !== visit?.you.participant_id,
  );
}

/** The grid that makes its pictures largest in the room there is. */
function Large({ count, children }: { count: number; children: ReactNode }) {
  const element = useRef<HTMLDivElement>(null);
  const [room, setRoom] = useState({ width: 0, height: 0 });
  useEffect(() => {
    const watched = element.current;
    if (!watched) return undefined;
    const observer = new ResizeObserver(() =>
      setRoom({ width: watched.clientWidth, height: watched.clientHeight }),
    );
    observer.observe(watched);
    return () => observer.disconnect();
  }, []);
  const columns = columnsFor(Math.max(1, count), room.width, room.height);
  return (
    <div
      ref={element}
      className="v-tiles"
      data-count={count}
      style={{ "--across": columns, "--down": Math.ceil(Math.max(1, count) / columns) } as CSSProperties}
    >
      {children}
    </div>
  );
}

/** Who is featured: follows the talk, without jumping at every word. */
export function useSpeaker(view: VisitView): string | null {
  const speaking = useRef<Speaking>({ id: null, since: 0 });
  const [, again] = useState(0);
  const present = othersIn(view).map(({ participant_id }) => participant_id);
  speaking.current = nextSpeaker(speaking.current, view.visit?.speakers ?? [], present, Date.now());
  const { id, since } = speaking.current;
  const loudest = view.visit?.speakers.find((one) => present.includes(one));
  useEffect(() => {
    if (loudest === undefined || loudest === id) return undefined;
    const wait = Math.max(0, SPEAKER_STAYS_MS - (Date.now() - since));
    const timer = window.setTimeout(() => again((count) => count + 1), wait);
    return () => window.clearTimeout(timer);
  }, [loudest, id, since]);
  return id;
}

function Alone({ view, text }: { view: VisitView; text: VisitText }) {
  const { visit } = view;
  if (!visit || visit.you.role === "practitioner") return null;
  const name = titled(visit.practitioner);
  return (
    <div className="v-alone">
      <Avatar name={name} large />
      <p>
        <strong>{text("call.alone", { name })}</strong>
        <span>{text("call.aloneBody")}</span>
      </p>
    </div>
  );
}
