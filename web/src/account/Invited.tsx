import { useEffect, useState, type FormEvent } from "react";
import { useLocation } from "wouter";
import { api } from "../api/client";
import { ApiError } from "../api/http";
import type { Invited as Invitation, SignedIn } from "../api/types";
import { homeOf } from "../app/Shell";
import { Banner, Button, ButtonLink, Card, PageHeader, SkeletonList, TextField, useErrorText } from "../design";
import { deviceZone } from "../format/time";
import { useLanguage, useText } from "../i18n";
import { useSession } from "../session";
import { isNotProved } from "./StepUp";
import { useAccountText } from "./text";
import { useFragment } from "./useFragment";

/** Where the link of an invitation leads: a new account with the role, or the role added to one's own. */
export default function Invited() {
  const t = useAccountText();
  const common = useText();
  const explain = useErrorText();
  const secret = useFragment();
  const { user, status, signIn, accept, setUser } = useSession();
  const [, go] = useLocation();
  const [found, setFound] = useState<Invitation | null>(null);
  const [state, setState] = useState<"reading" | "asking" | "added" | "gone">(secret ? "reading" : "gone");
  const [failure, setFailure] = useState<string | null>(null);

  useEffect(() => {
    if (!secret) return;
    api
      .readStaffInvitation(secret)
      .then((invitation) => {
        setFound(invitation);
        setState("asking");
      })
      .catch((error: unknown) => {
        if (!(error instanceof ApiError && error.code === "link_gone")) setFailure(explain(error));
        setState("gone");
      });
  }, [secret, explain]);

  const entered = (signedIn: SignedIn) => go(homeOf(accept(signedIn).role), { replace: true });
  const add = async () => {
    setUser(await api.addInvitedRole(secret));
    setState("added");
  };

  if (state === "reading" || status === "loading") return <SkeletonList rows={2} />;
  if (state === "gone" || !found)
    return (
      <div className="narrow stack">
        <PageHeader title={t("invited.title")} />
        <Banner tone="attention">{failure ?? t("invited.gone")}</Banner>
        <div>
          <ButtonLink href="/" variant="primary">
            {common("nav.home")}
          </ButtonLink>
        </div>
      </div>
    );
  const role = common(`role.${found.role}`);
  if (state === "added")
    return (
      <div className="narrow stack">
        <PageHeader title={t("invited.added", { role })}>{t("invited.addedText")}</PageHeader>
        <div>
          <ButtonLink href="/" variant="primary">
            {common("nav.home")}
          </ButtonLink>
        </div>
      </div>
    );
  const mine = user !== null && user.email.toLowerCase() === found.email.toLowerCase();
  return (
    <div className="narrow stack">
      <PageHeader title={t("invited.title")}>{t("invited.lead", { role, email: found.email })}</PageHeader>
      {user && !mine ? <Banner tone="attention">{t("invited.other", { email: user.email })}</Banner> : null}
      {!found.has_account ? (
        <NewColleague invitation={found} secret={secret} onSignedIn={entered} />
      ) : (
        <Colleague
          mine={mine}
          email={found.email}
          signIn={async (password, code) => {
            await signIn({ email: found.email, password, code });
          }}
          add={add}
        />
      )}
    </div>
  );
}

function NewColleague({ invitation, secret, onSignedIn }: { invitation: Invitation; secret: string; onSignedIn: (signedIn: SignedIn) => void }) {
  const t = useAccountText();
  const common = useText();
  const explain = useErrorText();
  const { language } = useLanguage();
  const [name, setName] = useState(invitation.name);
  const [password, setPassword] = useState("");
  const [busy, setBusy] = useState(false);
  const [wrong, setWrong] = useState<string>();
  const [failure, setFailure] = useState<string | null>(null);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setWrong(undefined);
    setFailure(null);
    try {
      onSignedIn(await api.acceptStaffInvitation({ secret, name: name.trim(), password, language, time_zone: deviceZone() }));
    } catch (error) {
      const field = error instanceof ApiError ? error.errors.find((each) => each.field === "password") : undefined;
      setWrong(field?.message);
      if (!field) setFailure(explain(error));
      setBusy(false);
    }
  };
  return (
    <Card raised>
      <form className="stack" onSubmit={(event) => void submit(event)} noValidate>
        <TextField label={common("register.name")} autoComplete="name" value={name} onChange={setName} isRequired />
        <TextField label={common("signIn.password")} hint={common("register.passwordHint")} type="password" autoComplete="new-password" value={password} onChange={setPassword} error={wrong} isRequired />
        {failure ? <Banner tone="problem">{failure}</Banner> : null}
        <Button type="submit" variant="primary" size="large" wide state={busy ? "busy" : "idle"} isDisabled={!name.trim() || !password}>
          {t("invited.accept")}
        </Button>
      </form>
    </Card>
  );
}

type ColleagueProps = { mine: boolean; email: string; signIn: (password: string, code?: string) => Promise<void>; add: () => Promise<void> };

/** Somebody who has an account here: signed in with it, one press; else the password first. */
function Colleague({ mine, email, signIn, add }: ColleagueProps) {
  const t = useAccountText();
  const common = useText();
  const explain = useErrorText();
  const [password, setPassword] = useState("");
  const [code, setCode] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setFailure(null);
    try {
      if (!mine) await signIn(password, code?.trim() || undefined);
      await add();
    } catch (error) {
      if (error instanceof ApiError && error.code === "second_factor_required") setCode("");
      else if (!isNotProved(error)) setFailure(explain(error));
      setBusy(false);
    }
  };
  return (
    <Card raised>
      <form className="stack" onSubmit={(event) => void submit(event)} noValidate>
        {mine ? null : (
          <>
            <p className="muted">{t("invited.signIn", { email })}</p>
            <TextField label={common("signIn.password")} type="password" autoComplete="current-password" value={password} onChange={setPassword} isRequired />
            {code !== null ? <TextField label={t("step.code")} autoComplete="one-time-code" value={code} onChange={setCode} autoFocus /> : null}
          </>
        )}
        {failure ? <Banner tone="problem">{failure}</Banner> : null}
        <Button type="submit" variant="primary" size="large" wide state={busy ? "busy" : "idle"} isDisabled={!mine && !password}>
          {t("invited.accept")}
        </Button>
      </form>
    </Card>
  );
}
