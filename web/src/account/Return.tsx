import { useEffect, useRef, useState, type FormEvent } from "react";
import { useLocation } from "wouter";
import { api } from "../api/client";
import { ApiError } from "../api/http";
import type { SignedIn } from "../api/types";
import { homeOf } from "../app/Shell";
import { Banner, Button, ButtonLink, Card, Choices, PageHeader, SkeletonList, TextField, useErrorText } from "../design";
import { useSession } from "../session";
import { OpenAccount } from "./OpenAccount";
import { SecondStep, type Pending } from "./SecondStep";
import { takeLinking } from "./providers";
import { useAccountText } from "./text";

type Came = { state: string; code: string };

function read(): Came | null {
  const words = new URLSearchParams(window.location.search);
  const [state, code] = [words.get("state"), words.get("code")];
  return state && code ? { state, code } : null;
}

/** Where a provider sends the browser back to: signed in, or asked for a proof once, or linked. */
export default function Return() {
  const t = useAccountText();
  const explain = useErrorText();
  const { status, accept } = useSession();
  const [, go] = useLocation();
  const [came] = useState(read);
  const [linkToken, setLinkToken] = useState<string | null>(null);
  const [pending, setPending] = useState<Pending | null>(null);
  const [failure, setFailure] = useState<string | null>(came ? null : t("return.refused"));
  const begun = useRef(false);

  const enter = (signedIn: SignedIn) => go(homeOf(accept(signedIn).role), { replace: true });
  // The words are good once, and for nobody else: they leave the address bar and the history at once.
  useEffect(() => window.history.replaceState(null, "", window.location.pathname), []);
  useEffect(() => {
    if (!came || begun.current || status === "loading") return;
    begun.current = true;
    const act = async () => {
      try {
        if (takeLinking()) {
          await api.finishLink(came);
          go("/security", { replace: true });
        } else enter(await api.finishProvider(came));
      } catch (error) {
        if (error instanceof ApiError && error.code === "link_required") setLinkToken(String(error.problem.link_token));
        else if (error instanceof ApiError && error.code === "second_factor_required") setPending(error.problem as Pending);
        else setFailure(explain(error));
      }
    };
    void act();
  });

  if (pending) return <SecondStep pending={pending} onSignedIn={(signedIn) => Promise.resolve(enter(signedIn))} onBack={() => go("/sign-in")} />;
  if (linkToken) return <FirstTime token={linkToken} onSignedIn={enter} />;
  if (!failure) return <SkeletonList rows={2} />;
  return (
    <div className="narrow stack">
      <PageHeader title={t("return.title")} />
      <Banner tone="problem">{failure}</Banner>
      <div>
        <ButtonLink href="/sign-in" variant="primary">
          {t("forgot.back")}
        </ButtonLink>
      </div>
    </div>
  );
}

/** The first time: who has an account proves that it is theirs, who has none opens one. */
function FirstTime({ token, onSignedIn }: { token: string; onSignedIn: (signedIn: SignedIn) => void }) {
  const t = useAccountText();
  const [way, setWay] = useState<"link" | "open">("link");
  return (
    <div className="narrow stack">
      <PageHeader title={t(way === "link" ? "link.title" : "open.title")}>{t(way === "link" ? "link.lead" : "open.lead")}</PageHeader>
      <Choices
        label={t("open.which")}
        hideLabel
        value={way}
        onChange={setWay}
        options={[
          { id: "link", label: t("open.have") },
          { id: "open", label: t("open.new") },
        ]}
      />
      {way === "link" ? <LinkForm token={token} onSignedIn={onSignedIn} /> : <OpenAccount token={token} onSignedIn={onSignedIn} />}
    </div>
  );
}

/** The account's own password shows that it is theirs. */
function LinkForm({ token, onSignedIn }: { token: string; onSignedIn: (signedIn: SignedIn) => void }) {
  const t = useAccountText();
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
      onSignedIn(await api.linkProvider({ link_token: token, password, code: code?.trim() || undefined }));
    } catch (error) {
      if (error instanceof ApiError && error.code === "second_factor_required") setCode("");
      else setFailure(explain(error));
      setBusy(false);
    }
  };
  return (
    <Card raised>
      <form className="stack" onSubmit={(event) => void submit(event)} noValidate>
        <TextField label={t("step.password")} type="password" autoComplete="current-password" value={password} onChange={setPassword} isRequired />
        {code !== null ? <TextField label={t("step.code")} autoComplete="one-time-code" value={code} onChange={setCode} autoFocus /> : null}
        {failure ? <Banner tone="problem">{failure}</Banner> : null}
        <Button type="submit" variant="primary" size="large" wide state={busy ? "busy" : "idle"}>
          {t("link.act")}
        </Button>
      </form>
    </Card>
  );
}
