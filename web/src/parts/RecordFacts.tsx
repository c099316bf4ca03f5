import type { RecordSummary } from "../api/types";
import { Badge, Card, Icon } from "../design";
import { useText } from "../i18n";

/** Allergies first and loud, then what else everybody who treats the person must know. */
export function RecordFacts({ summary }: { summary: RecordSummary }) {
  const t = useText();
  return (
    <Card as="section" className="stack two-sticky" labelledBy="allergies">
      <div className="stack-tight">
        <h3 id="allergies">{t("health.allergies")}</h3>
        {summary.allergies.length > 0 ? (
          <p className="alert-line">
            <Icon name="alert" />
            <span>{summary.allergies.join(", ")}</span>
          </p>
        ) : (
          <p className="muted">{t("common.none")}</p>
        )}
      </div>
      {(["conditions", "medications"] as const).map((kind) => (
        <div key={kind} className="stack-tight">
          <h3>{t(`health.${kind}`)}</h3>
          {summary[kind].length > 0 ? (
            <div className="chips">
              {summary[kind].map((each) => (
                <Badge key={each}>{each}</Badge>
              ))}
            </div>
          ) : (
            <p className="muted">{t("common.none")}</p>
          )}
        </div>
      ))}
      <div className="stack-tight">
        <h3>{t("health.history")}</h3>
        <p className={summary.history ? "prewrap" : "muted"}>{summary.history || t("common.none")}</p>
      </div>
    </Card>
  );
}
