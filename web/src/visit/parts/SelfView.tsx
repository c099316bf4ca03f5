import { useEffect, useRef, useState, type PointerEvent } from "react";
import type { VisitView } from "../live/session";
import type { VisitText } from "../text";
import { Icon } from "./icons";
import { Video } from "./Media";

const CORNERS = ["bottom-right", "bottom-left", "top-left", "top-right"] as const;
type Corner = (typeof CORNERS)[number];
/** Less movement than this is a press, not a drag. In CSS pixels. */
const DRAG_FROM = 6;

/** Oneself, small: dragged to any corner, or moved on by a press or a key. */
export function SelfView({ view, text }: { view: VisitView; text: VisitText }) {
  const { camera } = view.local;
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
      <SelfPicture view={view} text={text} />
    </button>
  );
}

/** Oneself among the others, where everybody has a place of the same size. */
export function SelfTile({ view, text }: { view: VisitView; text: VisitText }) {
  const own = view.visit?.you.participant_id ?? "";
  const speaking = view.visit?.speakers[0] === own;
  return (
    <figure
      className="v-tile"
      data-own
      data-speaking={speaking || undefined}
      data-testid="self-tile"
    >
      <SelfPicture view={view} text={text} />
      <figcaption>
        {view.local.muted && <Icon name="microphoneOff" size={16} />}
        <span>{text("visit.you")}</span>
      </figcaption>
    </figure>
  );
}

function SelfPicture({ view, text }: { view: VisitView; text: VisitText }) {
  const { camera, picture, cameraOff, cameraResting, screen } = view.local;
  if (screen) return <Video track={screen} fit="contain" label={text("call.selfLabel")} />;
  const shown = picture ?? camera;
  if (shown && !cameraOff && !cameraResting) return <Video track={shown} mirrored label={text("call.selfLabel")} />;
  return (
    <span className="v-self-empty">
      <Icon name="cameraOff" />
      <span>{text("visit.you")}</span>
    </span>
  );
}
