import { createPortal } from "react-dom";
import type { VisitSession, VisitView } from "../live/session";
import type { VisitText } from "../text";
import { Control } from "./Control";
import { SelfTile } from "./SelfView";
import { othersIn, useSpeaker } from "./Stage";
import { PersonTile, type Shown } from "./Tile";

/** What the small window above all others shows: who speaks, or what they share, and two controls. */
export function Floating({
  room,
  session,
  view,
  text,
  onShown,
}: {
  room: HTMLElement;
  session: VisitSession;
  view: VisitView;
  text: VisitText;
  onShown?: Shown | undefined;
}) {
  const speaker = useSpeaker(view);
  const others = othersIn(view);
  const { tracks, local, visit } = view;
  const sharing = others.find(({ participant_id }) => tracks[participant_id]?.screen);
  const person =
    sharing ??
    others.find(({ participant_id }) => participant_id === visit?.pinned) ??
    others.find(({ participant_id }) => participant_id === speaker) ??
    others[0];
  return createPortal(
    <div className="v-call v-floating-call" data-testid="floating-call">
      {person ? (
        <PersonTile
          tile={{
            key: person.participant_id,
            participant: person,
            video: tracks[person.participant_id]?.[sharing ? "screen" : "camera"],
            screen: sharing !== undefined,
          }}
          view={view}
          text={text}
          floating
          onShown={onShown}
        />
      ) : (
        <SelfTile view={view} text={text} />
      )}
      <div className="v-controls">
        <Control
          icon={local.muted ? "microphoneOff" : "microphone"}
          label={text(local.muted ? "call.unmute" : "call.mute")}
          off={local.muted}
          disabled={!local.microphone}
          onPress={() => session.setMuted(!local.muted)}
        />
        <Control
          icon={local.cameraOff ? "cameraOff" : "camera"}
          label={text(local.cameraOff ? "call.cameraOn" : "call.cameraOff")}
          off={local.cameraOff}
          disabled={!local.camera}
          onPress={() => session.setCameraOff(!local.cameraOff)}
        />
      </div>
    </div>,
    room,
  );
}
