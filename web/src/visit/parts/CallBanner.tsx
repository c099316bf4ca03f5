import type { VisitSession, VisitView } from "../live/session";
import { titled } from "../live/state";
import type { VisitText } from "../text";

/** The one thing worth saying about the connection now, the worst first, with what can be done. */
export function CallBanner({ session, view, text }: { session: VisitSession; view: VisitView; text: VisitText }) {
  const { visit, local, connection, path, online } = view;
  if (!visit) return null;
  // Who can be called, or can write, need not wait for sound and picture.
  const otherWay = visit.mode === "phone" || visit.mode === "chat";
  const lost = !online
    ? text("call.banner.offline")
    : connection === "reconnecting"
      ? text("call.banner.reconnecting")
      : path === "interrupted" && !otherWay
        ? text("call.banner.path")
        : null;
  if (lost) {
    return (
      // A lost connection is said by the announcer, in the waiting room too.
      <div className="v-banner" data-tone="busy" role={online && connection === "reconnecting" ? undefined : "status"}>
        <i className="v-spinner" />
        <span>{lost}</span>
      </div>
    );
  }
  if (visit.mode !== "high") return <ModeBanner session={session} view={view} text={text} />;
  const words =
    !local.camera && !local.microphone
      ? text("call.banner.noDevices")
      : !local.microphone
        ? text("call.banner.noMicrophone")
        : null;
  if (!words) return null;
  return (
    <div className="v-banner" data-tone="attention" role="status">
      <span>{words}</span>
    </div>
  );
}

/** The step of the ladder, why, and the ways on: told to both sides, each in their own words. */
function ModeBanner({ session, view, text }: { session: VisitSession; view: VisitView; text: VisitText }) {
  const { visit } = view;
  if (!visit || visit.mode === "high") return null;
  const { mode, modeReason, callbackPhone, you } = visit;
  const chosen = modeReason === "chosen";
  const doctor = you.role === "practitioner";
  const decides = doctor || you.role === "patient";
  const choose = (next: "phone" | "chat" | "auto") => void session.chooseMode(next).catch(() => undefined);
  return (
    <div className="v-banner" data-tone="attention" data-testid="mode-banner" data-mode={mode}>
      <span role="status">
        {mode === "phone"
          ? doctor
            ? text(callbackPhone ? (chosen ? "call.mode.phone.goesOn" : "call.mode.phone.call") : "call.mode.phone.noNumber")
            : text(chosen ? "call.mode.phone.agreed" : "call.mode.phone.offer", {
                name: titled(visit.practitioner),
              })
          : text(mode === "chat" && chosen ? "call.mode.chat.chosen" : `call.banner.${mode}`)}
        {modeReason && modeReason !== "chosen" && (
          <span className="v-banner-reason"> {text(`call.mode.reason.${modeReason}`)}</span>
        )}
      </span>
      {mode === "phone" && doctor && callbackPhone && (
        <a className="v-banner-call" href={`tel:${callbackPhone}`}>
          {callbackPhone}
        </a>
      )}
      {decides && mode === "phone" && !chosen && !doctor && (
        <button type="button" onClick={() => choose("phone")}>
          {text("call.mode.callMe")}
        </button>
      )}
      {decides && mode === "phone" && !chosen && (
        <button type="button" onClick={() => choose("chat")}>
          {text("call.mode.write")}
        </button>
      )}
      {decides && chosen && (
        <button type="button" onClick={() => choose("auto")}>
          {text("call.mode.auto")}
        </button>
      )}
    </div>
  );
}
