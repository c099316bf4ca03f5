import { useState, type FormEvent } from "react";
import { api } from "../api/client";
import type { Answered, SignedIn } from "../api/types";
import { Banner, Button, Card, PageHeader, TextField, useErrorText } from "../design";
import { askPasskey, isCancelled, passkeysWork } from "./passkey";
import { useAccountText } from "./text";

/** What `second_factor_required` carries. */
export type Pending = { pending_token: string; methods: ("totp" | "passkey" | "recovery_code")[] };

/** Between the password and being signed in: a code, or a passkey. */
export function SecondStep({ pending, onSignedIn, onBack }: { pending: Pending; onSignedIn: (signedIn: SignedIn) => Promise<void>; onBack: () => void }) {
  const t = useAccountText();
  const explain = useErrorText();
  const [code, setCode] = useState("");
  const [busy, setBusy] = useState<"code" | "passkey" | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const totp = pending.methods.includes("totp");

  const prove = async (how: "code" | "passkey", proof: () => Promise<{ code: string } | { passkey: Answered }>) => {
    setBusy(how);
    setFailure(null);
    try {
      await onSignedIn(await api.loginFactor({ pending_token: pending.pending_token, ...(await proof()) }));
    } catch (error) {
      setFailure(isCancelled(error) ? t("signIn.cancelled") : explain(error));
    } finally {
      setBusy(null);
    }
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void prove("code", () => Promise.resolve({ code: code.trim() }));
  };
  const withPasskey = async () => {
    const offered = await api.passkeyOptions();
    return { passkey: { ceremony: offered.ceremony, credential: await askPasskey(offered) } };
  };

  return (
    <div className="narrow stack">
      <PageHeader title={t("signIn.second")}>{t("signIn.secondText")}</PageHeader>
      <Card raised>
        <form className="stack" onSubmit={submit} noValidate>
          {pending.methods.includes("passkey") && passkeysWork() ? (
            <Button variant="primary" size="large" wide icon="lock" state={busy === "passkey" ? "busy" : "idle"} onPress={() => void prove("passkey", withPasskey)}>
              {t("signIn.usePasskey")}
            </Button>
          ) : null}
          <TextField label={t("signIn.code")} hint={t(totp ? "signIn.codeHint" : "signIn.recoveryHint")} autoComplete="one-time-code" value={code} onChange={setCode} autoFocus />
          {failure ? <Banner tone="problem">{failure}</Banner> : null}
          <Button type="submit" variant={totp ? "primary" : "plain"} size="large" wide state={busy === "code" ? "busy" : "idle"}>
            {t("signIn.confirm")}
          </Button>
        </form>
      </Card>
      <div>
        <Button variant="quiet" onPress={onBack}>
          {t("signIn.another")}
        </Button>
      </div>
    </div>
  );
}
