import { useEffect, useRef, useState, type ReactNode } from "react";
import { useToast } from "../../design";
import { Button, Confirm, Dialog } from "../base";
import { canShareScreen } from "../live/devices";
import type { VisitSession, VisitView } from "../live/session";
import type { VisitText } from "../text";
import { CallBanner } from "./CallBanner";
import { Chat, type FileAccess } from "./Chat";
import { Control } from "./Control";
import { Floating } from "./Floating";
import { useNow, useShortcuts } from "./hooks";
import { InterpreterLine } from "./InterpreterRequest";
import type { StageView } from "./layout";
import { More } from "./More";
import { ShortcutsDialog } from "./Shortcuts";
import { Stage } from "./Stage";
import { usePictureInPicture } from "./usePictureInPicture";

export interface CallProps {
  session: VisitSession;
  view: VisitView;
  text: VisitText;
  /** Shown above the picture: who, and whatever the page adds. */
  title: ReactNode;
  /** Files in the chat; without it the chat is words alone. */
  files?: FileAccess | undefined;
  /** Where the chat is shown by the page itself, the call leaves it out. */
  ownChat?: boolean;
  onLeave: () => void;
  /** Ends the call for everybody; practitioners only. */
  onEnd?: (() => void) | undefined;
}

/** The call itself: stage, banner, controls, and the chat beside it or over it on a phone. */
export function Call({
  session,
  view,
  text,
  title,
  files,
  ownChat = true,
  onLeave,
  onEnd,
}: CallProps) {
  const [chatOpen, setChatOpen] = useState(false);
  const [asking, setAsking] = useState<"leave" | "more" | "keys" | null>(null);
  const [wished, setWished] = useState<StageView | null>(null);
  const main = useRef<HTMLDivElement>(null);
  const floating = usePictureInPicture(main);
  const { visit, local, hand } = view;
  const people = visit?.participants.length ?? 0;
  const stage = wished ?? (people > manyFrom() ? "speaker" : "grid");
  useDeviceLoss(session, view, text);
  const toggleMuted = () => session.setMuted(!local.muted);
  const toggleCamera = () => session.setCameraOff(!local.cameraOff);
  const toggleHand = () => void session.raiseHand(!hand).catch(() => undefined);
  const toggleScreen = () => {
    if (local.screen) session.stopScreen();
    else if (canShareScreen()) void session.shareScreen().catch(() => undefined);
  };
  useShortcuts(asking === null, {
    KeyM: toggleMuted,
    KeyV: toggleCamera,
    KeyH: toggleHand,
    KeyS: toggleScreen,
    KeyG: () => setWished(stage === "grid" ? "speaker" : "grid"),
    KeyP: () => void floating.toggle().catch(() => undefined),
    "?": () => setAsking("keys"),
    ...(ownChat && { KeyC: () => setChatOpen((open) => !open) }),
  });
  if (!visit) return null;
  const unread = chatOpen ? 0 : visit.unread;
  return (
    <div className="v-call" data-chat={(ownChat && chatOpen) || undefined} data-testid="call">
      <div ref={main} className="v-call-main" role="region" aria-label={text("call.label")}>
        <header className="v-call-head">
          <div className="v-call-title">
            {title}
            <OwnQuality view={view} text={text} />
          </div>
          <InterpreterLine visit={visit} text={text} />
          <CallTime
            started={visit.call.started_at}
            running={visit.participants.length > 1}
          />
        </header>
        <CallBanner session={session} view={view} text={text} />
        <Stage
          view={view}
          text={text}
          mode={stage}
          session={session}
          onShown={(trackId, pixels) => session.shown("call", trackId, pixels)}
        />
        <div className="v-controls" role="toolbar" aria-label={text("call.label")}>
          <Control
            icon={local.muted || !local.microphone ? "microphoneOff" : "microphone"}
            label={text(local.muted ? "call.unmute" : "call.mute")}
            off={local.muted || !local.microphone}
            disabled={!local.microphone}
            onPress={toggleMuted}
          />
          <Control
            icon={local.cameraOff || !local.camera ? "cameraOff" : "camera"}
            label={text(local.cameraOff ? "call.cameraOn" : "call.cameraOff")}
            words={text("check.camera")}
            off={local.cameraOff || !local.camera}
            disabled={!local.camera}
            onPress={toggleCamera}
          />
          {canShareScreen() && (
            <Control
              icon="screen"
              label={text(local.screen ? "call.unshare" : "call.share")}
              words={text("call.shareWord")}
              active={local.screen !== null}
              desktop
              onPress={toggleScreen}
            />
          )}
          <Control
            icon="hand"
            label={text(hand ? "call.handDown" : "call.hand")}
            words={text("call.handWord")}
            active={hand}
            onPress={toggleHand}
          />
          {ownChat && (
            <Control
              icon="chat"
              label={
                unread > 0 ? text("call.chatUnread", { count: unread }) : text("call.chat")
              }
              words={text("call.chat")}
              active={chatOpen}
              badge={unread}
              onPress={() => setChatOpen(!chatOpen)}
            />
          )}
          <Control icon="more" label={text("call.more")} onPress={() => setAsking("more")} />
          <Control icon="leave" label={text("call.leave")} danger onPress={() => setAsking("leave")} />
        </div>
      </div>
      {ownChat && chatOpen && (
        <Chat
          session={session}
          visit={visit}
          text={text}
          clinician={visit.you.role === "practitioner"}
          files={files}
          onClose={() => setChatOpen(false)}
        />
      )}
      {onEnd ? (
        <Dialog title={text("call.leaveTitle")} open={asking === "leave"} onClose={() => setAsking(null)}>
          <p>{text("call.endBody")}</p>
          <div className="v-actions">
            <Button variant="secondary" onPress={() => (setAsking(null), onLeave())}>
              {text("call.leave")}
            </Button>
            <Button variant="danger" onPress={() => (setAsking(null), onEnd())}>
              {text("call.end")}
            </Button>
          </div>
        </Dialog>
      ) : (
        <Confirm
          title={text("call.leaveTitle")}
          body={text("call.leaveBody")}
          confirm={text("call.leave")}
          cancel={text("call.stay")}
          open={asking === "leave"}
          onClose={() => setAsking(null)}
          onConfirm={onLeave}
        />
      )}
      <More
        session={session}
        view={view}
        text={text}
        open={asking === "more"}
        stage={stage}
        onStage={setWished}
        floating={floating}
        onKeys={() => setAsking("keys")}
        onClose={() => setAsking(null)}
      />
      <ShortcutsDialog
        text={text}
        open={asking === "keys"}
        desk={visit.you.role === "practitioner"}
        onClose={() => setAsking(null)}
      />
      {floating.room && (
        <Floating
          room={floating.room}
          session={session}
          view={view}
          text={text}
          onShown={(trackId, pixels) => session.shown("window", trackId, pixels)}
        />
      )}
    </div>
  );
}

/** Time since the call began; counted here until a snapshot brings the server's own beginning. */
function CallTime({ started, running }: { started: string | null; running: boolean }) {
  const now = useNow();
  const [seen, setSeen] = useState<number | null>(null);
  if (running && seen === null) setSeen(now);
  const begun = started ? Date.parse(started) : seen;
  if (begun === null) return null;
  const seconds = Math.max(0, Math.floor((now - begun) / 1000));
  const two = (value: number) => String(value).padStart(2, "0");
  return (
    <time className="v-call-time">
      {two(Math.floor(seconds / 60))}:{two(seconds % 60)}
    </time>
  );
}

/** From this many people on one is shown large, the others small: on a phone sooner. */
function manyFrom(): number {
  return window.matchMedia("(max-width: 40rem)").matches ? 4 : 9;
}

/** One's own connection, when it is not good: what the others notice, and why. */
function OwnQuality({ view, text }: { view: VisitView; text: VisitText }) {
  const own = view.visit?.quality[view.visit.you.participant_id];
  if (!own || own.quality === "good") return null;
  return (
    <span className="v-own-quality" data-quality={own.quality} data-testid="own-quality">
      {text(`call.own.${own.quality}`)}
      {own.reason && <span className="v-reason">: {text(`call.reason.${own.reason}`)}</span>}
    </span>
  );
}

/** A camera or headset that went away is named once, with what is used instead. */
function useDeviceLoss(session: VisitSession, view: VisitView, text: VisitText): void {
  const say = useToast();
  const { deviceLoss } = view.local;
  useEffect(() => {
    if (!deviceLoss) return;
    const { kind, lost, now } = deviceLoss;
    const device = lost || text(`check.${kind}`);
    say(now ? text("call.device.replaced", { device, now }) : text(`call.device.gone.${kind}`, { device }));
    session.forgetLoss();
  }, [session, deviceLoss, say, text]);
}
