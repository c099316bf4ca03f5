import { Button, Notice } from "../base";
import type { VisitText } from "../text";
import type { NotesModel } from "./useNotes";

export function Notes({ notes, text }: { notes: NotesModel; text: VisitText }) {
  const { state, savedAt, theirs } = notes;
  const said =
    state === "saved"
      ? savedAt && text("notes.saved", { time: text.time(savedAt) })
      : state === "saving"
        ? text("notes.saving")
        : state === "failed"
          ? text("notes.failed")
          : state === "waiting"
            ? text("notes.waiting")
            : null;
  return (
    <section className="v-notes" aria-label={text("cockpit.notes")}>
      {state === "conflict" && (
        <Notice tone="attention" testId="notes-conflict">
          <strong>{text("notes.conflict.title")}</strong>
          <p>{text("notes.conflict.body")}</p>
          <p className="v-quote-head">{text("notes.conflict.theirs")}</p>
          <blockquote>{theirs}</blockquote>
          <div className="v-actions v-actions-start">
            <Button size="small" onPress={() => notes.resolve("both")}>
              {text("notes.conflict.keepBoth")}
            </Button>
            <Button size="small" variant="secondary" onPress={() => notes.resolve("mine")}>
              {text("notes.conflict.keepMine")}
            </Button>
            <Button size="small" variant="secondary" onPress={() => notes.resolve("theirs")}>
              {text("notes.conflict.keepTheirs")}
            </Button>
          </div>
        </Notice>
      )}
      <h2 className="v-notes-title">{text("cockpit.notes")}</h2>
      <textarea
        className="input v-notes-text"
        aria-label={text("notes.label")}
        aria-describedby="notes-help"
        value={notes.text}
        disabled={state === "loading"}
        maxLength={20_000}
        onChange={(event) => notes.change(event.target.value)}
      />
      <p className="v-notes-foot" id="notes-help">
        <span>{text("notes.help")}</span>
        <span role="status" data-state={state} data-testid="notes-state">
          {said}
        </span>
      </p>
    </section>
  );
}
