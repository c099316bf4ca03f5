import { useEffect, useState, type ReactNode } from "react";
import { Link, useLocation } from "wouter";
import { api } from "../api/client";
import type { Appointment } from "../api/types";
import { useResource } from "../api/useResource";
import { useSession } from "../session";
import { Button, Message, Select } from "./base";
import type { WaitingItem } from "./live/protocol";
import { allowSound } from "./live/sound";
import { useNow } from "./parts/hooks";
import { Icon } from "./parts/icons";
import { keyOf, usePractice, type Practice } from "./parts/practice";
import { WaitingPanel } from "./parts/WaitingPanel";
import { useVisitText, type VisitText } from "./text";
import "./visit.css";
import "./practice.css";

/** New bookings and status changes show up without a reload, also when no live event says so. */
const REFRESH_MS = 30_000;

/** The practitioner's day: the timeline of visits and, live, who is waiting. */
export function PracticeDay() {
  const text = useVisitText();
  const { user } = useSession();
  const [, navigate] = useLocation();
  const practice = usePractice();
  const now = useNow();
  const own = user?.role === "practitioner" ? user.id : undefined;
  const day = useResource(user ? `day:${user.id}` : null, () =>
    api.appointments({ date: "today", limit: 100, ...(own && { practitioner_id: own }) }),
  );
  const { reload } = day;
  const waitingKeys = practice.items?.map((item) => `${keyOf(item)}${item.state}`).join() ?? "";
  useEffect(() => {
    const timer = window.setInterval(() => void reload(), REFRESH_MS);
    return () => window.clearInterval(timer);
  }, [reload]);
  useEffect(() => {
    if (waitingKeys) void reload();
  }, [waitingKeys, reload]);

  async function admit(item: WaitingItem) {
    void allowSound();
    await practice.admit(item);
    navigate(`/cockpit/${item.appointment_id}`);
  }

  const visits = [...(day.data?.items ?? [])].sort((a, b) => a.start.localeCompare(b.start));
  const counted = visits.filter(({ status }) => status !== "cancelled" && status !== "entered-in-error");
  return (
    <div className="v-day">
      <header className="v-day-head">
        <div>
          <h1>{text("day.title")}</h1>
          <p className="v-soft">
            {new Intl.DateTimeFormat(text.locale, {
              weekday: "long",
              day: "numeric",
              month: "long",
            }).format(now)}
            {counted.length > 0 &&
              ` · ${text("day.done", {
                done: counted.filter(({ status }) => status === "fulfilled").length,
                all: counted.length,
              })}`}
          </p>
        </div>
        {own && <Late practice={practice} text={text} />}
      </header>
      <div className="v-day-columns">
        <WaitingPanel practice={practice} own={own} text={text} now={now} onAdmit={admit} />
        <section className="v-card v-timeline" aria-labelledby="day-visits">
          <h2 id="day-visits">{text("day.visits")}</h2>
          {day.error && !day.data ? (
            <Message
              title={text("day.error")}
              actions={<Button onPress={() => void reload()}>{text("visit.tryAgain")}</Button>}
            />
          ) : day.data && visits.length === 0 ? (
            <div className="v-empty">
              <strong>{text("day.none")}</strong>
              <p>{text("day.noneBody")}</p>
            </div>
          ) : (
            <Timeline visits={visits} own={own} waiting={practice.items ?? []} now={now} text={text} />
          )}
        </section>
      </div>
    </div>
  );
}

function Timeline({
  visits,
  own,
  waiting,
  now,
  text,
}: {
  visits: Appointment[];
  /** The practitioner whose day it is; the desk has none, and opens no visits. */
  own: string | undefined;
  waiting: WaitingItem[];
  now: number;
  text: VisitText;
}) {
  const nowBefore = visits.findIndex(({ start }) => Date.parse(start) > now);
  return (
    <ol className="v-slots">
      {visits.map((visit, index) => {
        const here = waiting.find((item) => item.appointment_id === visit.id);
        const over = ["fulfilled", "cancelled", "noshow", "entered-in-error"].includes(visit.status);
        return (
          <li key={visit.id}>
            {index === nowBefore && (
              <div className="v-now" aria-hidden="true">
                <span>{text.time(now)}</span>
              </div>
            )}
            <Slot visitId={own && visit.id} over={over} here={here !== undefined}>
              <time dateTime={visit.start}>{text.time(visit.start)}</time>
              <span className="v-slot-who">
                <strong>{visit.patient_name}</strong>
                <span>{visit.reason ?? text("cockpit.noReason")}</span>
              </span>
              <span className="v-tag" data-status={here ? here.state : visit.status}>
                {here && here.state !== "waiting"
                  ? text(`day.state.${here.state}`)
                  : here
                    ? text("day.waited", { time: text.span(now - Date.parse(here.since)) })
                    : text(`day.status.${visit.status}`)}
              </span>
            </Slot>
          </li>
        );
      })}
    </ol>
  );
}

/** A row of the day; with a visit's id a way into it. */
function Slot({
  visitId,
  over,
  here,
  children,
}: {
  visitId: string | undefined;
  over: boolean;
  here: boolean;
  children: ReactNode;
}) {
  const look = {
    className: "v-slot",
    "data-over": over || undefined,
    "data-here": here || undefined,
    "data-testid": "day-visit",
  };
  if (!visitId) return <div {...look}>{children}</div>;
  return (
    <Link {...look} href={`/cockpit/${visitId}`}>
      {children}
      <Icon name="next" size={18} />
    </Link>
  );
}

const LATE_STEPS = [0, 5, 10, 15, 20, 30, 45, 60];

function Late({ practice, text }: { practice: Practice; text: VisitText }) {
  const [chosen, setChosen] = useState<number | null>(null);
  const [told, setTold] = useState<string | null>(null);
  // What the server says stands, also after a reload; a choice of this moment is shown before it has gone round.
  useEffect(() => {
    setChosen(null);
  }, [practice.lateMinutes]);
  const minutes = chosen ?? practice.lateMinutes ?? 0;
  const steps = LATE_STEPS.includes(minutes) ? LATE_STEPS : [...LATE_STEPS, minutes].sort((a, b) => a - b);
  return (
    <div className="v-late">
      <Select
        label={text("day.late")}
        value={String(minutes)}
        options={steps.map((step) => ({
          value: String(step),
          label: step === 0 ? text("day.lateNone") : text("day.lateBy", { minutes: step }),
        }))}
        onChange={(value) => {
          const next = Number(value);
          setChosen(next);
          void practice
            .late(next)
            .then(() => setTold(text(next === 0 ? "day.lateUndone" : "day.lateTold")))
            .catch(() => setChosen(null));
        }}
      />
      <span className="v-soft" role="status">
        {told}
      </span>
    </div>
  );
}
