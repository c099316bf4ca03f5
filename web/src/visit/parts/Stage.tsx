import { useEffect, useRef, useState, type PointerEvent } from "react";
import { Avatar } from "../base";
import type { LiveParticipant } from "../live/protocol";
import type { VisitView } from "../live/session";
import { titled } from "../live/state";
import type { RemoteTrack } from "../live/subscriber";
import type { VisitText } from "../text";
import { Icon } from "./icons";
import { Video, Voice } from "./Media";

interface Tile {
  key: string;
  participant: LiveParticipant;
  video: RemoteTrack | undefined;
  screen: boolean;
}

/** Everybody else, as large as the room allows, a shared screen above all; oneself in a corner. */
export function Stage({ view, text }: { view: VisitView; text: VisitText }) {
  const [resumeSound, setResumeSound] = useState<(() => void) | null>(null);
  const { visit, tracks, local } = view;
  if (!visit) return null;
  const others = visit.participants.filter(
    ({ participant_id }) => participant_id !== visit.you.participant_id,
  );
  const tiles = others.map((participant): Tile => ({
    key: participant.participant_id,
    participant,
    video: tracks[participant.participant_id]?.camera,
    screen: false,
  }));
  const screens = others.flatMap((participant): Tile[] => {
    const video = tracks[participant.participant_id]?.screen;
    return video
      ? [{ key: `${participant.participant_id}.screen`, participant, video, screen: true }]
      : [];
  });
  return (
    <div className="v-stage" data-screen={screens.length > 0 || undefined}>
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
      <div className="v-tiles" data-count={screens.length > 0 ? "strip" : Math.min(others.length, 12)}>
        {[...screens, ...tiles].map((tile) => (
          <PersonTile key={tile.key} tile={tile} view={view} text={text} />
        ))}
      </div>
      <SelfView view={view} text={text} />
    </div>
  );
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

function PersonTile({ tile, view, text }: { tile: Tile; view: VisitView; text: VisitText }) {
  const { participant, video, screen } = tile;
  const { visit } = view;
  if (!visit) return null;
  const { name } = participant;
  const stated = (source: "camera" | "microphone") =>
    participant.tracks.find((track) => track.source === source);
  const visible = video && (screen || !stated("camera")?.muted);
  const muted = stated("microphone")?.muted ?? false;
  const speaking = visit.speakers[0] === participant.participant_id && !screen;
  const quality = visit.quality[participant.participant_id];
  const lost = participant.state === "reconnecting";
  return (
    <figure
      className="v-tile"
      data-speaking={speaking || undefined}
      data-lost={lost || undefined}
      data-screen={screen || undefined}
      data-testid={screen ? "screen-tile" : "person-tile"}
      data-participant={participant.participant_id}
    >
      {visible ? (
        <Video
          track={video.track}
          fit={screen ? "contain" : "cover"}
          label={screen ? text("call.screenOf", { name }) : text("call.picture", { name })}
        />
      ) : (
        <div className="v-tile-empty">
          <Avatar name={name} large />
          {!lost && <Absent participant={participant} text={text} />}
        </div>
      )}
      <figcaption>
        {muted && !screen && (
          <span title={text("call.isMuted", { name })}>
            <Icon name="microphoneOff" size={16} />
            <span className="v-hidden">{text("call.isMuted", { name })}</span>
          </span>
        )}
        <span>{screen ? text("call.screenOf", { name }) : name}</span>
        {quality && quality.quality !== "good" && !screen && (
          <span className="v-quality" data-quality={quality.quality}>
            {text(`call.quality.${quality.quality}`)}
            {quality.reason && <span className="v-reason">: {text(`call.reason.${quality.reason}`)}</span>}
          </span>
        )}
      </figcaption>
      {participant.hand && !screen && (
        <span className="v-hand" role="img" aria-label={text("call.handRaised", { name })}>
          <Icon name="hand" size={20} />
        </span>
      )}
      {lost && !screen && <p className="v-tile-lost">{text("call.lost")}</p>}
    </figure>
  );
}

/** Tracks of somebody who has just come need a moment; before it nothing is said to be missing. */
const PUBLISHED_AFTER_MS = 3_000;

/** Why there is no picture of somebody: switched off, or nothing there to send it. */
function Absent({ participant, text }: { participant: LiveParticipant; text: VisitText }) {
  const [settled, setSettled] = useState(false);
  useEffect(() => {
    const timer = window.setTimeout(() => setSettled(true), PUBLISHED_AFTER_MS);
    return () => window.clearTimeout(timer);
  }, []);
  const stated = (source: "camera" | "microphone") =>
    participant.tracks.find((track) => track.source === source);
  if (stated("camera")) {
    return stated("camera")?.muted ? <p>{text("call.noPicture")}</p> : null;
  }
  if (!settled) return null;
  return <p>{text(stated("microphone") ? "call.noCamera" : "call.noDevices")}</p>;
}

const CORNERS = ["bottom-right", "bottom-left", "top-left", "top-right"] as const;
type Corner = (typeof CORNERS)[number];
/** Less movement than this is a press, not a drag. In CSS pixels. */
const DRAG_FROM = 6;

/** Oneself, small: dragged to any corner, or moved on by a press or a key. */
function SelfView({ view, text }: { view: VisitView; text: VisitText }) {
  const { camera, cameraOff, screen } = view.local;
  const element = useRef<HTMLButtonElement>(null);
  const drag = useRef<{ x: number; y: number; moved: boolean } | null>(null);
  const [corner, setCorner] = useState<Corner>("bottom-right");
  const [portrait, setPortrait] = useState(false);

  useEffect(() => {
    const { width = 16, height = 9 } = camera?.getSettings() ?? {};
    setPortrait(height > width);
  }, [camera]);

  function move(event: PointerEvent) {
    const begun = drag.current;
    if (!begun || !element.current) return;
    const dx = event.clientX - begun.x;
    const dy = event.clientY - begun.y;
    if (Math.hypot(dx, dy) > DRAG_FROM) begun.moved = true;
    if (begun.moved) element.current.style.transform = `translate(${dx}px, ${dy}px)`;
  }

  function drop() {
    const begun = drag.current;
    const self = element.current;
    const stage = self?.parentElement;
    if (!begun?.moved || !self || !stage) return;
    const at = self.getBoundingClientRect();
    const room = stage.getBoundingClientRect();
    const right = at.left + at.width / 2 > room.left + room.width / 2;
    const bottom = at.top + at.height / 2 > room.top + room.height / 2;
    self.style.transform = "";
    setCorner(`${bottom ? "bottom" : "top"}-${right ? "right" : "left"}`);
  }

  return (
    <button
      ref={element}
      type="button"
      className="v-self"
      data-corner={corner}
      data-portrait={portrait || undefined}
      data-testid="self-view"
      aria-label={text("call.self")}
      onPointerDown={(event) => {
        drag.current = { x: event.clientX, y: event.clientY, moved: false };
        event.currentTarget.setPointerCapture(event.pointerId);
      }}
      onPointerMove={move}
      onPointerUp={drop}
      onPointerCancel={drop}
      onClick={() => {
        const dragged = drag.current?.moved ?? false;
        drag.current = null;
        if (dragged) return;
        setCorner((now) => CORNERS[(CORNERS.indexOf(now) + 1) % CORNERS.length] ?? now);
      }}
    >
      {screen ? (
        <Video track={screen} fit="contain" label={text("call.selfLabel")} />
      ) : camera && !cameraOff ? (
        <Video track={camera} mirrored label={text("call.selfLabel")} />
      ) : (
        <span className="v-self-empty">
          <Icon name="cameraOff" />
          <span>{text("visit.you")}</span>
        </span>
      )}
    </button>
  );
}
