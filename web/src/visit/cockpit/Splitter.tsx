import { useRef, useState } from "react";

const LEAST = 35;
const MOST = 72;
const STEP = 3;
const STORAGE_KEY = "bedside.cockpit.split";

function remembered(): number {
  const value = Number(window.localStorage.getItem(STORAGE_KEY));
  return value >= LEAST && value <= MOST ? value : 58;
}

/** The line between picture and chart: dragged, or moved by the arrow keys. */
export function Splitter({ label }: { label: string }) {
  const element = useRef<HTMLDivElement>(null);
  const [share, setShare] = useState(remembered);

  function move(next: number) {
    const kept = Math.min(MOST, Math.max(LEAST, Math.round(next)));
    setShare(kept);
    window.localStorage.setItem(STORAGE_KEY, String(kept));
  }

  return (
    <div
      ref={(node) => {
        element.current = node;
        node?.parentElement?.style.setProperty("--v-split", `${share}%`);
      }}
      className="v-splitter"
      role="separator"
      tabIndex={0}
      aria-label={label}
      aria-orientation="vertical"
      aria-valuenow={share}
      aria-valuemin={LEAST}
      aria-valuemax={MOST}
      onKeyDown={(event) => {
        if (event.key === "ArrowLeft") move(share - STEP);
        else if (event.key === "ArrowRight") move(share + STEP);
        else return;
        event.preventDefault();
      }}
      onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
      onPointerMove={(event) => {
        const room = element.current?.parentElement?.getBoundingClientRect();
        if (!room || !event.currentTarget.hasPointerCapture(event.pointerId)) return;
        move(((event.clientX - room.left) / room.width) * 100);
      }}
    />
  );
}
