/**
 * The live visit on the wire: the Socket.IO namespaces `/consultation` and `/practice`
 * as written in docs/protocol.md. Shapes only; nothing here does anything.
 */

export type TrackSource = "camera" | "microphone" | "screen";
export type ParticipantRole = "patient" | "practitioner" | "interpreter" | "guest";
export type Audience = "all" | "clinicians";
export type Quality = "good" | "fair" | "poor";
export type VisitMode = "high" | "low" | "audio" | "phone" | "chat";
export type SeatState =
  "outside" | "waiting" | "admitted" | "held" | "in-call" | "left" | "removed";

export interface LiveTrack {
  track_id: string;
  source: TrackSource;
  muted: boolean;
}

export interface LiveParticipant {
  participant_id: string;
  name: string;
  /** The patient's, when somebody else is there for them. */
  for_name?: string | null;
  role: ParticipantRole;
  state: "connected" | "reconnecting";
  hand: boolean;
  tracks: LiveTrack[];
}

export interface LiveChatMessage {
  message_id: string;
  client_id: string;
  participant_id: string;
  name: string;
  role: string;
  audience: Audience;
  text: string | null;
  file: { file_id: string; name: string; size: number; content_type: string } | null;
  sent_at: string;
  edited_at: string | null;
}

export type ModeReason = "loss" | "delay" | "bandwidth" | "media" | "chosen" | null;

/** Everything up to these messages has arrived at, and was seen by, one person. */
export interface Marks {
  participant_id: string;
  delivered: string | null;
  read: string | null;
}

export interface InterpreterState {
  request_id: string;
  /** BCP 47. */
  language: string;
  state: "searching" | "accepted" | "none" | "cancelled";
  name: string | null;
  expires_at: string | null;
}

export interface WaitingPlace {
  position: number;
  estimated_wait_s: number;
  late_s: number;
}

export interface Snapshot {
  appointment_id: string;
  you: { participant_id: string; name: string; for_name?: string | null; role: ParticipantRole; state: SeatState };
  call: { state: "idle" | "open" | "ended"; started_at: string | null };
  participants: LiveParticipant[];
  waiting: WaitingPlace | null;
  mode: VisitMode;
  mode_reason: ModeReason;
  generation: number;
  /** Whom the practitioner keeps large for everybody. */
  pinned: string | null;
  practitioner: { name: string; title: string };
  chat_unread: number;
  last_messages: LiveChatMessage[];
  chat_marks: Marks[];
  interpreter: InterpreterState | null;
}

export interface SessionReady {
  participant_id: string;
  resume_token: string;
  snapshot: Snapshot;
  replayed: number;
  seq: number;
  /** Present when somebody already sits in this seat on another device. */
  seat?: string | null;
}

export interface OfferedTrack {
  mid: string;
  track_id: string;
  participant_id: string;
  source: TrackSource;
}

export interface MediaOffer {
  generation: number;
  negotiation: number;
  sdp: string;
  tracks: OfferedTrack[];
}

export interface MediaReset {
  connection: "publish" | "subscribe" | "both";
  generation: number;
  reason: string;
}

/** Whether anybody is shown one of our pictures, and which of its encodings (none: there is one). */
export interface WantedPicture {
  source: TrackSource;
  wanted: boolean;
  rids: string[];
}

export interface ParticipantQuality {
  participant_id: string;
  quality: Quality;
  reason: "loss" | "delay" | "bandwidth" | null;
}

/** Everything the server sends on `/consultation`, by event name, without its `seq`. */
export interface ServerEvents {
  "waiting.updated": WaitingPlace;
  "call.admitted": { reason: string | null };
  "call.held": { reason: string | null };
  "call.removed": { reason: string | null };
  "call.ended": { reason: string | null };
  "call.displaced": { reason: string | null };
  "call.participant": { change: "joined" | "updated" | "left"; participant: LiveParticipant };
  "media.offer": MediaOffer;
  "media.reset": MediaReset;
  "media.wanted": { generation: number; tracks: WantedPicture[] };
  "call.speakers": { participant_ids: string[] };
  "call.quality": { participants: ParticipantQuality[] };
  "call.mode": { mode: VisitMode; reason: ModeReason; callback_phone?: string | null };
  "call.pinned": { participant_id: string | null };
  "waiting.transferred": { practitioner: { name: string; title: string } };
  "interpreter.state": InterpreterState;
  "chat.marks": Marks;
  "chat.message": { message: LiveChatMessage };
  "chat.updated": { message: LiveChatMessage };
}

export type ServerEventName = keyof ServerEvents;

/** One server event with its name, as the reducer and the media layer receive it. */
export type ServerEvent = {
  [Name in ServerEventName]: { name: Name; payload: ServerEvents[Name] };
}[ServerEventName];

export const SERVER_EVENT_NAMES: readonly ServerEventName[] = [
  "waiting.updated",
  "call.admitted",
  "call.held",
  "call.removed",
  "call.ended",
  "call.displaced",
  "call.participant",
  "media.offer",
  "media.reset",
  "media.wanted",
  "call.speakers",
  "call.quality",
  "call.mode",
  "call.pinned",
  "waiting.transferred",
  "interpreter.state",
  "chat.marks",
  "chat.message",
  "chat.updated",
];

export interface PublishedTrack {
  mid: string;
  source: TrackSource;
}

/** What a client may ask on `/consultation`: what goes in, and what the answer adds to `ok`. */
export interface ClientCalls {
  "waiting.enter": { send: object; answer: { position: number; estimated_wait_s: number } };
  "waiting.leave": { send: object; answer: object };
  "call.join": {
    send: object;
    answer: {
      participants: LiveParticipant[];
      ice_servers: IceServer[];
      ice_transport_policy: RTCIceTransportPolicy;
      generation: number;
    };
  };
  "media.publish": {
    send: { generation: number; sdp: string; tracks: PublishedTrack[] };
    answer: { sdp: string; tracks: { mid: string; track_id: string }[] };
  };
  "media.answer": {
    send: { generation: number; negotiation: number; sdp: string };
    answer: object;
  };
  "media.restart": { send: object; answer: object };
  "media.prefer": {
    send: { track_id: string; max_height?: number; paused?: boolean };
    answer: object;
  };
  "media.mute": { send: { source: TrackSource; muted: boolean }; answer: object };
  "media.report": { send: MediaReport; answer: object };
  "chat.send": {
    send: { client_id: string; text?: string; file_id?: string; audience: Audience };
    answer: { message_id: string; sent_at: string };
  };
  "chat.edit": { send: { message_id: string; text: string }; answer: object };
  "chat.delivered": { send: { message_id: string }; answer: object };
  "chat.read": { send: { message_id: string }; answer: object };
  "chat.history": {
    send: { before?: string };
    answer: { messages: LiveChatMessage[]; more: boolean };
  };
  "call.hand": { send: { raised: boolean }; answer: object };
  "call.pin": { send: { participant_id: string | null }; answer: object };
  "call.mode": { send: { mode: "phone" | "chat" | "auto" }; answer: { mode: VisitMode } };
  "interpreter.request": { send: { language: string }; answer: object };
  "interpreter.cancel": { send: object; answer: object };
  "call.leave": { send: object; answer: object };
  "call.end": { send: object; answer: object };
  "seat.take_over": { send: object; answer: object };
}

export type ClientCallName = keyof ClientCalls;

/** What this browser saw since its last report. `loss` is a share from 0 to 1. */
export interface MediaReport {
  freezes: number;
  frozen_ms: number;
  concealed: number;
  audio_samples: number;
  round_trip_ms: number | null;
  loss: number;
  /** What the way out carries, where it keeps a picture smaller than it should be. */
  available_bps?: number;
}

export interface IceServer {
  urls: string[];
  username?: string;
  credential?: string;
}

/** Answer of `GET /appointments/{id}/video-token` and of its guest counterpart. */
export interface VisitToken {
  token: string;
  expires_at: string;
  namespace: string;
  ice_servers: IceServer[];
  participant_id: string;
}

export interface WaitingItem {
  participant_id: string;
  appointment_id: string;
  name: string;
  /** The patient's, when somebody else waits for them. */
  for_name?: string | null;
  role: ParticipantRole;
  since: string;
  start: string;
  position: number;
  readiness: Quality | null;
  state: "waiting" | "held" | "admitted" | "in-call" | "reconnecting";
  estimated_wait_s: number;
  checked_in: boolean;
  /** The colleague who handed this person over. */
  transferred_from: string | null;
  recalled_at: string | null;
}

export interface PracticeMessage {
  message_id: string;
  client_id: string;
  appointment_id: string;
  participant_id: string;
  audience: Audience;
  name: string;
  role: string;
  text: string;
  sent_at: string;
}

interface WaitingTarget {
  appointment_id: string;
  participant_id: string;
  reason?: string;
}

/** What a practitioner or the desk may ask on `/practice`. */
export interface PracticeCalls {
  "waiting.admit": { send: WaitingTarget; answer: object };
  "waiting.hold": { send: WaitingTarget; answer: object };
  "waiting.remove": { send: WaitingTarget; answer: object };
  "waiting.recall": { send: WaitingTarget; answer: object };
  "waiting.transfer": {
    send: WaitingTarget & { practitioner_id: string; note?: string };
    answer: object;
  };
  "practice.late": { send: { late_s: number }; answer: object };
  "practice.chat": {
    send: { appointment_id: string; text: string; client_id: string };
    answer: object;
  };
}
