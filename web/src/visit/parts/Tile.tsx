import { useEffect, useRef, useState } from "react";
import { Avatar } from "../base";
import type { LiveParticipant } from "../live/protocol";
import type { VisitView } from "../live/session";
import type { RemoteTrack } from "../live/subscriber";
import type { VisitText } from "../text";
import { named } from "./named";
import { Icon } from "./icons";
import { Video } from "./Media";
import { useShownHeight } from "./useShownHeight";

export interface Tile {
  key: string;
  participant: LiveParticipant;
  video: RemoteTrack | undefined;
  screen: boolean;
}

/** Told how high a track is shown, in device pixels; 0 while it can't be seen. */
export type Shown = (trackId: string, pixels: number) => void;

/** Somebody else's picture, or their screen, with what there is to know about them. */
export function PersonTile({
  tile,
  view,
  text,
  pinned = false,
  onPin,
  onShown,
  floating = false,
}: {
  tile: Tile;
  view: VisitView;
  text: VisitText;
  pinned?: boolean;
  /** Without it there is nobody to be pinned against. */
  onPin?: (() => void) | undefined;
  onShown?: Shown | undefined;
  /** In a window of its own, seen also while the page is in the background. */
  floating?: boolean;
}) {
  const { participant, video, screen } = tile;
  const figure = useRef<HTMLElement>(null);
  const trackId = video?.track_id;
  const tell = onShown && trackId ? (pixels: number) => onShown(trackId, pixels) : undefined;
  useShownHeight(figure, tell, floating, trackId);
  const { visit } = view;
  if (!visit) return null;
  const name = named(participant, text);
  const stated = (source: "camera" | "microphone") =>
    participant.tracks.find((track) => track.source === source);
  const visible = video && (screen || !stated("camera")?.muted);
  const muted = stated("microphone")?.muted ?? false;
  const speaking = visit.speakers[0] === participant.participant_id && !screen;
  const quality = visit.quality[participant.participant_id];
  const lost = participant.state === "reconnecting";
  return (
    <figure
      ref={figure}
      className="v-tile"
      data-pinned={pinned || undefined}
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
        <span className="v-tile-name">{screen ? text("call.screenOf", { name }) : name}</span>
        {participant.role === "interpreter" && !screen && (
          <span className="v-tile-role">{text("invite.interpreter")}</span>
        )}
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
      {onPin && !screen && (
        <button
          type="button"
          className="v-pin"
          aria-pressed={pinned}
          aria-label={text(pinned ? "call.unpin" : "call.pin", { name })}
          title={text(pinned ? "call.unpin" : "call.pin", { name })}
          onClick={onPin}
        >
          <Icon name="pin" size={18} />
        </button>
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
