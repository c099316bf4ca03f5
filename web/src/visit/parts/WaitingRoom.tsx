import { useEffect, useState } from "react";
import { Avatar, Button, Notice } from "../base";
import type { VisitView } from "../live/session";
import { allowSound, play, soundAllowed } from "../live/sound";
import { titled } from "../live/state";
import type { VisitText } from "../text";
import { Icon } from "./icons";
import { mayNotify } from "./useWaitingTitle";

/** Where one is, what happens next, and when: the place of most worry, so the calmest page. */
export function WaitingRoom({
  view,
  text,
  start,
  zone,
  guest = false,
  emergency = null,
  onLeave,
  onCheck,
}: {
  view: VisitView;
  text: VisitText;
  /** When the visit was booked for; unknown to guests. */
  start?: string | undefined;
  zone?: string | undefined;
  guest?: boolean;
  /** Whom to call where the patient is now, once that is known. */
  emergency?: string | null;
  onLeave: () => void;
  onCheck: () => void;
}) {
  const { visit } = view;
  const [sound, setSound] = useState(soundAllowed);
  useEffect(() => {
    const timer = window.setInterval(() => setSound(soundAllowed()), 1_000);
    return () => window.clearInterval(timer);
  }, []);
  if (!visit) return null;
  const { practitioner, waiting } = visit;
  const held = visit.you.state === "held";
  const coming = visit.you.state === "admitted" || view.joining;
  const name = titled(practitioner);
  return (
    <section className="v-wait" aria-labelledby="wait-title" data-testid="waiting-room">
      <div className="v-wait-card">
        <Avatar name={practitioner.name} large />
        <p className="v-wait-who">
          <strong>{name}</strong>
          {practitioner.title.length > 5 && <span>{practitioner.title}</span>}
        </p>
        <h1 id="wait-title">
          {held ? text("wait.heldTitle", { name }) : text("wait.title")}
        </h1>
        <div className="v-wait-place" role="status" aria-live="polite">
          {coming ? (
            <strong>{text("wait.joining", { name })}</strong>
          ) : held ? (
            <span>{text("wait.held")}</span>
          ) : guest || !waiting ? (
            <span>{text("wait.guest", { name })}</span>
          ) : (
            <Place waiting={waiting} text={text} />
          )}
        </div>
        {waiting && waiting.late_s >= 60 && !coming && (
          <Notice tone="attention">
            {text("wait.late", { name, minutes: Math.round(waiting.late_s / 60) })}
          </Notice>
        )}
        {start && <p className="v-soft">{text("wait.since", { time: text.time(start, zone) })}</p>}
      </div>
      <div className="v-wait-side">
        <p className="v-with-icon">
          <Icon name="speaker" size={22} />
          <span>
            {text("wait.sound", { name })}{" "}
            <Button
              variant="link"
              onPress={() => {
                void allowSound().then(() => play("admitted"));
              }}
            >
              {text(sound ? "wait.soundTest" : "wait.soundBlocked")}
            </Button>
          </span>
        </p>
        <NoticeWish text={text} />
        {!guest && (
          <div>
            <h2>{text("wait.prepare")}</h2>
            <ul className="v-list">
              <li>{text("wait.prepare.1")}</li>
              <li>{text("wait.prepare.2")}</li>
              <li>{text("wait.prepare.3")}</li>
            </ul>
          </div>
        )}
        {!guest && (
          <p className="v-with-icon v-soft">
            <Icon name="warning" size={22} />
            <span>
              {emergency ? (
                <>
                  {text("wait.emergencyCall")} <a href={`tel:${emergency}`}>{emergency}</a>
                </>
              ) : (
                text("wait.emergency")
              )}
            </span>
          </p>
        )}
        <div className="v-actions v-actions-start">
          <Button variant="secondary" onPress={onCheck}>
            {text("wait.devices")}
          </Button>
          <Button variant="quiet" onPress={onLeave}>
            {text("wait.leave")}
          </Button>
        </div>
      </div>
    </section>
  );
}

/** A notice of the device reaches people who went to another window. Asked for by a press alone. */
function NoticeWish({ text }: { text: VisitText }) {
  const [allowed, setAllowed] = useState(mayNotify);
  if (allowed === "unsupported" || allowed === "denied") return null;
  return (
    <p className="v-with-icon">
      <Icon name="bell" size={22} />
      <span>
        {allowed === "granted" ? (
          text("wait.notify.on")
        ) : (
          <Button
            variant="link"
            onPress={() => void Notification.requestPermission().then(() => setAllowed(mayNotify()))}
          >
            {text("wait.notify")}
          </Button>
        )}
      </span>
    </p>
  );
}

function Place({
  waiting,
  text,
}: {
  waiting: { position: number; estimated_wait_s: number };
  text: VisitText;
}) {
  const before = waiting.position - 1;
  const minutes = Math.round(waiting.estimated_wait_s / 60);
  return (
    <>
      <strong>
        {before <= 0
          ? text("wait.first")
          : before === 1
            ? text("wait.placeOne")
            : text("wait.place", { count: before })}
      </strong>
      <span>
        {minutes < 1
          ? text("wait.estimateNow")
          : minutes === 1
            ? text("wait.estimateOne")
            : text("wait.estimate", { minutes })}
      </span>
    </>
  );
}
