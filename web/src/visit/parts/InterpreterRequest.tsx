import { useState } from "react";
import { Button, Notice, Select } from "../base";
import type { VisitSession } from "../live/session";
import type { VisitState } from "../live/state";
import type { VisitText } from "../text";
import { useNow } from "./hooks";

/** Spoken where the clinic works, by BCP 47; their names come from the browser. */
export const INTERPRETED = [
  "ar", "bm", "de", "en", "es", "ff", "fr", "ha", "it", "ln", "nl", "pl", "pt", "ro", "ru", "snk", "so", "sw", "ti", "tr", "uk", "wo", "zh", "ase", "fsl",
];

/** Asks for somebody who speaks a language, and says how the search goes. */
export function InterpreterRequest({
  session,
  visit,
  text,
}: {
  session: VisitSession;
  visit: VisitState;
  text: VisitText;
}) {
  const [language, setLanguage] = useState("");
  const [failed, setFailed] = useState(false);
  const [busy, setBusy] = useState(false);
  const { interpreter } = visit;
  const nameOf = languageNames(text);
  const searching = interpreter?.state === "searching";

  async function act(work: Promise<void>) {
    setBusy(true);
    setFailed(false);
    await work.catch(() => setFailed(true));
    setBusy(false);
  }

  return (
    <section className="v-interpreter" data-testid="interpreter">
      {interpreter && <InterpreterLine visit={visit} text={text} />}
      {searching ? (
        <Button variant="link" isDisabled={busy} onPress={() => void act(session.cancelInterpreter())}>
          {text("interpreter.cancel")}
        </Button>
      ) : (
        <div className="v-interpreter-ask">
          <Select
            label={text("interpreter.need")} placeholder={text("visit.choose")}
            value={language}
            options={INTERPRETED.map((code) => ({ value: code, label: nameOf(code) })).sort((a, b) =>
              a.label.localeCompare(b.label, text.locale),
            )}
            onChange={setLanguage}
          />
          <Button
            variant="secondary"
            isDisabled={!language}
            isPending={busy}
            onPress={() => void act(session.requestInterpreter(language))}
          >
            {text("interpreter.ask")}
          </Button>
        </div>
      )}
      {failed && <Notice tone="problem">{text("interpreter.failed")}</Notice>}
    </section>
  );
}

/** How the search stands, in one sentence. */
export function InterpreterLine({ visit, text }: { visit: VisitState; text: VisitText }) {
  const now = useNow();
  const { interpreter } = visit;
  if (!interpreter || interpreter.state === "cancelled") return null;
  const language = languageNames(text)(interpreter.language);
  const left = interpreter.expires_at ? Date.parse(interpreter.expires_at) - now : 0;
  return (
    <p role="status" data-state={interpreter.state}>
      {text(`interpreter.state.${interpreter.state}`, { language, name: interpreter.name ?? "" })}
      {interpreter.state === "searching" && left > 0 && (
        <span className="v-soft" aria-hidden="true">
          {" "}
          {text("interpreter.left", { time: text.span(left) })}
        </span>
      )}
    </p>
  );
}

/** A sentence's name of a language, also of those whose names browsers do not all know. */
export function languageNames(text: VisitText): (code: string) => string {
  const names = new Intl.DisplayNames([text.locale], { type: "language" });
  return (code) => {
    if (code === "ase" || code === "fsl") return text(`interpreter.signed.${code}`);
    const name = names.of(code) ?? code;
    return name === code && (code === "ff" || code === "snk") ? text(`interpreter.spoken.${code}`) : name;
  };
}
