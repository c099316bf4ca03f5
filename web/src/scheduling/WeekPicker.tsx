import { useEffect, useMemo, useRef, useState, type KeyboardEvent } from "react";
import { api } from "../api/client";
import type { Id, Slot } from "../api/types";
import { useResource } from "../api/useResource";
import { Banner, Button, EmptyState, Loaded, Skeleton } from "../design";
import { addDays, dateIn, formatClock, zoneCity } from "../format/time";
import { useFormat } from "../format/useFormat";
import { useScheduling } from "./text";
import { askFor, clockChange, clocks, columns, DAYS, neighbour, otherDay, type Arrow, type Column } from "./week";
import { ZoneNote } from "./ZoneNote";
import "./week.css";

const arrows = new Set<string>(["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "Home", "End"]);

/**
 * A week of free times; on a phone one day of it at a time. Days and clocks are the reader's, with the practitioner's
 * beside them where they differ. `none` is what stands in for a week without times.
 */
export function WeekPicker({ practitionerId, zone, value, onChange, firstDay, none }: {
  practitionerId: Id; zone: string; value: Slot | null; onChange: (slot: Slot | null) => void; firstDay?: string; none?: React.ReactNode;
}) {
  const t = useScheduling();
  const format = useFormat();
  const today = dateIn(new Date(), format.zone);
  const [from, setFrom] = useState(firstDay && firstDay > today ? firstDay : today);
  const [day, setDay] = useState(value ? dateIn(value.start, format.zone) : from);
  const ask = askFor(from);
  const found = useResource(`week ${practitionerId} ${from}`, () => api.available(practitionerId, ask.date, ask.days));
  const move = (by: number) => {
    const next = addDays(from, by);
    const start = next < today ? today : next;
    setFrom(start);
    setDay(start);
    onChange(null);
  };
  return (
    <div className="stack week">
      <div className="row-apart week-bar">
        <Button variant="quiet" icon="back" label={t("week.earlier")} isDisabled={from <= today} onPress={() => move(-DAYS)} />
        <p className="strong week-span" aria-live="polite">
          {t("week.span", { first: format.date(from, "short"), last: format.date(addDays(from, DAYS - 1), "short") })}
        </p>
        <Button variant="quiet" icon="arrow" label={t("week.later")} onPress={() => move(DAYS)} />
      </div>
      <Loaded of={found} loading={<Skeleton shape="block" />}>
        {({ items }) => <Times week={columns(items, from, format.zone)} day={day} onDay={setDay} zone={zone} value={value} onChange={onChange} none={none} />}
      </Loaded>
      <ZoneNote zone={zone} at={`${from}T12:00:00Z`} />
    </div>
  );
}

function Times({ week, day, onDay, zone, value, onChange, none }: {
  week: Column[]; day: string; onDay: (day: string) => void; zone: string; value: Slot | null; onChange: (slot: Slot) => void; none?: React.ReactNode;
}) {
  const t = useScheduling();
  const format = useFormat();
  const box = useRef<HTMLDivElement>(null);
  const moved = useRef(false);
  const all = week.flatMap((column) => column.slots);
  const shown = week.some((column) => column.day === day && column.slots.length > 0) ? day : (week.find((column) => column.slots.length > 0)?.day ?? day);
  // One of the times takes the Tab key: the chosen one, else the first of the day in view.
  const entry = all.find((slot) => slot.start === value?.start) ?? week.find((column) => column.day === shown)?.slots[0] ?? all[0];
  const changing = useMemo(() => week.map((column) => column.day).filter((each) => clockChange(each, format.zone) !== 0), [week, format.zone]);

  useEffect(() => {
    if (!moved.current || !value) return;
    moved.current = false;
    box.current?.querySelector<HTMLElement>(`[data-start="${value.start}"]`)?.focus();
  }, [value]);

  const onKey = (event: KeyboardEvent, slot: Slot) => {
    if (!arrows.has(event.key)) return;
    const next = neighbour(week, slot.start, event.key as Arrow, format.zone);
    event.preventDefault();
    if (!next) return;
    moved.current = true;
    onDay(dateIn(next.start, format.zone));
    onChange(next);
  };

  if (all.length === 0) {
    return (
      <EmptyState icon="calendar" title={t("week.none")} action={none}>
        {t("week.noneText")}
      </EmptyState>
    );
  }
  return (
    <>
      {changing.map((each) => (
        <Banner key={each} icon="clock" tone="attention">
          {t(clockChange(each, format.zone) > 0 ? "week.forward" : "week.back", { day: format.date(each) })}
        </Banner>
      ))}
      <div className="week-days" role="group" aria-label={t("week.day")}>
        {week.map((column) => (
          <button
            key={column.day}
            type="button"
            className="week-day"
            aria-pressed={column.day === shown}
            disabled={column.slots.length === 0}
            onClick={() => onDay(column.day)}
          >
            <DayName day={column.day} />
            <span className="visually-hidden">: {t("week.free", { count: column.slots.length })}</span>
          </button>
        ))}
      </div>
      <div className="week-grid" role="radiogroup" aria-label={t("week.choose")} ref={box}>
        {week.map((column) => (
          <div key={column.day} className="week-column" data-shown={column.day === shown || undefined} role="presentation">
            <p className="week-column-name" aria-hidden="true">
              <DayName day={column.day} />
            </p>
            {column.slots.length === 0 ? <p className="muted small week-empty">{t("week.full")}</p> : null}
            {column.slots.map((slot, index) => (
              <TimeButton
                key={slot.start}
                slot={slot}
                clock={clocks(column.slots, format.locale, format.zone)[index] ?? ""}
                zone={zone}
                checked={slot.start === value?.start}
                reachable={slot.start === entry?.start}
                onPick={() => onChange(slot)}
                onKey={(event) => onKey(event, slot)}
              />
            ))}
          </div>
        ))}
      </div>
    </>
  );
}

function DayName({ day }: { day: string }) {
  const { locale } = useFormat();
  const part = (options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat(locale, { ...options, timeZone: "UTC" }).format(new Date(`${day}T12:00:00Z`));
  return (
    <>
      <span className="week-weekday">{part({ weekday: "short" })}</span> <span className="week-date numeric">{part({ day: "numeric", month: "short" })}</span>
    </>
  );
}

function TimeButton({ slot, clock, zone, checked, reachable, onPick, onKey }: {
  slot: Slot; clock: string; zone: string; checked: boolean; reachable: boolean; onPick: () => void; onKey: (event: KeyboardEvent) => void;
}) {
  const t = useScheduling();
  const format = useFormat();
  const theirs = format.clockBoth(slot.start, zone) === format.clock(slot.start) ? null : formatClock(slot.start, format.locale, zone);
  const day = otherDay(slot.start, format.zone, zone);
  const beside = theirs ? t("week.beside", { clock: theirs, day: day ? ` ${format.date(day, "short")}` : "", city: zoneCity(zone) }) : null;
  return (
    <button
      type="button"
      role="radio"
      aria-checked={checked}
      tabIndex={reachable ? 0 : -1}
      className="week-time"
      data-start={slot.start}
      aria-label={`${format.date(dateIn(slot.start, format.zone))}, ${clock}${beside ? `, ${beside}` : ""}${slot.location ? `, ${slot.location}` : ""}`}
      onClick={onPick}
      onKeyDown={onKey}
    >
      <span className="numeric">{clock}</span>
      {theirs ? (
        <span className="week-theirs numeric">
          {theirs}
          {day ? ` · ${format.date(day, "short").split(" ")[0] ?? ""}` : ""}
        </span>
      ) : null}
      {slot.location ? <span className="week-theirs">{slot.location}</span> : null}
    </button>
  );
}
