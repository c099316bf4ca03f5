import { useCallback, useEffect, useRef, useState } from "react";
import { api } from "../api/client";
import { ApiError } from "../api/http";
import type { Hold, Id, Slot } from "../api/types";
import "./scheduling.css";

export type Holding = {
  hold: Hold | null;
  /** The hold ran out: the time may have gone to somebody else. */
  over: boolean;
  end: () => void;
  /** The booking used it up: nothing is left to give back. */
  used: () => void;
};

/**
 * Keeps a chosen time for the person while they confirm, and gives it back when they choose another or leave.
 * `onTaken` hears when somebody else has it. Without a hold the booking still decides: other failures are left to it.
 */
export function useHold(practitionerId: Id, slot: Slot | null, patientId: Id | null, onTaken: (error: ApiError) => void): Holding {
  const [hold, setHold] = useState<Hold | null>(null);
  const [over, setOver] = useState(false);
  const held = useRef<Hold | null>(null);
  /** The hold before is given back first: a time kept for oneself would be taken when one books it for a child. */
  const settled = useRef<Promise<unknown>>(Promise.resolve());
  const taken = useRef(onTaken);
  taken.current = onTaken;
  const start = slot?.start ?? null;

  useEffect(() => {
    setOver(false);
    if (!start || !patientId) return;
    let left = false;
    const ask = () => (left ? null : api.hold({ practitioner_id: practitionerId, start, patient_id: patientId }));
    const asked = settled.current.then(ask).then(
      (made) => {
        held.current = made;
        if (!left) setHold(made);
        return made;
      },
      (error: unknown) => {
        if (!left && error instanceof ApiError && (error.code === "slot_taken" || error.code === "slot_not_offered")) taken.current(error);
        return null;
      },
    );
    return () => {
      left = true;
      setHold(null);
      settled.current = asked.then((made) => {
        if (!made || held.current?.id !== made.id) return undefined;
        held.current = null;
        return api.releaseHold(made.id).catch(() => undefined);
      });
    };
  }, [practitionerId, start, patientId]);

  const used = useCallback(() => {
    held.current = null;
  }, []);
  const end = useCallback(() => {
    held.current = null;
    setHold(null);
    setOver(true);
  }, []);
  return { hold, over, end, used };
}
