import { useState, type FormEvent } from "react";
import { Link } from "react-aria-components";
import { api } from "../api/client";
import { Banner, Button, Card, PageHeader, TextField, useErrorText } from "../design";
import { useText } from "../i18n";
import { useAccountText } from "./text";

export default function Forgot() {
  const t = useAccountText();
  const common = useText();
  const explain = useErrorText();
  const [email, setEmail] = useState("");
  const [busy, setBusy] = useState(false);
  const [sent, setSent] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setFailure(null);
    try {
      await api.askReset(email.trim());
      setSent(true);
    } catch (error) {
      setFailure(explain(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <div className="narrow stack">
      <PageHeader title={t("forgot.title")}>{t("forgot.lead")}</PageHeader>
      <Card raised>
        <form className="stack" onSubmit={(event) => void submit(event)} noValidate>
          <TextField label={common("common.email")} type="email" autoComplete="username" value={email} onChange={setEmail} isRequired />
          {failure ? <Banner tone="problem">{failure}</Banner> : null}
          {sent ? (
            <Banner tone="good" icon="mail">
              {t("forgot.sent")}
            </Banner>
          ) : null}
          <Button type="submit" variant="primary" size="large" wide state={busy ? "busy" : "idle"}>
            {t("forgot.send")}
          </Button>
        </form>
      </Card>
      <p>
        <Link href="/sign-in">{t("forgot.back")}</Link>
      </p>
    </div>
  );
}
