import { useEffect, useRef, useState } from "react";
import { api } from "../../api/client";
import type { LinkState } from "../live/link";
import type { PracticeMessage, WaitingItem } from "../live/protocol";
import { PracticeSignaling } from "../live/signaling";
import { play } from "../live/sound";

export interface Practice {
  /** Null until the first list is here. */
  items: WaitingItem[] | null;
  connection: LinkState;
  admit: (item: WaitingItem) => Promise<unknown>;
  hold: (item: WaitingItem) => Promise<unknown>;
  remove: (item: WaitingItem) => Promise<unknown>;
  transfer: (item: WaitingItem, practitionerId: string, note: string) => Promise<unknown>;
  /** Sends somebody who has wandered off a notice. */
  recall: (item: WaitingItem) => Promise<unknown>;
  late: (minutes: number) => Promise<unknown>;
  /** How late this practitioner said they are; null before it is known, and for the desk. */
  lateMinutes: number | null;
  /** What came with people who were handed over, by visit. */
  notes: Record<string, PracticeMessage>;
}

/** The waiting rooms of this practitioner, live, with a sound when somebody new arrives. */
export function usePractice(): Practice {
  const [items, setItems] = useState<WaitingItem[] | null>(null);
  const [connection, setConnection] = useState<LinkState>("connecting");
  const [lateMinutes, setLateMinutes] = useState<number | null>(null);
  const [notes, setNotes] = useState<Record<string, PracticeMessage>>({});
  const signaling = useRef<PracticeSignaling | null>(null);
  const known = useRef<Set<string> | null>(null);
  useEffect(() => {
    const created = new PracticeSignaling(() => api.practiceToken(), {
      onList: (list, lateS) => {
        setLateMinutes(lateS === null ? null : Math.round(lateS / 60));
        const present = new Set(list.map(keyOf));
        const before = known.current;
        known.current = present;
        if (before && list.some((item) => item.state === "waiting" && !before.has(keyOf(item))))
          void play("arrived");
        setItems([...list].sort((a, b) => a.position - b.position));
      },
      onMessage: (message) => {
        if (message.audience !== "clinicians") return;
        setNotes((all) => ({ ...all, [message.appointment_id]: message }));
      },
      onConnection: setConnection,
    });
    signaling.current = created;
    created.connect();
    return () => created.close();
  }, []);
  const act = (name: "waiting.admit" | "waiting.hold" | "waiting.remove" | "waiting.recall") => (item: WaitingItem) =>
    call((link) =>
      link.call(name, {
        appointment_id: item.appointment_id,
        participant_id: item.participant_id,
      }),
    );
  const call = (ask: (link: PracticeSignaling) => Promise<unknown>): Promise<unknown> =>
    signaling.current ? ask(signaling.current) : Promise.reject(new Error("not connected"));
  return {
    items,
    connection,
    admit: act("waiting.admit"),
    hold: act("waiting.hold"),
    remove: act("waiting.remove"),
    recall: act("waiting.recall"),
    transfer: (item, practitionerId, note) =>
      call((link) =>
        link.call("waiting.transfer", {
          appointment_id: item.appointment_id,
          participant_id: item.participant_id,
          practitioner_id: practitionerId,
          ...(note && { note }),
        }),
      ),
    notes,
    lateMinutes,
    late: (minutes) => call((link) => link.call("practice.late", { late_s: minutes * 60 })),
  };
}

export function keyOf(item: WaitingItem): string {
  return `${item.appointment_id}.${item.participant_id}`;
}

/** People who may be let in now, longest waiting first. */
export function toAdmit(items: readonly WaitingItem[] | null): WaitingItem[] {
  return (items ?? []).filter(({ state }) => state === "waiting" || state === "held");
}
