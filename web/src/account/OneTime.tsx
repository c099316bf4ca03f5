import { useState, type ReactNode } from "react";
import { ApiError } from "../api/http";
import { Banner, Button, ButtonLink, Card, PageHeader, useErrorText } from "../design";
import { useText } from "../i18n";
import { useFragment } from "./useFragment";

type Words = { title: string; lead?: string; press: string; done: string; gone: string };

/** Where a one-time link of a letter leads. A press uses it: mail programs that look at links ahead use up nothing. */
export function OneTime({ words, act, danger, after }: { words: Words; act: (secret: string) => Promise<void>; danger?: boolean; after?: ReactNode }) {
  const common = useText();
  const explain = useErrorText();
  const secret = useFragment();
  const [state, setState] = useState<"asking" | "busy" | "done" | "gone">(secret ? "asking" : "gone");
  const [failure, setFailure] = useState<string | null>(null);
  const press = async () => {
    setState("busy");
    setFailure(null);
    try {
      await act(secret);
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
      <PageHeader title={words.title}>{over ? undefined : words.lead}</PageHeader>
      {failure ? <Banner tone="problem">{failure}</Banner> : null}
      {over ? <Banner tone={state === "done" ? "good" : "attention"}>{state === "done" ? words.done : words.gone}</Banner> : null}
      <div>
        {over ? (
          state === "done" && after ? (
            after
          ) : (
            <ButtonLink href="/" variant="primary">
              {common("nav.home")}
            </ButtonLink>
          )
        ) : (
          <Card raised>
            <Button variant={danger ? "danger" : "primary"} size="large" wide state={state === "busy" ? "busy" : "idle"} onPress={() => void press()}>
              {words.press}
            </Button>
          </Card>
        )}
      </div>
    </div>
  );
}
