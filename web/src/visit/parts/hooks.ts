import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import { http } from "../../api/http";
import type { VisitToken } from "../live/protocol";
import { VisitSession, type VisitView } from "../live/session";
import { meter } from "../live/sound";

/** One session per visit and page life. `attempt` begins again after a final refusal. */
export function useVisitSession(
  appointmentId: string,
  fetchToken: () => Promise<VisitToken>,
  attempt = 0,
): { session: VisitSession | null; view: VisitView | null } {
  const [session, setSession] = useState<VisitSession | null>(null);
  const fetcher = useRef(fetchToken);
  fetcher.current = fetchToken;
  useEffect(() => {
    const created = new VisitSession(appointmentId, () => fetcher.current());
    setSession(created);
    created.start();
    return () => created.close();
  }, [appointmentId, attempt]);
  const view = useSyncExternalStore(
    session?.subscribe ?? subscribeToNothing,
    session?.getView ?? viewNothing,
  );
  return { session, view };
}

const subscribeToNothing = (): (() => void) => () => undefined;
const viewNothing = (): null => null;

/** The present by the server's clock, renewed every `everyMs`. */
export function useNow(everyMs = 1_000): number {
  const [now, setNow] = useState(() => http.time());
  useEffect(() => {
    const timer = window.setInterval(() => setNow(http.time()), everyMs);
    return () => window.clearInterval(timer);
  }, [everyMs]);
  return now;
}

/** Calls `show` with the loudness of a track for each frame the page paints. */
export function useLevel(track: MediaStreamTrack | null, show: (level: number) => void): void {
  const latest = useRef(show);
  latest.current = show;
  useEffect(() => {
    const measured = track ? meter(track) : null;
    if (!measured) {
      latest.current(0);
      return undefined;
    }
    let frame = requestAnimationFrame(function paint() {
      latest.current(measured.read());
      frame = requestAnimationFrame(paint);
    });
    return () => {
      cancelAnimationFrame(frame);
      measured.close();
    };
  }, [track]);
}

/** Turns keys pressed outside of text into actions, by `KeyboardEvent.code`, signs by the sign itself. */
export function useShortcuts(enabled: boolean, actions: Record<string, () => void>): void {
  const latest = useRef(actions);
  latest.current = actions;
  useEffect(() => {
    if (!enabled) return undefined;
    const onKey = (event: KeyboardEvent) => {
      if (event.altKey || event.ctrlKey || event.metaKey || event.repeat) return;
      const target = event.target as HTMLElement | null;
      if (target?.closest("input, textarea, select, [contenteditable], [role=listbox], [role=menu]"))
        return;
      const action = latest.current[event.code] ?? latest.current[event.key];
      if (!action) return;
      event.preventDefault();
      action();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [enabled]);
}
