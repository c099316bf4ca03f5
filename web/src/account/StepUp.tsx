import { useEffect, useRef, useState, type FormEvent, type ReactNode } from "react";
import { api } from "../api/client";
import { ApiError, http } from "../api/http";
import { Banner, Button, Dialog, TextField, useErrorText } from "../design";
import { useSession } from "../session";
import { askPasskey, isCancelled, passkeysWork } from "./passkey";
import { useAccountText } from "./text";

/** The person closed the question: what they began does not happen, and there is nothing to explain. */
export function isNotProved(error: unknown): boolean {
  return error instanceof ApiError && error.code === "step_up_required";
}

/** Asks for a fresh proof whenever the server wants one for a sensitive act; the act then goes on by itself. */
export function StepUpProvider({ children }: { children: ReactNode }) {
  const [asking, setAsking] = useState(false);
  const settle = useRef<(proved: boolean) => void>(() => undefined);
  const waiting = useRef<Promise<boolean> | null>(null);
  useEffect(
    () =>
      http.onStepUp(() => {
        // Acts that are refused at the same moment share one question.
        waiting.current ??= new Promise<boolean>((resolve) => {
          settle.current = resolve;
          setAsking(true);
        }).finally(() => {
          waiting.current = null;
          setAsking(false);
        });
        return waiting.current;
      }),
    [],
  );
  return (
    <>
      {children}
      {asking ? <Question onDone={(proved) => settle.current(proved)} /> : null}
    </>
  );
}

function Question({ onDone }: { onDone: (proved: boolean) => void }) {
  const t = useAccountText();
  const explain = useErrorText();
  const { accept } = useSession();
  const [password, setPassword] = useState("");
  const [code, setCode] = useState<string | null>(null);
  const [busy, setBusy] = useState<"form" | "passkey" | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const prove = async (how: "form" | "passkey", input: () => Promise<Parameters<typeof api.stepUp>[0]>) => {
    setBusy(how);
    setFailure(null);
    try {
      accept(await api.stepUp(await input()));
      onDone(true);
    } catch (error) {
      if (error instanceof ApiError && error.code === "second_factor_required") setCode("");
      else setFailure(isCancelled(error) ? t("signIn.cancelled") : explain(error));
      setBusy(null);
    }
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void prove("form", () => Promise.resolve({ password, code: code?.trim() || undefined }));
  };
  const withPasskey = async () => {
    const offered = await api.passkeyOptions();
    return { passkey: { ceremony: offered.ceremony, credential: await askPasskey(offered) } };
  };
  return (
    <Dialog title={t("step.title")} isOpen onClose={() => onDone(false)}>
      <form className="stack" onSubmit={submit} noValidate>
        <p className="muted">{t("step.text")}</p>
        <TextField label={t("step.password")} type="password" autoComplete="current-password" value={password} onChange={setPassword} autoFocus />
        {code !== null ? <TextField label={t("step.code")} autoComplete="one-time-code" value={code} onChange={setCode} autoFocus /> : null}
        {failure ? <Banner tone="problem">{failure}</Banner> : null}
        <div className="dialog-actions">
          {passkeysWork() ? (
            <Button icon="lock" state={busy === "passkey" ? "busy" : "idle"} onPress={() => void prove("passkey", withPasskey)}>
              {t("step.passkey")}
            </Button>
          ) : null}
          <Button type="submit" variant="primary" state={busy === "form" ? "busy" : "idle"}>
            {t("step.confirm")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
