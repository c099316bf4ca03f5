import { describe, expect, it } from "vitest";
import type { LiveChatMessage, LiveParticipant, ServerEvent, Snapshot } from "./protocol";
import { receiptOf, reduceVisit, type VisitState } from "./state";

const SNAPSHOT: Snapshot = {
  appointment_id: "visit",
  you: { participant_id: "me", name: "Awa", role: "patient", state: "waiting" },
  call: { state: "idle", started_at: null },
  participants: [],
  waiting: { position: 2, estimated_wait_s: 600, late_s: 0 },
  mode: "high",
  mode_reason: null,
  generation: 0,
  pinned: null,
  practitioner: { name: "Dr Adjoa Mensah", title: "General practitioner" },
  chat_unread: 0,
  last_messages: [],
  chat_marks: [],
  interpreter: null,
};

const DOCTOR: LiveParticipant = {
  participant_id: "doctor",
  name: "Dr Adjoa Mensah",
  role: "practitioner",
  state: "connected",
  hand: false,
  tracks: [],
};

function message(id: string, minute: number, text = id): LiveChatMessage {
  return {
    message_id: id,
    client_id: `client-${id}`,
    participant_id: "doctor",
    name: DOCTOR.name,
    role: "practitioner",
    audience: "all",
    text,
    file: null,
    sent_at: `2026-11-21T08:${String(minute).padStart(2, "0")}:00.000Z`,
    edited_at: null,
  };
}

function begin(change: Partial<Snapshot> = {}): VisitState {
  const state = reduceVisit(null, { type: "snapshot", snapshot: { ...SNAPSHOT, ...change } });
  if (!state) throw new Error("a snapshot always makes a state");
  return state;
}

function play(state: VisitState, ...events: ServerEvent[]): VisitState {
  return events.reduce<VisitState>(
    (current, event) => reduceVisit(current, { type: "event", event }) ?? current,
    state,
  );
}

describe("the visit's state", () => {
  it("is nothing before the first snapshot", () => {
    const event: ServerEvent = { name: "call.admitted", payload: { reason: null } };
    expect(reduceVisit(null, { type: "event", event })).toBeNull();
  });

  it("follows the waiting room to the call", () => {
    const state = play(
      begin(),
      { name: "waiting.updated", payload: { position: 1, estimated_wait_s: 60, late_s: 300 } },
      { name: "call.admitted", payload: { reason: null } },
    );
    expect(state.waiting?.position).toBe(1);
    expect(state.you.state).toBe("admitted");
    const joined = reduceVisit(state, {
      type: "call.joined",
      participants: [DOCTOR],
      generation: 3,
    });
    expect(joined).toMatchObject({ generation: 3, waiting: null, you: { state: "in-call" } });
  });

  it("stays in the call when the admission comes again by a replay", () => {
    const state = begin({ you: { ...SNAPSHOT.you, state: "in-call" } });
    const again = play(state, { name: "call.admitted", payload: { reason: null } });
    expect(again.you.state).toBe("in-call");
  });

  it("reaches the same state when events are replayed over a snapshot that has them", () => {
    const events: ServerEvent[] = [
      { name: "call.participant", payload: { change: "joined", participant: DOCTOR } },
      { name: "chat.message", payload: { message: message("m1", 1) } },
      {
        name: "call.participant",
        payload: { change: "updated", participant: { ...DOCTOR, hand: true } },
      },
    ];
    const once = play(begin(), ...events);
    expect(play(once, ...events)).toEqual(once);
  });

  it("counts an unread message once, and never one's own", () => {
    const event: ServerEvent = { name: "chat.message", payload: { message: message("m1", 1) } };
    const own: ServerEvent = {
      name: "chat.message",
      payload: { message: { ...message("m2", 2), participant_id: "me" } },
    };
    const state = play(begin(), event, event, own);
    expect(state.unread).toBe(1);
    expect(state.messages).toHaveLength(2);
    expect(reduceVisit(state, { type: "chat.read" })?.unread).toBe(0);
  });

  it("orders messages by time, whatever order they came in", () => {
    const state = play(
      begin({ last_messages: [message("m3", 3)] }),
      { name: "chat.message", payload: { message: message("m4", 4) } },
      { name: "chat.message", payload: { message: message("m1", 1) } },
    );
    expect(state.messages.map(({ message_id }) => message_id)).toEqual(["m1", "m3", "m4"]);
  });

  it("keeps the edited text when the original is replayed after it", () => {
    const edited = { ...message("m1", 1, "new"), edited_at: "2026-11-21T08:05:00.000Z" };
    const state = play(
      begin(),
      { name: "chat.updated", payload: { message: edited } },
      { name: "chat.message", payload: { message: message("m1", 1, "old") } },
    );
    expect(state.messages.map(({ text }) => text)).toEqual(["new"]);
  });

  it("replaces a pending message by its confirmation, from the answer or from the event", () => {
    const sending = reduceVisit(begin(), {
      type: "chat.sending",
      message: {
        client_id: "client-m1",
        text: "hello",
        file: null,
        audience: "all",
        state: "sending",
      },
    });
    expect(sending?.pending).toHaveLength(1);
    const own = { ...message("m1", 1, "hello"), participant_id: "me" };
    const byEvent = reduceVisit(sending, {
      type: "event",
      event: { name: "chat.message", payload: { message: own } },
    });
    const byBoth = reduceVisit(byEvent, { type: "chat.sent", message: own });
    expect(byBoth).toMatchObject({ pending: [], unread: 0 });
    expect(byBoth?.messages).toHaveLength(1);
    const bySnapshot = reduceVisit(sending, {
      type: "snapshot",
      snapshot: { ...SNAPSHOT, last_messages: [own] },
    });
    expect(bySnapshot?.pending).toEqual([]);
  });

  it("keeps earlier messages when a snapshot brings only the last ones", () => {
    const state = play(begin(), { name: "chat.message", payload: { message: message("m1", 1) } });
    const resumed = reduceVisit(state, {
      type: "snapshot",
      snapshot: { ...SNAPSHOT, last_messages: [message("m2", 2)] },
    });
    expect(resumed?.messages.map(({ message_id }) => message_id)).toEqual(["m1", "m2"]);
  });

  it("forgets who leaves, as speaker too, and ignores a second leaving", () => {
    const left: ServerEvent = {
      name: "call.participant",
      payload: { change: "left", participant: DOCTOR },
    };
    const state = play(
      begin({ participants: [DOCTOR] }),
      { name: "call.speakers", payload: { participant_ids: ["doctor"] } },
      left,
      left,
    );
    expect(state).toMatchObject({ participants: [], speakers: [] });
  });

  it("shows a removal and an end, and opens again when somebody joins", () => {
    const ended = play(begin({ participants: [DOCTOR] }), {
      name: "call.ended",
      payload: { reason: "practitioner" },
    });
    expect(ended).toMatchObject({ call: { state: "ended" }, participants: [] });
    const again = play(ended, {
      name: "call.participant",
      payload: { change: "joined", participant: DOCTOR },
    });
    expect(again.call.state).toBe("open");
    const removed = play(begin(), { name: "call.removed", payload: { reason: "late" } });
    expect(removed).toMatchObject({ you: { state: "removed" }, reason: "late" });
  });

  it("never goes back to an older life of the room", () => {
    const state = play(begin({ generation: 4 }), {
      name: "media.reset",
      payload: { connection: "both", generation: 3, reason: "worker_lost" },
    });
    expect(state.generation).toBe(4);
  });
});

describe("marks in the chat", () => {
  const marks = { doctor: { participant_id: "doctor", delivered: "m3", read: "m2" } };

  it("say how far a message has got", () => {
    expect(receiptOf({ message_id: "m2" }, marks)).toBe("read");
    expect(receiptOf({ message_id: "m3" }, marks)).toBe("delivered");
    expect(receiptOf({ message_id: "m4" }, marks)).toBe("sent");
  });

  it("follow each person, and one reader is enough", () => {
    const state = play(begin({ chat_marks: [marks.doctor] }), {
      name: "chat.marks",
      payload: { participant_id: "guest", delivered: "m4", read: "m4" },
    });
    expect(receiptOf({ message_id: "m4" }, state.marks)).toBe("read");
  });
});

describe("what everybody is told", () => {
  it("keeps the call-back number until another comes", () => {
    const state = play(
      begin(),
      { name: "call.mode", payload: { mode: "phone", reason: "loss", callback_phone: "+221771234567" } },
      { name: "call.mode", payload: { mode: "phone", reason: "chosen" } },
    );
    expect(state).toMatchObject({ mode: "phone", modeReason: "chosen", callbackPhone: "+221771234567" });
  });

  it("names the colleague who takes over", () => {
    const practitioner = { name: "Dr Sow", title: "Dr" };
    const state = play(begin(), { name: "waiting.transferred", payload: { practitioner } });
    expect(state.practitioner).toEqual(practitioner);
  });
});
