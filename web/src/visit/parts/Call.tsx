import { useState, type ReactNode } from "react";
import { Button, Confirm, Dialog, Select } from "../base";
import { canShareScreen, listDevices, type DeviceLists } from "../live/devices";
import type { VisitSession, VisitView } from "../live/session";
import type { VisitText } from "../text";
import { Chat, type FileOpen, type FileUpload } from "./Chat";
import { useNow, useShortcuts } from "./hooks";
import { Icon, type IconName } from "./icons";
import { LevelBar } from "./Media";
import { Stage } from "./Stage";

export interface CallProps {
  session: VisitSession;
  view: VisitView;
  text: VisitText;
  /** Shown above the picture: who, and whatever the page adds. */
  title: ReactNode;
  upload?: FileUpload | undefined;
  openFile?: FileOpen | undefined;
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
  upload,
  openFile,
  ownChat = true,
  onLeave,
  onEnd,
}: CallProps) {
  const [chatOpen, setChatOpen] = useState(false);
  const [asking, setAsking] = useState<"leave" | "devices" | null>(null);
  const { visit, local, hand } = view;
  const toggleMuted = () => session.setMuted(!local.muted);
  const toggleCamera = () => session.setCameraOff(!local.cameraOff);
  const toggleHand = () => void session.raiseHand(!hand).catch(() => undefined);
  useShortcuts(asking === null, {
    KeyM: toggleMuted,
    KeyV: toggleCamera,
    KeyH: toggleHand,
    ...(ownChat && { KeyC: () => setChatOpen((open) => !open) }),
  });
  if (!visit) return null;
  const unread = chatOpen ? 0 : visit.unread;
  return (
    <div className="v-call" data-chat={(ownChat && chatOpen) || undefined} data-testid="call">
      <div className="v-call-main" role="region" aria-label={text("call.label")}>
        <header className="v-call-head">
          <div>{title}</div>
          <CallTime
            started={visit.call.started_at}
            running={visit.participants.length > 1}
          />
        </header>
        <Banner view={view} text={text} />
        <Stage view={view} text={text} />
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
              onPress={() =>
                local.screen
                  ? session.stopScreen()
                  : void session.shareScreen().catch(() => undefined)
              }
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
          <Control icon="more" label={text("call.more")} onPress={() => setAsking("devices")} />
          <Control icon="leave" label={text("call.leave")} danger onPress={() => setAsking("leave")} />
        </div>
      </div>
      {ownChat && chatOpen && (
        <Chat
          session={session}
          visit={visit}
          text={text}
          clinician={visit.you.role === "practitioner"}
          upload={upload}
          openFile={openFile}
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
      <DevicesDialog
        session={session}
        view={view}
        text={text}
        open={asking === "devices"}
        onClose={() => setAsking(null)}
      />
    </div>
  );
}

/** Time since the call began; counted here until a snapshot brings the server's own beginning. */
function CallTime({ started, running }: { started: string | null; running: boolean }) {
  const now = useNow();
  const [seen, setSeen] = useState<number | null>(null);
  if (running && seen === null) setSeen(Date.now());
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

function Control({
  icon,
  label,
  words = label,
  off = false,
  active = false,
  danger = false,
  desktop = false,
  disabled = false,
  badge = 0,
  onPress,
}: {
  icon: IconName;
  label: string;
  /** What is written under the sign, when the name says more. */
  words?: string;
  off?: boolean;
  active?: boolean;
  danger?: boolean;
  desktop?: boolean;
  disabled?: boolean;
  badge?: number;
  onPress: () => void;
}) {
  return (
    <button
      type="button"
      className="v-control"
      data-off={off || undefined}
      data-active={active || undefined}
      data-danger={danger || undefined}
      data-desktop={desktop || undefined}
      disabled={disabled}
      aria-label={label}
      title={label}
      onClick={onPress}
    >
      <span className="v-control-sign">
        <Icon name={icon} />
        {badge > 0 && <span className="v-badge">{badge > 9 ? "9+" : badge}</span>}
      </span>
      <span className="v-control-words" aria-hidden="true">
        {words}
      </span>
    </button>
  );
}

/** The one thing worth saying about the connection now, the worst first. */
function Banner({ view, text }: { view: VisitView; text: VisitText }) {
  const { visit, local, connection, path, online } = view;
  if (!visit) return null;
  const words = !online
    ? text("call.banner.offline")
    : connection === "reconnecting"
      ? text("call.banner.reconnecting")
      : path === "interrupted"
        ? text("call.banner.path")
        : visit.mode === "audio" || visit.mode === "phone" || visit.mode === "chat"
          ? text(`call.banner.${visit.mode}`)
          : !local.camera && !local.microphone
            ? text("call.banner.noDevices")
            : !local.microphone
              ? text("call.banner.noMicrophone")
              : null;
  if (!words) return null;
  const busy = !online || connection === "reconnecting" || path === "interrupted";
  return (
    <div className="v-banner" data-tone={busy ? "busy" : "attention"} role="status">
      {busy && <i className="v-spinner" />}
      <span>{words}</span>
    </div>
  );
}

function DevicesDialog({
  session,
  view,
  text,
  open,
  onClose,
}: {
  session: VisitSession;
  view: VisitView;
  text: VisitText;
  open: boolean;
  onClose: () => void;
}) {
  return (
    <Dialog title={text("call.devices")} open={open} onClose={onClose}>
      {open && <DeviceLists session={session} view={view} text={text} />}
      <p className="v-soft">
        {text("call.shortcuts")}: {text("call.shortcutList")}
      </p>
      <div className="v-actions">
        <Button onPress={onClose}>{text("visit.close")}</Button>
      </div>
    </Dialog>
  );
}

function DeviceLists({ session, view, text }: { session: VisitSession; view: VisitView; text: VisitText }) {
  const [lists, setLists] = useState<DeviceLists | null>(null);
  const { local } = view;
  if (lists === null) {
    void listDevices().then(setLists);
    return null;
  }
  const options = (devices: MediaDeviceInfo[]) =>
    devices.map(({ deviceId, label }) => ({
      value: deviceId,
      label: label || text("check.speakerDefault"),
    }));
  const problem = (kind: "camera" | "microphone") => {
    const found = kind === "camera" ? local.cameraProblem : local.microphoneProblem;
    return found && <p className="v-problem">{text(`check.problem.${kind}.${found}`)}</p>;
  };
  return (
    <div className="v-devices">
      {problem("camera")}
      {lists.cameras.length > 0 && (
        <Select
          label={text("check.camera")}
          value={local.camera?.getSettings().deviceId ?? ""}
          options={options(lists.cameras)}
          onChange={(id) => void session.chooseDevice("camera", id)}
        />
      )}
      {problem("microphone")}
      {lists.microphones.length > 0 && (
        <Select
          label={text("check.microphone")}
          value={local.microphone?.getSettings().deviceId ?? ""}
          options={options(lists.microphones)}
          onChange={(id) => void session.chooseDevice("microphone", id)}
        />
      )}
      <LevelBar track={local.microphone} label={text("check.level")} />
      {lists.speakers.length > 0 && (
        <Select
          label={text("check.speaker")}
          value={local.speaker ?? lists.speakers[0]?.deviceId ?? ""}
          options={options(lists.speakers)}
          onChange={(id) => session.chooseSpeaker(id)}
        />
      )}
    </div>
  );
}
