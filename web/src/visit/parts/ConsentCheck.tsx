import { useState } from "react";
import { ApiError } from "../../api/http";
import type { CheckIn } from "../../api/types";
import { Button, Notice } from "../base";
import type { VisitText } from "../text";
import type { Safety } from "./SafetyCheck";

/** What the patient agrees to before being seen by video: the text, and one press. */
export function ConsentCheck({
  consent,
  safety,
  text,
  withdrawn,
  onDone,
}: {
  consent: NonNullable<CheckIn["consent"]>;
  safety: Safety;
  text: VisitText;
  /** It was taken back while this visit was open. */
  withdrawn: boolean;
  onDone: (checked: CheckIn) => void;
}) {
  const [state, setState] = useState<"idle" | "busy" | "failed">("idle");

  async function agree() {
    setState("busy");
    try {
      onDone(await safety.agree({ version: consent.version, language: consent.language }));
    } catch (error) {
      // A newer text: it is read before anything is agreed to.
      if (error instanceof ApiError && error.code === "consent_text_changed") onDone(await safety.ask());
      setState("failed");
    }
  }

  return (
    <section className="v-safety" aria-labelledby="consent-title" data-testid="consent">
      <header className="v-check-head">
        <h1 id="consent-title">{consent.title}</h1>
        <p>{text(withdrawn ? "consent.withdrawn" : "consent.lead")}</p>
      </header>
      <div className="v-safety-who" lang={consent.language}>
        <p className="v-consent-text">{consent.body}</p>
      </div>
      {state === "failed" && <Notice tone="problem">{text("consent.failed")}</Notice>}
      <div className="v-actions">
        <Button size="large" isPending={state === "busy"} onPress={() => void agree()}>
          {text("consent.agree")}
        </Button>
      </div>
      <p className="muted">{text("consent.later")}</p>
    </section>
  );
}
