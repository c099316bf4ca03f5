import { useEffect, useRef, useState } from "react";
import { useLocation } from "wouter";
import { api } from "../api/client";
import { ApiError } from "../api/http";
import type { Interpreting as Interprets } from "../api/types";
import { useResource } from "../api/useResource";
import { useNotices } from "../app/notices";
import { Badge, Card, Checkbox, EmptyState, ErrorState, PageHeader, SkeletonList } from "../design";
import { Button, Notice } from "./base";
import { rememberGuest } from "./guest";
import { play } from "./live/sound";
import { useNow } from "./parts/hooks";
import { languageNames } from "./parts/InterpreterRequest";
import { useVisitText, type VisitText } from "./text";
import "./visit.css";
import "./practice.css";

/** An offer is announced by a notice; this is for the notice that got lost. */
const LOOK_EVERY_MS = 5_000;

/** Where somebody who interprets says when they have time, and answers who asks. */
export default function Interpreting() {
  const text = useVisitText();
  const mine = useResource("interpreting", () => api.interpreting());
  const { notices } = useNotices();
  const { reload, data, error } = mine;
  const newest = notices[0]?.id;
  useEffect(() => {
    const look = () => void reload();
    look();
    const timer = window.setInterval(look, LOOK_EVERY_MS);
    return () => window.clearInterval(timer);
  }, [reload, newest]);
  if (error && !data) {
    return error.status === 404 ? (
      <EmptyState icon="people" title={text("interpreting.not.title")}>
        {text("interpreting.not.body")}
      </EmptyState>
    ) : (
      <ErrorState error={error} onRetry={() => void reload()} />
    );
  }
  if (!data) return <SkeletonList rows={2} />;
  return <Duty mine={data} text={text} onChange={() => void reload()} />;
}

function Duty({ mine, text, onChange }: { mine: Interprets; text: VisitText; onChange: () => void }) {
  const [, navigate] = useLocation();
  const [problem, setProblem] = useState<"gone" | "failed" | null>(null);
  const [busy, setBusy] = useState(false);
  const now = useNow();
  const nameOf = languageNames(text);
  const offers = mine.offers.filter(({ expires_at }) => Date.parse(expires_at) > now);
  const known = useRef(new Set<string>());
  const ids = offers.map(({ id }) => id).join();
  useEffect(() => {
    const fresh = ids.split(",").filter((id) => id && !known.current.has(id));
    fresh.forEach((id) => known.current.add(id));
    if (fresh.length > 0) void play("arrived");
  }, [ids]);

  async function act(work: () => Promise<void>) {
    setBusy(true);
    setProblem(null);
    try {
      await work();
    } catch (error) {
      setProblem(error instanceof ApiError && (error.status === 410 || error.status === 404) ? "gone" : "failed");
    } finally {
      setBusy(false);
      onChange();
    }
  }

  return (
    <div className="reading">
      <PageHeader title={text("interpreting.title")}>{text("interpreting.lead")}</PageHeader>
      <Card>
        <p className="v-interpreting-languages">
          <span>{text("interpreting.languages")}</span>
          {mine.languages.map((code) => (
            <Badge key={code}>{nameOf(code)}</Badge>
          ))}
        </p>
        <Checkbox
          isSelected={mine.on_duty}
          isDisabled={busy}
          onChange={(wanted) => void act(async () => void (await api.setOnDuty(wanted)))}
        >
          {text("interpreting.duty")}
        </Checkbox>
      </Card>
      {problem && <Notice tone="problem">{text(`interpreting.${problem}`)}</Notice>}
      {offers.map((offer) => (
        <Card key={offer.id}>
          <div className="v-offer" role="status" data-testid="interpreter-offer">
            <p>
              <strong>{text("interpreting.offer", { language: nameOf(offer.language) })}</strong>
              <span className="v-soft" aria-hidden="true">
                {text("interpreter.left", { time: text.span(Date.parse(offer.expires_at) - now) })}
              </span>
            </p>
            <div className="v-actions">
              <Button variant="secondary" isDisabled={busy} onPress={() => void act(() => api.declineInterpreting(offer.id))}>
                {text("interpreting.decline")}
              </Button>
              <Button
                isDisabled={busy}
                onPress={() =>
                  void act(async () => {
                    rememberGuest(await api.acceptInterpreting(offer.id));
                    navigate("/join");
                  })
                }
              >
                {text("interpreting.accept")}
              </Button>
            </div>
          </div>
        </Card>
      ))}
      {offers.length === 0 && (
        <EmptyState icon="bell" title={text(mine.on_duty ? "interpreting.none.title" : "interpreting.off.title")}>
          {text(mine.on_duty ? "interpreting.none.body" : "interpreting.off.body")}
        </EmptyState>
      )}
    </div>
  );
}
