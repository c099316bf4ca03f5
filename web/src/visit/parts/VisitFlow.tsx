import { useEffect, useRef, useState, type ReactNode } from "react";
import type { CheckIn } from "../../api/types";
import { Button, Confirm, Message } from "../base";
import { openDevices, type Capture } from "../live/devices";
import type { ProbeAccess } from "../live/probe";
import type { VisitSession, VisitView } from "../live/session";
import { allowSound, play } from "../live/sound";
import { titled } from "../live/state";
import type { VisitText } from "../text";
import { Announcer } from "./Announcer";
import { Call } from "./Call";
import { ConsentCheck } from "./ConsentCheck";
import type { FileAccess } from "./Chat";
import { DeviceCheck } from "./DeviceCheck";
import { Frame } from "./Frame";
import { SafetyCheck, type Safety } from "./SafetyCheck";
import { useWaitingTitle } from "./useWaitingTitle";
import { WaitingRoom } from "./WaitingRoom";

interface RoomProps {
  session: VisitSession | null;
  view: VisitView | null;
  text: VisitText;
  start?: string | undefined;
  guest?: boolean;
  intro?: ReactNode;
  after: ReactNode;
  failed: ReactNode;
  files?: FileAccess | undefined;
  network?: (() => Promise<ProbeAccess>) | undefined;
  /** What the patient confirms before anything else; guests confirm nothing. */
  safety?: Safety | undefined;
  checkIn?: CheckIn | undefined;
  onCheckedIn?: (checked: CheckIn) => void;
  onRetry: () => void;
}

/**
 * The way of everybody who waits to be let in, patient and guest alike. The seat's state decides
 * which room is shown, so that a reload lands where one was.
 */
export function VisitFlow({ home, ...props }: RoomProps & { home: string | null }) {
  const inCall = props.view?.visit?.you.state === "in-call" && props.view.connection !== "closed" && !props.view.seatTaken;
  if (inCall) {
    return (
      <main className="v-frame">
        <Room {...props} />
      </main>
    );
  }
  return (
    <Frame home={home} out={props.text("visit.home")}>
      <Room {...props} />
    </Frame>
  );
}

function Room({
  session,
  view,
  text,
  start,
  guest = false,
  intro,
  after,
  failed,
  files,
  network,
  safety,
  checkIn,
  onCheckedIn,
  onRetry,
}: RoomProps) {
  useWaitingTitle(view, text);
  const [checking, setChecking] = useState(false);
  const [leaving, setLeaving] = useState(false);
  const entering = useRef(false);
  const visit = view?.visit ?? null;
  const state = visit?.you.state ?? null;
  const ended = visit?.call.state === "ended";
  const live = view?.live || view?.joining;
  const seatTaken = view?.seatTaken ?? false;
  const goesIn = (state === "admitted" || (state === "in-call" && !live)) && !seatTaken;

  // Another room is read from its top, whatever was scrolled to in the one before.
  useEffect(() => {
    window.scrollTo(0, 0);
  }, [state, checking, checkIn?.done]);

  useEffect(() => {
    if (!session || !goesIn || entering.current || checking) return;
    entering.current = true;
    void (async () => {
      if (state === "admitted") void play("admitted", session.getView().local.speaker ?? undefined);
      const { camera, microphone } = session.getView().local;
      if (!camera && !microphone) session.useDevices(await openDevices());
      await session.join();
    })()
      .catch(() => undefined)
      .finally(() => {
        entering.current = false;
      });
  }, [session, goesIn, state, checking]);

  if (!session || !view) return <Message title={text("visit.loading")} />;
  if (visit?.displaced) {
    return (
      <Message
        title={text("visit.displaced.title")}
        actions={<Button onPress={onRetry}>{text("visit.displaced.back")}</Button>}
      >
        <p>{text("visit.displaced.body")}</p>
      </Message>
    );
  }
  if (state === "removed" || view.failure?.code === "removed") {
    return (
      <Message title={text("removed.title")} testId="removed">
        <p>{visit ? text("removed.body", { name: titled(visit.practitioner) }) : text("removed.short")}</p>
      </Message>
    );
  }
  if (view.connection === "closed") {
    return (
      <Message title={text("visit.failed.title")} actions={failed} testId="visit-failed">
        <p>{text("visit.failed.body")}</p>
      </Message>
    );
  }
  if (!visit) return <Message title={text("visit.loading")} />;
  const name = titled(visit.practitioner);
  if (seatTaken) {
    return (
      <Message
        title={text("visit.seat.title")}
        actions={
          <Button onPress={() => void session.takeOver().catch(onRetry)}>
            {text("visit.seat.take")}
          </Button>
        }
      >
        <p>{text("visit.seat.body")}</p>
      </Message>
    );
  }
  if (ended && state === "left") {
    const completed = visit.reason === "completed";
    return (
      <Message
        title={text("after.title")}
        testId="after"
        actions={
          <>
            {after}
            {!completed && (
              <Button
                variant="secondary"
                onPress={() => void session.enterWaiting().catch(() => undefined)}
              >
                {text("after.back")}
              </Button>
            )}
          </>
        }
      >
        <p>
          {guest
            ? text("after.guest")
            : completed
              ? text("after.ready")
              : text("after.body", { name })}
        </p>
      </Message>
    );
  }
  if (state === "left") {
    return (
      <Message
        title={text("left.title")}
        testId="left"
        actions={
          <>
            {after}
            <Button onPress={() => void comeBack(session)}>{text("left.back")}</Button>
          </>
        }
      >
        <p>{text("left.body")}</p>
      </Message>
    );
  }
  const withdrawn = state === "held" && visit.reason === "consent_withdrawn";
  if ((state === "outside" || withdrawn) && safety && checkIn?.consent) {
    return (
      <ConsentCheck
        consent={checkIn.consent}
        safety={safety}
        text={text}
        withdrawn={withdrawn}
        onDone={(checked) => onCheckedIn?.(checked)}
      />
    );
  }
  if (state === "outside" && safety && checkIn && !checkIn.done) {
    return (
      <SafetyCheck
        blank={checkIn}
        safety={safety}
        text={text}
        onDone={(checked) => onCheckedIn?.(checked)}
      />
    );
  }
  if (state === "outside" || withdrawn || checking) {
    const enter = async (capture: Capture) => {
      await allowSound();
      session.useDevices(capture);
      if (state === "outside" || withdrawn) await session.enterWaiting();
      setChecking(false);
    };
    return (
      <>
        <DeviceCheck
          text={text}
          title={guest ? text("guest.title") : text("check.title")}
          lead={text(guest ? "guest.lead" : "check.lead")}
          continueLabel={text(guest ? "check.ask" : "check.continue")}
          onContinue={enter}
          network={network}
        >
          {intro ?? (
            <p className="v-check-who">
              {text("visit.with", { name })}
              {start && <> · {text.time(start)}</>}
            </p>
          )}
        </DeviceCheck>
        <Announcer view={view} text={text} />
      </>
    );
  }
  if (state === "in-call") {
    return (
      <>
        <Call
          session={session}
          view={view}
          text={text}
          title={<strong>{name}</strong>}
          files={files}
          onLeave={() => void session.leave().catch(() => undefined)}
        />
        <Announcer view={view} text={text} />
      </>
    );
  }
  return (
    <>
      <WaitingRoom
        view={view}
        text={text}
        start={start}
        guest={guest}
        emergency={checkIn?.emergency_number ?? null}
        onCheck={() => setChecking(true)}
        onLeave={() => setLeaving(true)}
      />
      <Confirm
        title={text("wait.leave")}
        body={text("call.leaveBody")}
        confirm={text("call.leave")}
        cancel={text("call.stay")}
        open={leaving}
        onClose={() => setLeaving(false)}
        onConfirm={() => void session.leaveWaiting().catch(() => undefined)}
      />
      <Announcer view={view} text={text} />
    </>
  );
}

/** Straight back into the call where the server allows it, else to the waiting room. */
async function comeBack(session: VisitSession): Promise<void> {
  try {
    const { camera, microphone } = session.getView().local;
    if (!camera && !microphone) session.useDevices(await openDevices());
    await session.join();
  } catch {
    await session.enterWaiting().catch(() => undefined);
  }
}
