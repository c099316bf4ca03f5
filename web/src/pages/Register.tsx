import { useState, type FormEvent } from "react";
import { Link } from "react-aria-components";
import { useLocation, useSearch } from "wouter";
import { useAccountText } from "../account/text";
import { api } from "../api/client";
import { ApiError } from "../api/http";
import { Banner, Button, Card, PageHeader, TextField, useErrorText } from "../design";
import { deviceZone } from "../format/time";
import { useLanguage, useText } from "../i18n";
import { safeNext } from "../parts/next";
import { useSession } from "../session";

type Fields = { name?: string; email?: string; password?: string };

export default function Register() {
  const t = useText();
  const ta = useAccountText();
  const explain = useErrorText();
  const { language } = useLanguage();
  const { signIn } = useSession();
  const [, go] = useLocation();
  const next = safeNext(new URLSearchParams(useSearch()).get("next"));
  const [name, setName] = useState("");
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [busy, setBusy] = useState(false);
  const [wrong, setWrong] = useState<Fields>({});
  const [failure, setFailure] = useState<string | null>(null);
  const [check, setCheck] = useState(false);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const missing: Fields = {
      name: name.trim() ? undefined : t("register.nameNeeded"),
      email: /^\S+@\S+$/.test(email.trim()) ? undefined : t("register.emailNeeded"),
      password: password ? undefined : t("register.passwordNeeded"),
    };
    setWrong(missing);
    setFailure(null);
    if (missing.name || missing.email || missing.password) return;
    setBusy(true);
    try {
      await api.register({ name: name.trim(), email: email.trim(), password, language, time_zone: deviceZone() });
      await signIn({ email: email.trim(), password });
      go(next ?? "/", { replace: true });
    } catch (error) {
      const fields: Fields = {};
      // The address has an account with another password: its owner has a mail that says so.
      if (error instanceof ApiError && (error.code === "invalid_credentials" || error.code === "second_factor_required")) {
        setCheck(true);
        return;
      }
      if (error instanceof ApiError) {
        for (const each of error.errors) if (each.field === "name" || each.field === "email" || each.field === "password") fields[each.field] = each.message;
      }
      setWrong(fields);
      if (Object.keys(fields).length === 0) setFailure(explain(error));
    } finally {
      setBusy(false);
    }
  };

  return (
    <div className="narrow stack">
      <PageHeader title={t("register.title")}>{t("register.lead")}</PageHeader>
      <Card raised>
        <form className="stack" onSubmit={(event) => void submit(event)} noValidate>
          <TextField label={t("register.name")} hint={t("register.nameHint")} autoComplete="name" value={name} onChange={setName} error={wrong.name} isRequired />
          <TextField label={t("common.email")} type="email" autoComplete="email" value={email} onChange={setEmail} error={wrong.email} isRequired />
          <TextField
            label={t("signIn.password")}
            hint={t("register.passwordHint")}
            type="password"
            autoComplete="new-password"
            value={password}
            onChange={setPassword}
            error={wrong.password}
            isRequired
          />
          {check ? <Banner icon="mail">{ta("register.check", { email: email.trim() })}</Banner> : null}
          {failure ? <Banner tone="problem">{failure}</Banner> : null}
          <Button type="submit" variant="primary" size="large" wide state={busy ? "busy" : "idle"}>
            {t("nav.register")}
          </Button>
        </form>
      </Card>
      <p className="muted">
        {t("register.haveAccount")} <Link href={next ? `/sign-in?next=${encodeURIComponent(next)}` : "/sign-in"}>{t("nav.signIn")}</Link>
      </p>
    </div>
  );
}
