import { useEffect, useRef, useState } from "react";
import { Link, useLocation } from "wouter";
import { api } from "../api/client";
import { useResource } from "../api/useResource";
import { Badge, Tabs } from "../design";
import { Button, Message } from "./base";
import { CompleteDialog } from "./cockpit/CompleteDialog";
import { InviteDialog } from "./cockpit/InviteDialog";
import { Lobby } from "./cockpit/Lobby";
import { Notes } from "./cockpit/Notes";
import { Prescribe } from "./cockpit/Prescribe";
import { RecordPanel } from "./cockpit/RecordPanel";
import { Splitter } from "./cockpit/Splitter";
import { useNotes } from "./cockpit/useNotes";
import { WhereNow } from "./cockpit/WhereNow";
import { visitFiles } from "./files";
import { openDevices } from "./live/devices";
import type { WaitingItem } from "./live/protocol";
import { allowSound } from "./live/sound";
import { Announcer } from "./parts/Announcer";
import { Call } from "./parts/Call";
import { Chat } from "./parts/Chat";
import { named } from "./parts/named";
import { useNow, useShortcuts, useVisitSession } from "./parts/hooks";
import { Icon } from "./parts/icons";
import { keyOf, toAdmit, usePractice } from "./parts/practice";
import { useVisitText } from "./text";
import "./visit.css";
import "./call.css";
import "./practice.css";

/** The practitioner's place during a visit: picture, notes, record, prescribing, chat, who is next. */
export function Cockpit({ appointmentId }: { appointmentId: string }) {
  return <CockpitOf key={appointmentId} id={appointmentId} />;
}

const PANELS = ["record", "prescribe", "chat"] as const;
type Panel = (typeof PANELS)[number];

function CockpitOf({ id }: { id: string }) {
  const text = useVisitText();
  const [, navigate] = useLocation();
  const [attempt, setAttempt] = useState(0);
  const [panel, setPanel] = useState<Panel>("record");
  const [dialog, setDialog] = useState<"complete" | "invite" | null>(null);
  const [completed, setCompleted] = useState(false);
  const { session, view } = useVisitSession(id, () => api.videoToken(id), attempt);
  const appointment = useResource(`appointment:${id}`, () => api.appointment(id));
  const practice = usePractice();
  const notes = useNotes(id);
  /** This practitioner stepped out by a press on this page: then going in takes a press, too. */
  const [steppedOut, setSteppedOut] = useState(false);
  const joining = useRef(false);

  const visit = view?.visit ?? null;
  const { data } = appointment;
  const done = completed || data?.status === "fulfilled";
  const here = (practice.items ?? []).filter((item) => item.appointment_id === id);
  const waiting = toAdmit(here)[0];
  const next = toAdmit(practice.items).find((item) => item.appointment_id !== id);
  const inCall = visit?.you.state === "in-call" && (view?.live || view?.joining);
  const present =
    here.some(({ state }) => state === "admitted" || state === "in-call") ||
    (visit?.participants ?? []).some(({ participant_id }) => participant_id !== visit?.you.participant_id);
  const ended = visit?.call.state === "ended" || visit?.you.state === "left";
  // Somebody was let in from the day's list, or this page was reloaded: go in without another press.
  const expected =
    !done && !steppedOut && (present || visit?.you.state === "in-call");
  const [files] = useState(() => visitFiles(id));

  async function join() {
    if (!session || joining.current) return;
    joining.current = true;
    try {
      const { camera, microphone } = session.getView().local;
      if (!camera && !microphone) session.useDevices(await openDevices());
      await session.join();
      setSteppedOut(false);
    } finally {
      joining.current = false;
    }
  }

  const canJoin = visit !== null && view?.connection === "ready" && !view.seatTaken;
  useEffect(() => {
    if (expected && canJoin && !inCall) void join().catch(() => undefined);
    // `join` reads what it needs when it runs.
  }, [expected, canJoin, inCall]);

  useShortcuts(dialog === null, {
    Digit1: () => document.querySelector<HTMLElement>(".v-notes-text")?.focus(),
    Digit2: () => setPanel("record"),
    Digit3: () => setPanel("prescribe"),
    Digit4: () => setPanel("chat"),
    KeyC: () => setPanel("chat"),
  });

  async function start(item: WaitingItem) {
    void allowSound();
    await practice.admit(item);
    await join();
  }

  async function goOn(item: WaitingItem) {
    await practice.admit(item);
    navigate(`/cockpit/${item.appointment_id}`);
  }

  if (appointment.error && !data) {
    return (
      <Message
        title={text("visit.notFound.title")}
        actions={<Button onPress={() => navigate("/practice")}>{text("complete.toDay")}</Button>}
      >
        <p>{text("visit.notFound.body")}</p>
      </Message>
    );
  }
  const name = data?.patient_name ?? "";
  const others = here.filter((item) => item !== waiting || inCall);
  return (
    <main className="v-cockpit" data-testid="cockpit">
      <header className="v-cockpit-head">
        <Link className="v-back" href="/practice">
          <Icon name="next" size={18} /> {text("cockpit.back")}
        </Link>
        <div className="v-cockpit-who">
          <h1>{name || text("visit.loading")}</h1>
          {data && (
            <p>
              {text.time(data.start)} · {data.reason ?? text("cockpit.noReason")}
            </p>
          )}
        </div>
        <div className="v-actions">
          <Button variant="quiet" isDisabled={done} onPress={() => setDialog("invite")}>
            {text("cockpit.people")}
          </Button>
          {done ? (
            <Button variant="secondary" onPress={() => setDialog("complete")}>
              {text("cockpit.completed")}
            </Button>
          ) : (
            <Button onPress={() => setDialog("complete")}>{text("cockpit.complete")}</Button>
          )}
        </div>
      </header>
      <div className="v-cockpit-body">
        <div className="v-cockpit-left">
          <div className="v-cockpit-call">
            {inCall && session && view ? (
              <Call
                session={session}
                view={view}
                text={text}
                title={<strong>{name}</strong>}
                ownChat={false}
                onLeave={() => {
                  setSteppedOut(true);
                  void session.leave().catch(() => undefined);
                }}
                onEnd={() => {
                  setSteppedOut(true);
                  void session.end().catch(() => undefined);
                }}
              />
            ) : view?.connection === "closed" ? (
              <div className="v-lobby" data-testid="visit-failed">
                <p>
                  <strong>
                    {text(view.failure?.code === "visit_not_open" || done ? "cockpit.closed" : "visit.failed.title")}
                  </strong>
                </p>
                <Button variant="secondary" onPress={() => setAttempt((count) => count + 1)}>
                  {text("visit.tryAgain")}
                </Button>
              </div>
            ) : view?.seatTaken && session ? (
              <div className="v-lobby">
                <p>
                  <strong>{text("visit.seat.title")}</strong>
                  <span>{text("visit.seat.body")}</span>
                </p>
                <Button onPress={() => void session.takeOver().catch(() => undefined)}>
                  {text("visit.seat.take")}
                </Button>
              </div>
            ) : (
              <Lobby
                name={name}
                waiting={waiting}
                present={present}
                done={done}
                ended={ended}
                joining={view?.joining ?? false}
                text={text}
                onStart={(item) => void start(item).catch(() => undefined)}
                onJoin={() => void join().catch(() => undefined)}
              />
            )}
          </div>
          {inCall &&
            toAdmit(others).map((item) => (
              <Knock key={keyOf(item)} item={item} text={text} onAdmit={() => void practice.admit(item)} />
            ))}
          <Notes notes={notes} text={text} />
        </div>
        <Splitter label={text("cockpit.split")} />
        <div className="v-cockpit-right">
          <WhereNow visitId={id} changed={String(here.some((item) => item.checked_in))} text={text} />
          <Tabs
            label={text("cockpit.panels")}
            selected={panel}
            onSelect={(key) => setPanel(key as Panel)}
            tabs={[
              {
                id: "record",
                label: text("cockpit.record"),
                content: data ? <RecordPanel patientId={data.patient_id} text={text} /> : null,
              },
              {
                id: "prescribe",
                label: text("cockpit.prescribe"),
                content: <Prescribe visitId={id} text={text} />,
              },
              {
                id: "chat",
                label: (
                  <>
                    {text("cockpit.chat")}
                    {visit && visit.unread > 0 && <Badge tone="accent">{visit.unread}</Badge>}
                  </>
                ),
                content:
                  session && visit ? (
                    <Chat session={session} visit={visit} text={text} clinician files={files} />
                  ) : null,
              },
            ]}
          />
          <NextUp next={next} text={text} />
        </div>
      </div>
      <CompleteDialog
        visitId={id}
        text={text}
        open={dialog === "complete"}
        done={done}
        next={next}
        onClose={() => setDialog(null)}
        onDone={() => {
          setCompleted(true);
          void appointment.reload();
        }}
        onNext={(item) => void goOn(item).catch(() => undefined)}
      />
      <InviteDialog visitId={id} text={text} open={dialog === "invite"} onClose={() => setDialog(null)} />
      {view && <Announcer view={view} text={text} />}
    </main>
  );
}

/** Somebody else at the door of the running visit: a relative, an interpreter. */
function Knock({
  item,
  text,
  onAdmit,
}: {
  item: WaitingItem;
  text: ReturnType<typeof useVisitText>;
  onAdmit: () => void;
}) {
  return (
    <div className="v-knock" role="status">
      <span>{text("cockpit.isWaiting", { name: named(item, text) })}</span>
      <Button size="small" aria-label={text("day.admitNamed", { name: named(item, text) })} onPress={onAdmit}>
        {text("day.admit")}
      </Button>
    </div>
  );
}

function NextUp({
  next,
  text,
}: {
  next: WaitingItem | undefined;
  text: ReturnType<typeof useVisitText>;
}) {
  const now = useNow();
  return (
    <p className="v-next" role="status">
      {next ? (
        <>
          <strong>{text("cockpit.next", { name: named(next, text) })}</strong>
          <span>{text("cockpit.nextWaiting", { time: text.span(now - Date.parse(next.since)) })}</span>
        </>
      ) : (
        text("cockpit.nobodyNext")
      )}
    </p>
  );
}
