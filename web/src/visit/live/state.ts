/**
 * What a visit looks like now, computed from a snapshot and the events after it.
 *
 * A pure reducer. Every change is an upsert or a replacement, so that events replayed over a
 * snapshot that already contains them lead to the same state.
 */
import type {
  Audience,
  InterpreterState,
  LiveChatMessage,
  LiveParticipant,
  Marks,
  ModeReason,
  ParticipantQuality,
  ServerEvent,
  Snapshot,
  VisitMode,
  WaitingPlace,
} from "./protocol";

/** A message of ours that the server has not confirmed yet. */
export interface PendingMessage {
  client_id: string;
  text: string | null;
  file: LiveChatMessage["file"];
  audience: Audience;
  state: "sending" | "failed";
}

export interface VisitState {
  appointmentId: string;
  you: Snapshot["you"];
  call: Snapshot["call"];
  /** Everybody in the call, oneself included when the server lists one, in order of arrival. */
  participants: LiveParticipant[];
  waiting: WaitingPlace | null;
  mode: VisitMode;
  modeReason: ModeReason;
  /** Where the practitioner calls back; told to the practitioner alone. */
  callbackPhone: string | null;
  /** Whom the practitioner keeps large for everybody. */
  pinned: string | null;
  interpreter: InterpreterState | null;
  /** How far each other person has got in the chat, by person. */
  marks: Record<string, Marks>;
  generation: number;
  practitioner: Snapshot["practitioner"];
  /** Confirmed messages, oldest first. */
  messages: LiveChatMessage[];
  pending: PendingMessage[];
  unread: number;
  /** True when older messages exist on the server. */
  moreHistory: boolean;
  /** Loudest first. */
  speakers: string[];
  quality: Record<string, ParticipantQuality>;
  /** Why the seat last changed: admitted, held, removed, ended. In the server's words. */
  reason: string | null;
  /** True when this person continued on another device. */
  displaced: boolean;
}

export type VisitAction =
  | { type: "snapshot"; snapshot: Snapshot }
  | { type: "event"; event: ServerEvent }
  | { type: "waiting.entered"; place: { position: number; estimated_wait_s: number } }
  | { type: "waiting.left" }
  | { type: "call.joined"; participants: LiveParticipant[]; generation: number }
  | { type: "call.left" }
  | { type: "hand"; raised: boolean }
  | { type: "chat.sending"; message: PendingMessage }
  | { type: "chat.sent"; message: LiveChatMessage }
  | { type: "chat.failed"; clientId: string }
  | { type: "chat.discarded"; clientId: string }
  | { type: "chat.history"; messages: LiveChatMessage[]; more: boolean }
  | { type: "chat.read" };

/** Snapshots bring up to this many messages; a full page hints that older ones exist. */
const HISTORY_PAGE = 50;

export function fromSnapshot(snapshot: Snapshot, before: VisitState | null): VisitState {
  const messages = mergeMessages(before?.messages ?? [], snapshot.last_messages);
  const confirmed = new Set(messages.map((message) => message.client_id));
  return {
    appointmentId: snapshot.appointment_id,
    you: snapshot.you,
    call: snapshot.call,
    participants: snapshot.participants,
    waiting: snapshot.waiting,
    mode: snapshot.mode,
    modeReason: snapshot.mode_reason ?? null,
    callbackPhone: before?.callbackPhone ?? null,
    pinned: snapshot.pinned ?? null,
    interpreter: snapshot.interpreter ?? null,
    marks: Object.fromEntries((snapshot.chat_marks ?? []).map((one) => [one.participant_id, one])),
    generation: snapshot.generation,
    practitioner: snapshot.practitioner,
    messages,
    pending: (before?.pending ?? []).filter((message) => !confirmed.has(message.client_id)),
    unread: snapshot.chat_unread,
    moreHistory: before?.moreHistory ?? snapshot.last_messages.length >= HISTORY_PAGE,
    speakers: before?.speakers ?? [],
    quality: before?.quality ?? {},
    reason: before?.reason ?? null,
    displaced: false,
  };
}

/** Advances the state. `null` before the first snapshot: then only a snapshot means anything. */
export function reduceVisit(state: VisitState | null, action: VisitAction): VisitState | null {
  if (action.type === "snapshot") return fromSnapshot(action.snapshot, state);
  if (state === null) return null;
  switch (action.type) {
    case "event":
      return applyEvent(state, action.event);
    case "waiting.entered":
      return {
        ...state,
        you: { ...state.you, state: state.you.state === "held" && state.reason !== "consent_withdrawn" ? "held" : "waiting" },
        waiting: { ...action.place, late_s: state.waiting?.late_s ?? 0 },
      };
    case "waiting.left":
      return { ...state, you: { ...state.you, state: "outside" }, waiting: null };
    case "call.joined":
      return {
        ...state,
        you: { ...state.you, state: "in-call" },
        call: { ...state.call, state: "open" },
        participants: action.participants,
        generation: Math.max(state.generation, action.generation),
        waiting: null,
      };
    case "call.left":
      return { ...state, you: { ...state.you, state: "left" }, speakers: [], quality: {} };
    case "hand":
      return {
        ...state,
        participants: state.participants.map((participant) =>
          participant.participant_id === state.you.participant_id
            ? { ...participant, hand: action.raised }
            : participant,
        ),
      };
    case "chat.sending":
      return {
        ...state,
        pending: [
          ...state.pending.filter((other) => other.client_id !== action.message.client_id),
          action.message,
        ],
      };
    case "chat.sent":
      return addMessage(state, action.message);
    case "chat.failed":
      return {
        ...state,
        pending: state.pending.map((message) =>
          message.client_id === action.clientId ? { ...message, state: "failed" } : message,
        ),
      };
    case "chat.discarded":
      return {
        ...state,
        pending: state.pending.filter((message) => message.client_id !== action.clientId),
      };
    case "chat.history":
      return {
        ...state,
        messages: mergeMessages(state.messages, action.messages),
        moreHistory: action.more,
      };
    case "chat.read":
      return state.unread === 0 ? state : { ...state, unread: 0 };
  }
}

/** "Dr Awa Diop": how people are used to read a doctor's name. A long title stands by itself. */
export function titled({ name, title }: { name: string; title: string }): string {
  return title && title.length <= 5 && !name.startsWith(title) ? `${title} ${name}` : name;
}

function applyEvent(state: VisitState, event: ServerEvent): VisitState {
  switch (event.name) {
    case "waiting.updated": {
      const { position, estimated_wait_s, late_s } = event.payload;
      return { ...state, waiting: { position, estimated_wait_s, late_s } };
    }
    case "call.admitted":
      if (state.you.state === "in-call") return state;
      return seat(state, "admitted", event.payload.reason);
    case "call.held":
      return { ...seat(state, "held", event.payload.reason), speakers: [] };
    case "call.removed":
      return { ...seat(state, "removed", event.payload.reason), participants: [], speakers: [] };
    case "call.ended":
      return {
        ...seat(state, "left", event.payload.reason),
        call: { ...state.call, state: "ended" },
        participants: [],
        speakers: [],
        waiting: null,
      };
    case "call.displaced":
      return { ...state, displaced: true };
    case "call.participant":
      return applyParticipant(state, event.payload.change, event.payload.participant);
    case "media.offer":
    case "media.wanted":
      return state;
    case "media.reset":
      return { ...state, generation: Math.max(state.generation, event.payload.generation) };
    case "call.speakers":
      return { ...state, speakers: event.payload.participant_ids };
    case "call.quality": {
      const quality = { ...state.quality };
      for (const entry of event.payload.participants) quality[entry.participant_id] = entry;
      return { ...state, quality };
    }
    case "call.mode":
      return {
        ...state,
        mode: event.payload.mode,
        modeReason: event.payload.reason ?? null,
        callbackPhone: event.payload.callback_phone ?? state.callbackPhone,
      };
    case "call.pinned":
      return { ...state, pinned: event.payload.participant_id };
    case "waiting.transferred":
      return { ...state, practitioner: event.payload.practitioner };
    case "interpreter.state": {
      const { request_id, language, state: found, name, expires_at } = event.payload;
      return { ...state, interpreter: { request_id, language, state: found, name, expires_at } };
    }
    case "chat.marks": {
      const { participant_id, delivered, read } = event.payload;
      return { ...state, marks: { ...state.marks, [participant_id]: { participant_id, delivered, read } } };
    }
    case "chat.message": {
      const { message } = event.payload;
      const known = state.messages.some((other) => other.message_id === message.message_id);
      const next = addMessage(state, message);
      const own = message.participant_id === state.you.participant_id;
      return known || own ? next : { ...next, unread: next.unread + 1 };
    }
    case "chat.updated":
      return addMessage(state, event.payload.message);
  }
}

/** How far one of our messages has got: the best of all others, because one reader is an answer. */
export function receiptOf(
  message: Pick<LiveChatMessage, "message_id">,
  marks: VisitState["marks"],
): "sent" | "delivered" | "read" {
  // Ids are UUIDv7: later ones sort after earlier ones.
  const others = Object.values(marks);
  if (others.some(({ read }) => read !== null && read >= message.message_id)) return "read";
  const arrived = others.some(({ delivered }) => delivered !== null && delivered >= message.message_id);
  return arrived ? "delivered" : "sent";
}

function seat(
  state: VisitState,
  next: VisitState["you"]["state"],
  reason: string | null,
): VisitState {
  return { ...state, you: { ...state.you, state: next }, reason: reason ?? null };
}

function applyParticipant(
  state: VisitState,
  change: "joined" | "updated" | "left",
  participant: LiveParticipant,
): VisitState {
  const index = state.participants.findIndex(
    (other) => other.participant_id === participant.participant_id,
  );
  if (change === "left") {
    if (index < 0) return state;
    return {
      ...state,
      participants: state.participants.filter((_, position) => position !== index),
      speakers: state.speakers.filter((id) => id !== participant.participant_id),
    };
  }
  const participants = [...state.participants];
  if (index < 0) participants.push(participant);
  else participants[index] = participant;
  return {
    ...state,
    participants,
    // Somebody who joins shows that the call goes on, also after an end that was taken back.
    call: state.call.state === "open" ? state.call : { ...state.call, state: "open" },
  };
}

function addMessage(state: VisitState, message: LiveChatMessage): VisitState {
  return {
    ...state,
    messages: mergeMessages(state.messages, [message]),
    pending: state.pending.filter((other) => other.client_id !== message.client_id),
  };
}

/** One list by id, newest version of each, oldest first. Ids are UUIDv7 and so sort by time. */
export function mergeMessages(
  known: readonly LiveChatMessage[],
  more: readonly LiveChatMessage[],
): LiveChatMessage[] {
  if (more.length === 0) return [...known];
  const byId = new Map<string, LiveChatMessage>();
  for (const message of known) byId.set(message.message_id, message);
  for (const message of more) {
    const before = byId.get(message.message_id);
    if (before && isNewer(before, message)) continue;
    byId.set(message.message_id, message);
  }
  return [...byId.values()].sort(
    (a, b) => Date.parse(a.sent_at) - Date.parse(b.sent_at) || compare(a.message_id, b.message_id),
  );
}

function isNewer(a: LiveChatMessage, b: LiveChatMessage): boolean {
  if (a.edited_at === null) return false;
  return b.edited_at === null || Date.parse(a.edited_at) > Date.parse(b.edited_at);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
