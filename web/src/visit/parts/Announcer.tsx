import { useEffect, useRef, useState } from "react";
import type { LiveParticipant } from "../live/protocol";
import type { VisitView } from "../live/session";
import type { VisitState } from "../live/state";
import type { VisitText } from "../text";
import { named } from "./named";

/** Tells screen readers what changed in the visit, one sentence at a time, politely. */
export function Announcer({ view, text }: { view: VisitView; text: VisitText }) {
  const [said, setSaid] = useState("");
  const before = useRef<VisitView | null>(null);
  useEffect(() => {
    const sentence = before.current ? whatChanged(before.current, view, text) : null;
    before.current = view;
    if (sentence) setSaid(sentence);
  }, [view, text]);
  return (
    <p className="v-hidden" role="status" aria-live="polite">
      {said}
    </p>
  );
}

/** The one most important difference between two moments, in words, or null. */
export function whatChanged(before: VisitView, now: VisitView, text: VisitText): string | null {
  if (before.connection !== now.connection) {
    if (now.connection === "reconnecting") return text("call.banner.reconnecting");
    if (before.connection === "reconnecting" && now.connection === "ready")
      return text("call.said.back");
  }
  if (before.local.muted !== now.local.muted)
    return text(now.local.muted ? "call.said.muted" : "call.said.unmuted");
  if (before.local.cameraOff !== now.local.cameraOff)
    return text(now.local.cameraOff ? "call.said.cameraOff" : "call.said.cameraOn");
  if ((before.local.screen === null) !== (now.local.screen === null))
    return text(now.local.screen ? "call.said.shared" : "call.said.unshared");
  const { visit: was } = before;
  const { visit: is } = now;
  if (!was || !is || was === is) return null;
  if (was.you.state !== is.you.state && is.you.state === "admitted")
    return text("call.said.admitted");
  const known = new Set(was.participants.map((one) => one.participant_id));
  const present = new Set(is.participants.map((one) => one.participant_id));
  const own = is.you.participant_id;
  const joined = is.participants.find(
    (one) => !known.has(one.participant_id) && one.participant_id !== own,
  );
  if (joined) return text("call.said.joined", { name: named(joined, text) });
  const left = was.participants.find(
    (one) => !present.has(one.participant_id) && one.participant_id !== own,
  );
  if (left) return text("call.said.left", { name: named(left, text) });
  const changed = whoChanged(was, is, own, text);
  if (changed) return changed;
  const message = is.messages.at(-1);
  if (
    message &&
    message.message_id !== was.messages.at(-1)?.message_id &&
    message.participant_id !== own
  ) {
    return text("call.said.message", {
      name: message.name,
      text: message.text ?? message.file?.name ?? "",
    });
  }
  return null;
}

/** What happened to somebody who was and is in the call. */
function whoChanged(was: VisitState, is: VisitState, own: string, text: VisitText): string | null {
  for (const now of is.participants) {
    const before = was.participants.find((one) => one.participant_id === now.participant_id);
    if (!before || before === now || now.participant_id === own) continue;
    const name = named(now, text);
    if (before.state !== now.state)
      return text(now.state === "reconnecting" ? "call.said.lost" : "call.said.returned", { name });
    if (!before.hand && now.hand) return text("call.said.hand", { name });
    const shared = (person: LiveParticipant) => person.tracks.some(({ source }) => source === "screen");
    if (shared(before) !== shared(now))
      return text(shared(now) ? "call.said.screen" : "call.said.screenEnd", { name });
  }
  return null;
}
