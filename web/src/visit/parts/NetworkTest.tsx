import { useEffect, useRef, useState } from "react";
import { Button } from "../base";
import { probe, type ProbeAccess, type WayResult } from "../live/probe";
import { better, type Verdict } from "../live/probeVerdict";
import type { VisitKey, VisitText } from "../text";
import { Icon } from "./icons";

/** How well the network carries a call, tested once by itself and again when asked. */
export function NetworkTest({
  text,
  access,
}: {
  text: VisitText;
  access: () => Promise<ProbeAccess>;
}) {
  const [results, setResults] = useState<WayResult[]>([]);
  const [state, setState] = useState<"testing" | "done" | "failed">("testing");
  const [round, setRound] = useState(0);
  const fetchAccess = useRef(access);
  fetchAccess.current = access;

  useEffect(() => {
    const abort = new AbortController();
    setResults([]);
    setState("testing");
    probe(
      () => fetchAccess.current(),
      (result) => {
        if (!abort.signal.aborted) setResults((before) => [...before, result]);
      },
      abort.signal,
    )
      .then(() => "done" as const)
      .catch(() => "failed" as const)
      .then((end) => {
        if (!abort.signal.aborted) setState(end);
      });
    return () => abort.abort();
  }, [round]);

  const verdict = results.reduce<Verdict | null>((best, result) => {
    if (result.state === "absent") return best;
    return better(
      best,
      result.state === "measured" ? result : { verdict: "poor", reason: "unreachable" },
    );
  }, null);
  const shown = state === "testing" ? null : verdict;
  return (
    <div className="v-test" data-testid="network-test" data-verdict={shown?.verdict}>
      <h2>
        <Icon name="network" size={20} /> {text("check.network")}
      </h2>
      <p
        className={shown?.verdict === "good" ? "v-good" : shown ? "v-problem" : "v-soft"}
        role="status"
      >
        {shown?.verdict === "good" && <Icon name="check" size={18} />}
        {text(sentence(state, shown))}
      </p>
      {state !== "testing" && results.length > 0 && (
        <details>
          <summary>{text("check.network.details")}</summary>
          <dl>
            {results.map((result) => (
              <div key={result.way} data-way={result.way} data-state={result.state}>
                <dt>{text(`check.network.way.${result.way}`)}</dt>
                <dd>{figures(text, result)}</dd>
              </div>
            ))}
          </dl>
        </details>
      )}
      {state !== "testing" && shown?.verdict !== "good" && (
        <div>
          <Button size="small" variant="secondary" onPress={() => setRound((count) => count + 1)}>
            {text("check.network.again")}
          </Button>
        </div>
      )}
    </div>
  );
}

function sentence(state: "testing" | "done" | "failed", verdict: Verdict | null): VisitKey {
  if (state === "testing") return "check.network.testing";
  if (!verdict) return "check.network.failed";
  if (verdict.verdict === "good" || !verdict.reason) return "check.network.good";
  if (verdict.reason === "unreachable") return "check.network.poor.unreachable";
  return `check.network.${verdict.verdict}.${verdict.reason}`;
}

function figures(text: VisitText, result: WayResult): string {
  if (result.state !== "measured") return text(`check.network.${result.state}`);
  return text("check.network.measured", {
    up: result.upKbps,
    down: result.downKbps,
    loss: Math.round(result.loss * 1000) / 10,
    roundTrip: result.roundTripMs,
    jitter: result.jitterMs,
  });
}
