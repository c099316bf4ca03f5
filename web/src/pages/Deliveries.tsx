import { api } from "../api/client";
import { useResource } from "../api/useResource";
import { Badge, EmptyState, PageHeader, type Tone } from "../design";
import { useFormat } from "../format/useFormat";
import { useText } from "../i18n";
import { auditWords } from "../parts/audit";
import { PagedTable } from "../parts/PagedTable";

function tone(status: string): Tone {
  if (/fail|dead|bounce/.test(status)) return "problem";
  return /sent|deliver|succe/.test(status) ? "good" : "attention";
}

export default function Deliveries() {
  const t = useText();
  const format = useFormat();
  const deliveries = useResource("deliveries", () => api.deliveries({ limit: 50 }));
  return (
    <div>
      <PageHeader title={t("deliveries.title")}>{t("deliveries.lead")}</PageHeader>
      <PagedTable
        of={deliveries}
        more={(cursor) => api.deliveries({ limit: 50, cursor })}
        caption={t("deliveries.title")}
        empty={<EmptyState icon="mail" title={t("deliveries.none")} />}
        columns={[
          { id: "time", label: t("common.time"), cell: (each) => format.dayAndClock(each.created_at) },
          { id: "channel", label: t("deliveries.channel"), cell: (each) => each.channel },
          { id: "kind", label: t("deliveries.kind"), cell: (each) => auditWords(each.kind) },
          {
            id: "status",
            label: t("common.status"),
            cell: (each) => (
              <span className="row-tight">
                <Badge tone={tone(each.status)}>{each.status}</Badge>
                {each.last_error ? <span className="muted small">{each.last_error}</span> : null}
              </span>
            ),
          },
          { id: "attempts", label: t("deliveries.attempts"), end: true, cell: (each) => format.number(each.attempts) },
        ]}
      />
    </div>
  );
}
