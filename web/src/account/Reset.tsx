import { useState, type FormEvent } from "react";
import { api } from "../api/client";
import { ApiError, http } from "../api/http";
import { Banner, Button, ButtonLink, Card, PageHeader, TextField, useErrorText } from "../design";
import { useText } from "../i18n";
import { useAccountText } from "./text";
import { useFragment } from "./useFragment";

/** Where the link of the mail leads: a new password, once. */
export default function Reset() {
  const t = useAccountText();
  const common = useText();
  const explain = useErrorText();
  const secret = useFragment();
  const [password, setPassword] = useState("");
  const [state, setState] = useState<"asking" | "busy" | "done" | "gone">(secret ? "asking" : "gone");
  const [wrong, setWrong] = useState<string>();
  const [failure, setFailure] = useState<string | null>(null);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setState("busy");
    setWrong(undefined);
    setFailure(null);
    try {
      await api.finishReset({ secret, password });
      http.forget();
      setState("done");
    } catch (error) {
      const field = error instanceof ApiError ? error.errors.find((each) => each.field === "password") : undefined;
      setWrong(field?.message);
      if (!field) setFailure(explain(error));
      setState(error instanceof ApiError && error.code === "link_gone" ? "gone" : "asking");
    }
  };
  if (state === "done" || state === "gone")
    return (
      <div className="narrow stack">
        <PageHeader title={t("reset.title")} />
        <Banner tone={state === "done" ? "good" : "attention"}>{t(state === "done" ? "reset.done" : "reset.gone")}</Banner>
        <div>
          <ButtonLink href={state === "done" ? "/sign-in" : "/forgot-password"} variant="primary">
            {state === "done" ? common("nav.signIn") : t("reset.again")}
          </ButtonLink>
        </div>
      </div>
    );
  return (
    <div className="narrow stack">
      <PageHeader title={t("reset.title")}>{t("reset.lead")}</PageHeader>
      <Card raised>
        <form className="stack" onSubmit={(event) => void submit(event)} noValidate>
          <TextField label={t("reset.new")} hint={common("register.passwordHint")} type="password" autoComplete="new-password" value={password} onChange={setPassword} error={wrong} isRequired />
          {failure ? <Banner tone="problem">{failure}</Banner> : null}
          <Button type="submit" variant="primary" size="large" wide state={state === "busy" ? "busy" : "idle"}>
            {t("reset.save")}
          </Button>
        </form>
      </Card>
    </div>
  );
}
