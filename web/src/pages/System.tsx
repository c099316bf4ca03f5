import { useEffect } from "react";
import { api } from "../api/client";
import { useResource } from "../api/useResource";
import { Badge, Card, EmptyState, Loaded, PageHeader } from "../design";
import { useFormat } from "../format/useFormat";
import { useText } from "../i18n";

const EVERY_MS = 10_000;

export default function System() {
  const t = useText();
  const format = useFormat();
  const health = useResource("health", api.health);
  const { reload } = health;
  useEffect(() => {
    const timer = window.setInterval(() => void reload(), EVERY_MS);
    return () => window.clearInterval(timer);
  }, [reload]);
  return (
    <div>
      <PageHeader title={t("system.title")}>{t("system.lead")}</PageHeader>
      <Loaded of={health}>
        {(data) => (
          <div className="stack">
            <dl className="figures">
              {(
                [
                  [t("system.calls"), data.calls],
                  [t("system.waiting"), data.waiting],
                ] as const
              ).map(([label, value]) => (
                <Card key={label}>
                  <dt className="muted">{label}</dt>
                  <dd className="figure-value numeric">{format.number(value)}</dd>
                </Card>
              ))}
            </dl>
            <Card as="section" flush labelledBy="checks">
              <header className="board-head">
                <h2 id="checks" className="board-name">
                  {t("system.checks")}
                </h2>
              </header>
              <ul className="list">
                {data.checks.map((check) => (
                  <li key={check.name} className="list-item">
                    <span className="grow">
                      <span className="strong">{check.name}</span>
                      {check.detail ? <span className="muted small"> · {check.detail}</span> : null}
                    </span>
                    <Badge tone={check.status === "ok" ? "good" : "problem"}>{t(check.status === "ok" ? "system.ok" : "system.failed")}</Badge>
                  </li>
                ))}
              </ul>
            </Card>
            <Card as="section" flush labelledBy="workers">
              <header className="board-head">
                <h2 id="workers" className="board-name">
                  {t("system.workers")}
                </h2>
              </header>
              {data.workers.length === 0 ? (
                <EmptyState icon="pulse" title={t("system.noWorkers")}>
                  {t("system.noWorkersText")}
                </EmptyState>
              ) : (
                <ul className="list">
                  {data.workers.map((worker, index) => (
                    <li key={String(worker.id ?? index)} className="list-item">
                      <span className="grow mono">{String(worker.id ?? index)}</span>
                      <span className="muted small">
                        {t("system.rooms")} {String(worker.rooms ?? 0)} · {t("system.load")} {format.percent(Number(worker.load ?? 0))}
                      </span>
                    </li>
                  ))}
                </ul>
              )}
            </Card>
          </div>
        )}
      </Loaded>
    </div>
  );
}
