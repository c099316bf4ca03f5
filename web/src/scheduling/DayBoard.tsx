import { useRef, useState, type KeyboardEvent, type PointerEvent } from "react";
import { Link } from "react-aria-components";
import type { Appointment, Id, Slot } from "../api/types";
import { Avatar, useNow } from "../design";
import { formatClock, zoneCity, zoneOffset } from "../format/time";
import { useFormat } from "../format/useFormat";
import { useText } from "../i18n";
import { hoursOf, isMovable, minutesInto, nearestFree, place, stepFree, type Placed, type Span } from "./board";
import { useScheduling } from "./text";
import "./board.css";

export type BoardColumn = { id: Id; name: string; zone: string; visits: Appointment[]; free: Slot[] };

/** A pointer that has gone this far is dragging, not pressing. */
const DRAG_PX = 6;
const PX_PER_MINUTE = 1.2;
const SHORTEST_PX = 30;

type Moving = { visit: Appointment; target: Slot | null; by: "pointer" | "keys" };

/**
 * Practitioners beside each other. A visit is dragged to another free time of its practitioner, or picked up with the
 * space bar, moved by arrows and put down with Enter. `onMove` asks; nothing is changed here.
 */
export function DayBoard({ columns, span, bookable, onPick, onMove }: {
  columns: BoardColumn[]; span: Span; bookable: boolean; onPick: (visit: Appointment) => void; onMove: (visit: Appointment, to: Slot) => void;
}) {
  const t = useScheduling();
  const format = useFormat();
  const now = useNow();
  const [moving, setMoving] = useState<Moving | null>(null);
  const [said, setSaid] = useState("");
  const height = ((span.end - span.start) / 60_000) * PX_PER_MINUTE;
  const nowAt = now.getTime() > span.start && now.getTime() < span.end ? minutesInto(span, now.toISOString()) * PX_PER_MINUTE : null;

  const tell = (next: Moving | null) => {
    setMoving(next);
    if (next) setSaid(next.target ? t("desk.moveTo", { clock: format.clock(next.target.start) }) : t("desk.moveNowhere"));
  };
  const drop = (done: Moving) => {
    setMoving(null);
    if (done.target && done.target.start !== done.visit.start) onMove(done.visit, done.target);
    else setSaid(t("desk.moveStays"));
  };

  return (
    <div className="desk-scroll">
      <p className="visually-hidden" aria-live="assertive">
        {said}
      </p>
      <div className="desk" style={{ ["--columns" as string]: columns.length }}>
        <div className="desk-corner" />
        {columns.map((column) => (
          <header key={column.id} className="desk-head">
            <Avatar name={column.name} size="small" />
            <div className="grow">
              <h2 className="desk-name">{column.name}</h2>
              {zoneOffset(new Date(span.start).toISOString(), column.zone) !== zoneOffset(new Date(span.start).toISOString(), format.zone) ? (
                <p className="small muted">{t("desk.zone", { city: zoneCity(column.zone), clock: formatClock(now.toISOString(), format.locale, column.zone) })}</p>
              ) : (
                <p className="small muted">{t("desk.counts", { visits: column.visits.length, free: column.free.length })}</p>
              )}
            </div>
          </header>
        ))}
        <div className="desk-hours" style={{ blockSize: height }} aria-hidden="true">
          {hoursOf(span).map((hour) => (
            <span key={hour} className="desk-hour numeric" style={{ insetBlockStart: minutesInto(span, hour) * PX_PER_MINUTE }}>
              {format.clock(hour)}
            </span>
          ))}
        </div>
        {columns.map((column) => (
          <Lane key={column.id} column={column} span={span} height={height} nowAt={nowAt} bookable={bookable} moving={moving} onMoving={tell} onDrop={drop} onPick={onPick} />
        ))}
      </div>
    </div>
  );
}

function Lane({ column, span, height, nowAt, bookable, moving, onMoving, onDrop, onPick }: {
  column: BoardColumn; span: Span; height: number; nowAt: number | null; bookable: boolean; moving: Moving | null;
  onMoving: (moving: Moving | null) => void; onDrop: (moving: Moving) => void; onPick: (visit: Appointment) => void;
}) {
  const t = useScheduling();
  const format = useFormat();
  const own = moving?.visit.practitioner_id === column.id ? moving : null;
  return (
    <section className="desk-lane" aria-label={column.name} style={{ blockSize: height }}>
      {column.free.map((slot) => {
        const style = { insetBlockStart: minutesInto(span, slot.start) * PX_PER_MINUTE, blockSize: ((Date.parse(slot.end) - Date.parse(slot.start)) / 60_000) * PX_PER_MINUTE };
        const label = t("desk.bookAt", { clock: format.clock(slot.start), name: column.name });
        return bookable && !own ? (
          <Link key={slot.start} className="desk-free" style={style} href={`/book/${column.id}?start=${encodeURIComponent(slot.start)}`} aria-label={label}>
            <span aria-hidden="true">+ {format.clock(slot.start)}</span>
          </Link>
        ) : (
          <span key={slot.start} className="desk-free" data-target={own?.target?.start === slot.start || undefined} style={style} aria-hidden="true">
            {own ? format.clock(slot.start) : ""}
          </span>
        );
      })}
      {place(column.visits, span).map((placed) => (
        <Visit key={placed.visit.id} placed={placed} span={span} free={column.free} moving={own?.visit.id === placed.visit.id ? own : null} onMoving={onMoving} onDrop={onDrop} onPick={onPick} />
      ))}
      {nowAt !== null ? <span className="desk-now" style={{ insetBlockStart: nowAt }} aria-hidden="true" /> : null}
    </section>
  );
}

function Visit({ placed, span, free, moving, onMoving, onDrop, onPick }: {
  placed: Placed; span: Span; free: Slot[]; moving: Moving | null; onMoving: (moving: Moving | null) => void; onDrop: (moving: Moving) => void; onPick: (visit: Appointment) => void;
}) {
  const t = useScheduling();
  const common = useText();
  const format = useFormat();
  const now = useNow();
  const { visit } = placed;
  const movable = isMovable(visit, now);
  const began = useRef<{ x: number; y: number } | null>(null);
  const dragged = useRef(false);

  const onPointerDown = (event: PointerEvent<HTMLButtonElement>) => {
    dragged.current = false;
    if (!movable || event.button !== 0) return;
    began.current = { x: event.clientX, y: event.clientY };
    event.currentTarget.setPointerCapture(event.pointerId);
  };
  const onPointerMove = (event: PointerEvent<HTMLButtonElement>) => {
    const from = began.current;
    if (!from) return;
    const [right, down] = [event.clientX - from.x, event.clientY - from.y];
    if (!dragged.current && Math.hypot(right, down) < DRAG_PX) return;
    dragged.current = true;
    const away = Math.abs(right) > event.currentTarget.offsetWidth;
    const target = away ? null : nearestFree(free, span, placed.top + down / PX_PER_MINUTE);
    if (!moving || moving.target?.start !== target?.start) onMoving({ visit, target, by: "pointer" });
  };
  const onPointerUp = () => {
    began.current = null;
    if (moving?.by === "pointer") onDrop(moving);
  };
  const onKeyDown = (event: KeyboardEvent<HTMLButtonElement>) => {
    if (!movable) return;
    if (event.key === " ") {
      event.preventDefault();
      if (!moving) onMoving({ visit, target: null, by: "keys" });
      else onDrop(moving);
      return;
    }
    if (!moving) return;
    if (event.key === "Escape") {
      began.current = null;
      onMoving(null);
    } else if (event.key === "Enter") onDrop(moving);
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const next = stepFree(free, (moving.target ?? visit).start, event.key === "ArrowDown" ? 1 : -1);
      if (next) onMoving({ ...moving, target: next });
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };

  const at = moving?.target ? minutesInto(span, moving.target.start) : placed.top;
  const width = 100 / placed.lanes;
  return (
    <button
      type="button"
      className="desk-visit"
      data-status={visit.status}
      data-moving={moving ? true : undefined}
      data-movable={movable || undefined}
      data-overlap={visit.overlap || undefined}
      data-testid={`visit-${visit.id}`}
      aria-label={t("desk.visit", { name: visit.patient_name, clock: format.clock(visit.start), status: common(`status.${visit.status}`) })}
      aria-describedby={movable ? "desk-how" : undefined}
      style={{
        insetBlockStart: at * PX_PER_MINUTE,
        blockSize: Math.max(SHORTEST_PX, placed.height * PX_PER_MINUTE - 2),
        insetInlineStart: `${placed.lane * width}%`,
        inlineSize: `calc(${width}% - 3px)`,
      }}
      onPointerDown={onPointerDown}
      onPointerMove={onPointerMove}
      onPointerUp={onPointerUp}
      onPointerCancel={() => {
        began.current = null;
        onMoving(null);
      }}
      onKeyDown={onKeyDown}
      onKeyUp={(event) => {
        if (event.key === " ") event.preventDefault();
      }}
      onBlur={() => moving?.by === "keys" && onMoving(null)}
      onClick={() => {
        if (!dragged.current && !moving) onPick(visit);
        dragged.current = false;
      }}
    >
      <span className="desk-visit-time numeric">{format.clock(moving?.target?.start ?? visit.start)}</span> <span className="desk-visit-name">{visit.patient_name}</span>
    </button>
  );
}
