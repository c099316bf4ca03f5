import { useState } from "react";
import { api } from "../api/client";
import type { Appointment } from "../api/types";
import { useResource } from "../api/useResource";
import { Avatar, Button, ButtonLink, Card, Confirm, EmptyState, Loaded, Menu, PageHeader, TextField, useErrorText, useNow, useToast, type MenuAction } from "../design";
import { addDays, dateIn } from "../format/time";
import { useFormat } from "../format/useFormat";
import { useText } from "../i18n";
import { AppointmentBadge } from "../parts/status";
import { isComing } from "../parts/visits";
import { zoned } from "../parts/zoned";
import { useSession } from "../session";

/** A day of visits: everybody's for the desk, their own for a practitioner. */
export default function Calendar() {
  const t = useText();
  const format = useFormat();
  const { user } = useSession();
  const own = user?.role === "practitioner" ? user.id : undefined;
  const today = dateIn(new Date(), format.zone);
  const [day, setDay] = useState(today);
  const visits = useResource(`calendar ${day} ${own ?? ""}`, async () => {
    const from = zoned(day, "00:00", format.zone);
    const to = zoned(addDays(day, 1), "00:00", format.zone);
    const items: Appointment[] = [];
    let cursor: string | undefined;
    do {
      const page = await api.appointments({ practitioner_id: own, from, to, limit: 100, cursor });
      items.push(...page.items);
      cursor = page.next_cursor ?? undefined;
    } while (cursor);
    return items;
  });
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
          </>
        }
      >
        {format.date(day)}. {t(own ? "calendar.leadOwn" : "calendar.lead")}
      </PageHeader>
      <Loaded of={visits}>
        {(items) =>
          items.length === 0 ? (
            <Card>
              <EmptyState icon="calendar" title={t("calendar.none")}>
                {t("calendar.noneText")}
              </EmptyState>
            </Card>
          ) : (
            <div className="board">
              {byPractitioner(items).map(([id, name, theirs]) => (
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
                      <Line key={visit.id} visit={visit} own={own !== undefined} onChanged={() => void visits.reload()} />
                    ))}
                  </ul>
                </Card>
              ))}
            </div>
          )
        }
      </Loaded>
    </div>
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
  const [asking, setAsking] = useState<"cancel" | "no_show" | null>(null);
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
        isOpen={asking !== null}
        onClose={() => setAsking(null)}
        danger
        action={t(asking === "no_show" ? "calendar.noShow" : "calendar.cancel")}
        act={() => set(asking === "no_show" ? "no_show" : "cancelled")}
      >
        {asking === "no_show" ? t("calendar.noShowText") : t("visits.cancelText", { name: visit.patient_name, when })}
      </Confirm>
    </li>
  );
}
