import { useState } from "react";
import { api } from "../api/client";
import { ApiError } from "../api/http";
import { Banner, Button, ButtonLink, Card, PageHeader, useErrorText } from "../design";
import { useText } from "../i18n";
import { useAccountText } from "./text";
import { useFragment } from "./useFragment";

/** Where the link of the first mail leads. A press confirms: mail programs that look at links ahead use up nothing. */
export default function Verify() {
  const t = useAccountText();
  const common = useText();
  const explain = useErrorText();
  const secret = useFragment();
  const [state, setState] = useState<"asking" | "busy" | "done" | "gone">(secret ? "asking" : "gone");
  const [failure, setFailure] = useState<string | null>(null);
  const confirm = async () => {
    setState("busy");
    setFailure(null);
    try {
      await api.verifyEmail(secret);
      setState("done");
    } catch (error) {
      const gone = error instanceof ApiError && error.code === "link_gone";
      if (!gone) setFailure(explain(error));
      setState(gone ? "gone" : "asking");
    }
  };
  const over = state === "done" || state === "gone";
  return (
    <div className="narrow stack">
      <PageHeader title={t("verify.title")} />
      {failure ? <Banner tone="problem">{failure}</Banner> : null}
      {over ? <Banner tone={state === "done" ? "good" : "attention"}>{t(state === "done" ? "verify.done" : "verify.gone")}</Banner> : null}
      <Card raised>
        {over ? (
          <ButtonLink href="/" variant="primary">
            {common("nav.home")}
          </ButtonLink>
        ) : (
          <Button variant="primary" size="large" wide state={state === "busy" ? "busy" : "idle"} onPress={() => void confirm()}>
            {t("verify.press")}
          </Button>
        )}
      </Card>
    </div>
  );
}
