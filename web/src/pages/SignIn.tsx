import { useState, type FormEvent } from "react";
import { Link } from "react-aria-components";
import { useLocation, useSearch } from "wouter";
import { ProviderButtons } from "../account/ProviderButtons";
import { SecondStep, type Pending } from "../account/SecondStep";
import { askPasskey, isCancelled, passkeysWork } from "../account/passkey";
import { useAccountText } from "../account/text";
import { api } from "../api/client";
import { ApiError } from "../api/http";
import type { User } from "../api/types";
import { useResource } from "../api/useResource";
import { homeOf } from "../app/Shell";
import { Avatar, Banner, Button, Card, PageHeader, TextField, useErrorText } from "../design";
import { useText } from "../i18n";
import { safeNext } from "../parts/next";
import { useSession } from "../session";

export default function SignIn() {
  const t = useText();
  const ta = useAccountText();
  const explain = useErrorText();
  const { signIn, accept } = useSession();
  const [, go] = useLocation();
  const next = safeNext(new URLSearchParams(useSearch()).get("next"));
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [pending, setPending] = useState<Pending | null>(null);
  const [busy, setBusy] = useState<string | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  // Answers 404 anywhere but in the demonstration; then nothing is shown.
  const demo = useResource("demo", api.demo);

  const enter = async (who: string, how: () => Promise<User>) => {
    setBusy(who);
    setFailure(null);
    try {
      const user = await how();
      go(user.role === "enrolling" ? homeOf(user.role) : (next ?? homeOf(user.role)), { replace: true });
    } catch (error) {
      if (error instanceof ApiError && error.code === "second_factor_required") setPending(error.problem as Pending);
      else setFailure(isCancelled(error) ? ta("signIn.cancelled") : explain(error));
    } finally {
      setBusy(null);
    }
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void enter("form", () => signIn({ email: email.trim(), password }));
  };
  const withPasskey = async () => {
    const offered = await api.passkeyOptions();
    return accept(await api.passkeyLogin({ ceremony: offered.ceremony, credential: await askPasskey(offered) }));
  };

  if (pending) return <SecondStep pending={pending} onSignedIn={(signedIn) => enter("factor", async () => accept(signedIn))} onBack={() => setPending(null)} />;
  return (
    <div className="narrow stack">
      <PageHeader title={t("signIn.title")}>{t("signIn.lead")}</PageHeader>
      <Card raised>
        <form className="stack" onSubmit={submit} noValidate>
          <TextField label={t("common.email")} type="email" autoComplete="username" value={email} onChange={setEmail} isRequired />
          <TextField label={t("signIn.password")} type="password" autoComplete="current-password" value={password} onChange={setPassword} isRequired />
          {failure ? <Banner tone="problem">{failure}</Banner> : null}
          <Button type="submit" variant="primary" size="large" wide state={busy === "form" ? "busy" : "idle"}>
            {t("nav.signIn")}
          </Button>
          {passkeysWork() ? (
            <Button wide icon="lock" state={busy === "passkey" ? "busy" : "idle"} onPress={() => void enter("passkey", withPasskey)}>
              {ta("signIn.passkey")}
            </Button>
          ) : null}
          <ProviderButtons onFailed={(error) => setFailure(explain(error))} />
          <p>
            <Link href="/forgot-password">{ta("signIn.forgot")}</Link>
          </p>
        </form>
      </Card>
      <p className="muted">
        {t("signIn.noAccount")} <Link href={next ? `/register?next=${encodeURIComponent(next)}` : "/register"}>{t("nav.register")}</Link>
      </p>
      {demo.data ? (
        <Card as="section" className="stack" labelledBy="demo">
          <div>
            <h2 id="demo">{t("signIn.demo")}</h2>
            <p className="muted">{t("signIn.demoText")}</p>
          </div>
          <div className="stack-tight">
            {demo.data.accounts.map((account) => (
              <Button key={account.email} wide state={busy === account.email ? "busy" : "idle"} onPress={() => void enter(account.email, () => signIn({ email: account.email, password: account.password }))}>
                <Avatar name={account.name} size="small" />
                <span className="grow demo-who">
                  {account.name} <span className="muted">· {t(`role.${account.role}`)}</span>
                </span>
              </Button>
            ))}
          </div>
        </Card>
      ) : null}
    </div>
  );
}
