import { useState, type FormEvent } from "react";
import { api } from "../api/client";
import { ApiError } from "../api/http";
import type { Security as State } from "../api/types";
import { useResource, type Resource } from "../api/useResource";
import { Badge, Banner, Button, ButtonLink, Card, Loaded, PageHeader, TextField, useErrorText, useToast } from "../design";
import { homeOf } from "../app/Shell";
import { useText } from "../i18n";
import { useSession } from "../session";
import { Authenticator } from "./Authenticator";
import { Passkeys } from "./Passkeys";
import { RecoveryCodes } from "./RecoveryCodes";
import { Devices } from "./Devices";
import { EmailAddress } from "./EmailAddress";
import { Linked } from "./Linked";
import { isNotProved } from "./StepUp";
import { useAccountText } from "./text";
import "./account.css";

/** How a person signs in, and where they are signed in. */
export default function Security() {
  const t = useAccountText();
  return (
    <div className="reading stack">
      <PageHeader title={t("security.title")}>{t("security.lead")}</PageHeader>
      <Parts />
    </div>
  );
}

function Parts() {
  const t = useAccountText();
  const { user } = useSession();
  const security = useResource("security", api.security);
  const [codes, setCodes] = useState<string[] | null>(null);
  const [begun] = useState(user?.role === "enrolling");
  const changed = async (fresh?: string[]) => {
    if (fresh && fresh.length > 0) setCodes(fresh);
    await security.reload();
  };
  return (
    <>
      {user?.role === "enrolling" ? (
        <Banner tone="attention" icon="shield">
          {t("security.needed")}
        </Banner>
      ) : begun && user ? (
        <Banner
          tone="good"
          action={
            <ButtonLink href={homeOf(user.role)} size="small">
              {t("security.goOn")}
            </ButtonLink>
          }
        >
          {t("security.ready")}
        </Banner>
      ) : null}
      <Factors security={security} codes={codes} onChanged={changed} onKept={() => setCodes(null)} />
      <Password />
      {user?.role === "enrolling" ? null : <EmailAddress />}
      {user?.role === "enrolling" ? null : <Linked />}
      <Devices />
    </>
  );
}

type FactorProps = { security: Resource<State>; codes: string[] | null; onChanged: (codes?: string[]) => Promise<void>; onKept: () => void };

function Factors({ security, codes, onChanged, onKept }: FactorProps) {
  return (
    <Loaded of={security}>
      {(state) => (
        <>
          {state.totp || state.passkeys.length > 0 || codes ? <RecoveryCodes left={state.recovery_codes} fresh={codes} onChanged={onChanged} onKept={onKept} /> : null}
          <Passkeys state={state} onChanged={onChanged} />
          <Authenticator on={state.totp} onChanged={onChanged} />
        </>
      )}
    </Loaded>
  );
}

function Password() {
  const t = useAccountText();
  const common = useText();
  const explain = useErrorText();
  const say = useToast();
  const [password, setPassword] = useState("");
  const [busy, setBusy] = useState(false);
  const [wrong, setWrong] = useState<string>();
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setWrong(undefined);
    try {
      await api.changePassword(password);
      setPassword("");
      say(t("security.changed"));
    } catch (error) {
      if (!isNotProved(error)) setWrong(error instanceof ApiError && error.errors[0] ? error.errors[0].message : explain(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Card as="section" className="stack" labelledBy="password">
      <div>
        <h2 id="password">{t("security.password")}</h2>
        <p className="muted">{t("security.passwordText")}</p>
      </div>
      <form className="stack" onSubmit={(event) => void submit(event)} noValidate>
        <TextField label={t("reset.new")} hint={common("register.passwordHint")} type="password" autoComplete="new-password" value={password} onChange={setPassword} error={wrong} />
        <div>
          <Button type="submit" state={busy ? "busy" : "idle"} isDisabled={!password}>
            {t("security.change")}
          </Button>
        </div>
      </form>
    </Card>
  );
}

/** The state of a factor beside its heading. */
export function OnOff({ on }: { on: boolean }) {
  const t = useAccountText();
  return <Badge tone={on ? "good" : "plain"}>{t(on ? "security.on" : "security.off")}</Badge>;
}
