import { useCallback, useEffect, useRef, useState } from "react";
import { api } from "../../api/client";
import { ApiError } from "../../api/http";

export type NotesState = "loading" | "saved" | "waiting" | "saving" | "failed" | "conflict";

export interface NotesModel {
  text: string;
  state: NotesState;
  savedAt: string | null;
  /** What somebody else saved meanwhile, while `state` is `conflict`. */
  theirs: string | null;
  change: (text: string) => void;
  resolve: (how: "mine" | "theirs" | "both") => void;
}

/** Long enough not to save each word, short enough to lose at most a sentence. */
const PAUSE_MS = 900;
const RETRY_MS = 4_000;

/**
 * Notes that save themselves. One save at a time, always the newest text; a version that moved on
 * elsewhere stops saving until the writer chooses. The text is never kept on this device.
 */
export function useNotes(visitId: string): NotesModel {
  const [text, setText] = useState("");
  const [state, setState] = useState<NotesState>("loading");
  const [savedAt, setSavedAt] = useState<string | null>(null);
  const [theirs, setTheirs] = useState<string | null>(null);
  const latest = useRef("");
  const version = useRef(0);
  const saving = useRef(false);
  const blocked = useRef(true);
  const timer = useRef<number | undefined>(undefined);

  const save = useCallback(async () => {
    if (saving.current || blocked.current) return;
    saving.current = true;
    const sent = latest.current;
    setState("saving");
    try {
      const saved = await api.saveNotes(visitId, { text: sent, version: version.current });
      version.current = saved.version;
      setSavedAt(saved.saved_at);
      setState(latest.current === sent ? "saved" : "waiting");
    } catch (error) {
      if (error instanceof ApiError && error.code === "version_conflict") {
        blocked.current = true;
        const other = await api.notes(visitId).catch(() => null);
        if (other && other.text === sent) {
          // Our own earlier save whose answer was lost on the way.
          version.current = other.version;
          blocked.current = false;
          setState("saved");
        } else if (other) {
          version.current = other.version;
          setTheirs(other.text);
          setState("conflict");
        } else {
          blocked.current = false;
          setState("failed");
        }
      } else {
        setState("failed");
      }
    } finally {
      saving.current = false;
    }
    window.clearTimeout(timer.current);
    if (!blocked.current && latest.current !== sent) {
      timer.current = window.setTimeout(() => void save(), PAUSE_MS);
    }
  }, [visitId]);

  useEffect(() => {
    let gone = false;
    const load = async () => {
      try {
        const loaded = await api.notes(visitId);
        if (gone) return;
        latest.current = loaded.text;
        version.current = loaded.version;
        blocked.current = false;
        setText(loaded.text);
        setSavedAt(loaded.saved_at);
        setState("saved");
      } catch {
        if (!gone) timer.current = window.setTimeout(() => void load(), RETRY_MS);
      }
    };
    void load();
    return () => {
      gone = true;
      window.clearTimeout(timer.current);
      blocked.current = true;
    };
  }, [visitId]);

  useEffect(() => {
    if (state !== "failed") return undefined;
    const retry = window.setTimeout(() => void save(), RETRY_MS);
    return () => window.clearTimeout(retry);
  }, [state, save]);

  useEffect(() => {
    if (state === "saved" || state === "loading") return undefined;
    const warn = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener("beforeunload", warn);
    return () => window.removeEventListener("beforeunload", warn);
  }, [state]);

  const change = useCallback(
    (next: string) => {
      latest.current = next;
      setText(next);
      if (blocked.current) return;
      setState("waiting");
      window.clearTimeout(timer.current);
      timer.current = window.setTimeout(() => void save(), PAUSE_MS);
    },
    [save],
  );

  const resolve = useCallback(
    (how: "mine" | "theirs" | "both") => {
      const mine = latest.current;
      const other = theirs ?? "";
      const next = how === "mine" ? mine : how === "theirs" ? other : `${other}\n\n${mine}`;
      latest.current = next;
      blocked.current = false;
      setText(next);
      setTheirs(null);
      if (how === "theirs") setState("saved");
      else void save();
    },
    [theirs, save],
  );

  return { text, state, savedAt, theirs, change, resolve };
}
