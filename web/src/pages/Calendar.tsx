import { useState } from "react";
import { api } from "../api/client";
import { ApiError } from "../api/http";
import type { Appointment, Provider, Slot } from "../api/types";
import { useResource } from "../api/useResource";
import {
  Avatar, Button, ButtonLink, Card, Confirm, Dialog, EmptyState, Loaded, Menu, PageHeader, TextField, useErrorText, useMedia, useNow, useToast, type MenuAction,
} from "../design";
import { addDays, dateIn } from "../format/time";
import { useFormat } from "../format/useFormat";
import { useText } from "../i18n";
import { AppointmentBadge } from "../parts/status";
import { Move } from "../parts/VisitCard";
import { isComing } from "../parts/visits";
import { zoned } from "../parts/zoned";
import { AddVisit } from "../scheduling/AddVisit";
import { boardSpan, isMovable, type Span } from "../scheduling/board";
import { DayBoard, type BoardColumn } from "../scheduling/DayBoard";
import { DropInQueue } from "../scheduling/DropInQueue";
import { useScheduling } from "../scheduling/text";
import { useSession } from "../session";

/** How many practitioners stand on the board until more are asked for. */
const COLUMNS = 12;
const WIDE = "(min-width: 56rem)";

/** A day of visits: everybody's for the desk, their own for a practitioner. */
export default function Calendar() {
  const t = useText();
  const ts = useScheduling();
  const format = useFormat();
  const { user } = useSession();
  const own = user?.role === "practitioner" ? user : undefined;
  const today = dateIn(new Date(), format.zone);
  const [day, setDay] = useState(today);
  const [wanted, setWanted] = useState("");
  const [most, setMost] = useState(COLUMNS);
  const [adding, setAdding] = useState(false);
  const wide = useMedia(WIDE);
  const from = zoned(day, "00:00", format.zone);
  const to = zoned(addDays(day, 1), "00:00", format.zone);
  const visits = useResource(`calendar ${day} ${own?.id ?? ""}`, () => visitsOf(own?.id, from, to));
  const people = useResource("calendar practitioners", async () => (own ? [] : (await api.providers({ limit: 100 })).items));
  const group = byPractitioner(visits.data ?? []);
  const shown = own ? [own.id] : chosen(people.data ?? [], group, wanted).slice(0, most);
  const free = useResource(wide && visits.data && people.data ? `free ${day} ${shown.join()}` : null, () => freeTimes(shown, day, from, to));
  const changed = () => void Promise.all([visits.reload(), free.reload()]);
  const columns = shown.map((id): BoardColumn => {
    const profile = people.data?.find((each) => each.id === id);
    const theirs = group.find(([other]) => other === id);
    return {
      id,
      name: profile?.name ?? theirs?.[1] ?? own?.name ?? "",
      zone: profile?.time_zone ?? theirs?.[2][0]?.practitioner_time_zone ?? format.zone,
      visits: (theirs?.[2] ?? []).filter((visit) => visit.status !== "cancelled" && visit.status !== "entered-in-error"),
      free: free.data?.get(id) ?? [],
    };
  });
  const all = columns.flatMap((column) => [...column.visits, ...column.free]);
  return (
    <div>
      <PageHeader
        title={t("calendar.title")}
        actions={
          <>
            <Button variant="quiet" icon="back" label={t("calendar.previous")} onPress={() => setDay(addDays(day, -1))} />
            <Button onPress={() => setDay(today)} isDisabled={day === today}>
              {t("calendar.today")}
            </Button>
            <Button variant="quiet" icon="arrow" label={t("calendar.next")} onPress={() => setDay(addDays(day, 1))} />
            <TextField label={t("calendar.day")} hideLabel type="date" value={day} onChange={(next) => next && setDay(next)} />
            {own ? null : (
              <Button variant="primary" icon="plus" onPress={() => setAdding(true)}>
                {ts("desk.add")}
              </Button>
            )}
          </>
        }
      >
        {format.date(day)}. {t(own ? "calendar.leadOwn" : "calendar.lead")}
      </PageHeader>
      <div className="stack">
        {day === today ? <DropInQueue practitioner={own !== undefined} /> : null}
        {own ? null : (
          <div className="desk-filter">
            <TextField label={ts("desk.filter")} type="search" value={wanted} onChange={setWanted} />
          </div>
        )}
        <Loaded of={visits}>
          {(items) =>
            wide ? (
              columns.length === 0 ? (
                <Card>
                  <EmptyState icon="people" title={ts("desk.nobody")} />
                </Card>
              ) : (
                <>
                  <p id="desk-how" className="muted small">
                    {ts("desk.how")}
                  </p>
                  <Board columns={columns} span={boardSpan(from, to, all)} own={own !== undefined} onChanged={changed} />
                  {!own && shown.length === most ? <Button onPress={() => setMost(most + COLUMNS)}>{t("common.more")}</Button> : null}
                </>
              )
            ) : items.length === 0 ? (
              <Card>
                <EmptyState icon="calendar" title={t("calendar.none")}>
                  {t("calendar.noneText")}
                </EmptyState>
              </Card>
            ) : (
              <div className="board">
                {byPractitioner(items)
                  .filter(([, name]) => name.toLocaleLowerCase().includes(wanted.trim().toLocaleLowerCase()))
                  .map(([id, name, theirs]) => (
                    <Card as="section" flush key={id} labelledBy={`of-${id}`}>
                      <header className="board-head">
                        <Avatar name={name} size="small" />
                        <h2 id={`of-${id}`} className="grow board-name">
                          {name}
                        </h2>
                        <span className="muted small">{t("calendar.visits", { count: theirs.length })}</span>
                      </header>
                      <ul className="list">
                        {theirs.map((visit) => (
                          <Line key={visit.id} visit={visit} own={own !== undefined} onChanged={changed} />
                        ))}
                      </ul>
                    </Card>
                  ))}
              </div>
            )
          }
        </Loaded>
      </div>
      {adding ? <AddVisit day={day} practitioners={people.data ?? []} onClose={() => setAdding(false)} onAdded={changed} /> : null}
    </div>
  );
}

async function visitsOf(practitioner: string | undefined, from: string, to: string): Promise<Appointment[]> {
  const items: Appointment[] = [];
  let cursor: string | undefined;
  do {
    const page = await api.appointments({ practitioner_id: practitioner, from, to, limit: 100, cursor });
    items.push(...page.items);
    cursor = page.next_cursor ?? undefined;
  } while (cursor);
  return items;
}

/** Free times of each within the day of the reader, whatever the practitioner's date is then. */
async function freeTimes(practitioners: string[], day: string, from: string, to: string): Promise<Map<string, Slot[]>> {
  const found = await Promise.all(
    practitioners.map(async (id): Promise<[string, Slot[]]> => {
      try {
        const { items } = await api.available(id, addDays(day, -1), 3);
        return [id, items.filter((slot) => slot.start >= from && slot.start < to)];
      } catch (error) {
        // Somebody who is not offered to the public has visits, and no free times.
        if (error instanceof ApiError && error.status === 404) return [id, []];
        throw error;
      }
    }),
  );
  return new Map(found);
}

/** Who stands on the board: those with visits first, then everybody else who fits the search. */
function chosen(people: Provider[], groups: [string, string, Appointment[]][], wanted: string): string[] {
  const words = wanted.trim().toLocaleLowerCase();
  const fits = (name: string, specialties: string[]) => [name, ...specialties].join(" ").toLocaleLowerCase().includes(words);
  const busy = groups.filter(([id, name]) => fits(name, people.find((each) => each.id === id)?.specialties ?? [])).map(([id]) => id);
  const others = people.filter((each) => fits(each.name, each.specialties) && !busy.includes(each.id)).map((each) => each.id);
  return [...busy, ...others];
}

/** The board with what its visits ask for: details, and a confirmation before somebody is moved. */
function Board({ columns, span, own, onChanged }: { columns: BoardColumn[]; span: Span; own: boolean; onChanged: () => void }) {
  const t = useText();
  const ts = useScheduling();
  const format = useFormat();
  const say = useToast();
  const [picked, setPicked] = useState<Appointment | null>(null);
  const [moving, setMoving] = useState<{ visit: Appointment; to: Slot } | null>(null);
  return (
    <>
      <DayBoard columns={columns} span={span} bookable={!own} onPick={setPicked} onMove={(visit, to) => setMoving({ visit, to })} />
      {picked ? (
        <Dialog title={picked.patient_name} isOpen onClose={() => setPicked(null)}>
          <ul className="list">
            <Line
              visit={picked}
              own={own}
              onChanged={() => {
                setPicked(null);
                onChanged();
              }}
            />
          </ul>
        </Dialog>
      ) : null}
      <Confirm
        title={ts("desk.moveAsk", { name: moving?.visit.patient_name ?? "" })}
        isOpen={moving !== null}
        onClose={() => setMoving(null)}
        action={ts("desk.move")}
        act={async () => {
          if (!moving) return;
          await api.setStatus(moving.visit.id, { status: "rescheduled", start: moving.to.start });
          say(t("visits.rescheduled", { when: format.dayAndClock(moving.to.start) }));
          onChanged();
        }}
      >
        {moving ? ts("desk.moveText", { from: format.clock(moving.visit.start), to: format.clockBoth(moving.to.start, moving.visit.practitioner_time_zone) }) : null}
      </Confirm>
    </>
  );
}

function byPractitioner(items: Appointment[]): [string, string, Appointment[]][] {
  const groups = new Map<string, [string, string, Appointment[]]>();
  for (const visit of [...items].sort((a, b) => a.start.localeCompare(b.start))) {
    const group = groups.get(visit.practitioner_id) ?? [visit.practitioner_id, visit.practitioner_name, []];
    group[2].push(visit);
    groups.set(visit.practitioner_id, group);
  }
  return [...groups.values()].sort((a, b) => a[1].localeCompare(b[1]));
}

function Line({ visit, own, onChanged }: { visit: Appointment; own: boolean; onChanged: () => void }) {
  const t = useText();
  const format = useFormat();
  const explain = useErrorText();
  const say = useToast();
  const now = useNow();
  const [asking, setAsking] = useState<"cancel" | "no_show" | "move" | null>(null);
  const set = async (status: "arrived" | "no_show" | "cancelled") => {
    await api.setStatus(visit.id, { status });
    say(t("calendar.changed"));
    onChanged();
  };
  const open = visit.status === "booked" || visit.status === "arrived" || visit.status === "checked-in";
  const started = Date.parse(visit.start) <= now.getTime();
  const actions: MenuAction[] = [];
  if (own) actions.push({ id: "record", label: t("calendar.record"), icon: "heart", href: `/patients/${visit.patient_id}` });
  if (visit.status === "booked") {
    actions.push({ id: "arrived", label: t("calendar.arrived"), icon: "check", onAction: () => void set("arrived").catch((error: unknown) => say(explain(error))) });
  }
  if (isMovable(visit, now)) actions.push({ id: "move", label: t("visits.reschedule"), icon: "calendar", onAction: () => setAsking("move") });
  if (open && started) actions.push({ id: "no-show", label: t("calendar.noShow"), icon: "minus", onAction: () => setAsking("no_show") });
  if (open) actions.push({ id: "cancel", label: t("calendar.cancel"), icon: "close", danger: true, onAction: () => setAsking("cancel") });
  const when = `${format.day(visit.start, "short")}, ${format.clockBoth(visit.start, visit.practitioner_time_zone)}`;
  return (
    <li className="list-item">
      <span className="board-time numeric strong">{format.clock(visit.start)}</span>
      <span className="grow">
        <span className="strong">{visit.patient_name}</span>
        {visit.reason ? <span className="muted small board-reason">{visit.reason}</span> : null}
      </span>
      <AppointmentBadge status={visit.status} />
      {own && isComing(visit, now) ? <ButtonLink href={`/cockpit/${visit.id}`} variant="quiet" icon="video" label={t("patient.openVisit")} /> : null}
      {actions.length > 0 ? <Menu label={`${t("common.actions")}: ${visit.patient_name}`} look={{ icon: "list" }} trigger={<>···</>} actions={actions} /> : null}
      <Confirm
        title={t(asking === "no_show" ? "calendar.noShowAsk" : "visits.cancelAsk", { name: visit.patient_name })}
        isOpen={asking === "cancel" || asking === "no_show"}
        onClose={() => setAsking(null)}
        danger
        action={t(asking === "no_show" ? "calendar.noShow" : "calendar.cancel")}
        act={() => set(asking === "no_show" ? "no_show" : "cancelled")}
      >
        {asking === "no_show" ? t("calendar.noShowText") : t("visits.cancelText", { name: visit.patient_name, when })}
      </Confirm>
      <Dialog title={t("visits.reschedule")} isOpen={asking === "move"} onClose={() => setAsking(null)} wide>
        <Move
          visit={visit}
          onMoved={(start) => {
            setAsking(null);
            say(t("visits.rescheduled", { when: format.dayAndClock(start) }));
            onChanged();
          }}
        />
      </Dialog>
    </li>
  );
}
