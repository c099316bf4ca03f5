import { useState, type FormEvent } from "react";
import { api } from "../api/client";
import { ApiError } from "../api/http";
import { useResource } from "../api/useResource";
import { ActionButton, Badge, Banner, Button, Card, TextField, useErrorText, useToast } from "../design";
import { useFormat } from "../format/useFormat";
import { useSession } from "../session";
import { isNotProved } from "./StepUp";
import { useAccountText } from "./text";

/** The address one signs in with, and changing it. */
export function EmailAddress() {
  const t = useAccountText();
  const explain = useErrorText();
  const format = useFormat();
  const say = useToast();
  const { user } = useSession();
  const waiting = useResource("email change", api.emailChange);
  const [email, setEmail] = useState("");
  const [busy, setBusy] = useState(false);
  const [wrong, setWrong] = useState<string>();
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setWrong(undefined);
    if (!/^\S+@\S+$/.test(email.trim())) {
      setWrong(t("email.needed"));
      return;
    }
    setBusy(true);
    try {
      await api.changeEmail(email.trim());
      setEmail("");
      await waiting.reload();
    } catch (error) {
      if (!isNotProved(error)) setWrong(error instanceof ApiError && error.errors[0] ? t("email.same") : explain(error));
    } finally {
      setBusy(false);
    }
  };
  const pending = waiting.data?.email ? waiting.data : null;
  return (
    <Card as="section" className="stack" labelledBy="email">
      <div>
        <h2 id="email">{t("email.title")}</h2>
        <p className="row-tight">
          <span className="strong prewrap">{user?.email}</span>
          {user ? <Badge tone={user.email_verified ? "good" : "attention"}>{t(user.email_verified ? "email.verified" : "email.unverified")}</Badge> : null}
        </p>
      </div>
      {pending ? (
        <Banner
          icon="mail"
          action={
            <ActionButton
              size="small"
              act={async () => {
                await api.cancelEmailChange();
                await waiting.reload();
              }}
              onFailed={(error) => say(explain(error))}
            >
              {t("email.cancel")}
            </ActionButton>
          }
        >
          {t("email.sent", { email: pending.email ?? "", time: format.dayAndClock(pending.expires_at ?? "") })}
        </Banner>
      ) : null}
      <form className="stack" onSubmit={(event) => void submit(event)} noValidate>
        <TextField label={t("email.new")} hint={t("email.hint")} type="email" autoComplete="email" value={email} onChange={setEmail} error={wrong} />
        <div>
          <Button type="submit" state={busy ? "busy" : "idle"} isDisabled={!email.trim()}>
            {t("email.change")}
          </Button>
        </div>
      </form>
    </Card>
  );
}
