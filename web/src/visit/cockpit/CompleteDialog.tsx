import { useState } from "react";
import { api } from "../../api/client";
import { ApiError } from "../../api/http";
import { ButtonLink, TextField } from "../../design";
import { Button, Dialog, Notice, Select } from "../base";
import type { WaitingItem } from "../live/protocol";
import type { VisitText } from "../text";

const OUTCOMES = ["advice", "treatment", "follow_up", "referral", "emergency"] as const;
type Outcome = (typeof OUTCOMES)[number];

/** Outcome and summary, then the next patient: closing a visit should take less than a minute. */
export function CompleteDialog({
  visitId,
  text,
  open,
  done,
  next,
  onClose,
  onDone,
  onNext,
}: {
  visitId: string;
  text: VisitText;
  open: boolean;
  /** The visit is complete already, by this dialog or before. */
  done: boolean;
  next: WaitingItem | undefined;
  onClose: () => void;
  onDone: () => void;
  onNext: (item: WaitingItem) => void;
}) {
  const [summary, setSummary] = useState("");
  const [outcome, setOutcome] = useState<Outcome>("advice");
  const [error, setError] = useState<string | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);

  async function complete() {
    if (!summary.trim()) {
      setError(text("complete.needSummary"));
      return;
    }
    setBusy(true);
    setFailure(null);
    try {
      await api.complete(visitId, { summary: summary.trim(), outcome });
      onDone();
    } catch (problem) {
      const reason = problem instanceof ApiError ? problem.detail : "";
      setFailure(text("complete.failed", { reason }));
    } finally {
      setBusy(false);
    }
  }

  if (done) {
    return (
      <Dialog title={text("cockpit.completed")} open={open} onClose={onClose}>
        <Notice tone="good" testId="visit-completed">
          {text("complete.done")}
        </Notice>
        <div className="dialog-actions">
          <ButtonLink href="/practice">{text("complete.toDay")}</ButtonLink>
          {next && (
            <Button onPress={() => onNext(next)}>
              {text("complete.nextPatient", { name: next.name })}
            </Button>
          )}
        </div>
      </Dialog>
    );
  }
  return (
    <Dialog title={text("complete.title")} open={open} onClose={onClose} wide>
      <Select
        label={text("complete.outcome")}
        value={outcome}
        options={OUTCOMES.map((one) => ({ value: one, label: text(`complete.outcome.${one}`) }))}
        onChange={(one) => setOutcome(one as Outcome)}
      />
      <TextField
        label={text("complete.summary")}
        hint={text("complete.summaryHelp")}
        {...(error && { error })}
        value={summary}
        onChange={(value) => {
          setSummary(value);
          setError(null);
        }}
        multiline
        rows={7}
        maxLength={8000}
        autoFocus
      />
      {failure && <Notice tone="problem">{failure}</Notice>}
      <div className="dialog-actions">
        <Button variant="secondary" onPress={onClose}>
          {text("visit.cancel")}
        </Button>
        <Button isPending={busy} onPress={() => void complete()}>
          {text(busy ? "complete.submitting" : "complete.submit")}
        </Button>
      </div>
    </Dialog>
  );
}
