import { api } from "../api/client";
import type { Delivery } from "../api/types";
import { useResource } from "../api/useResource";
import { ActionButton, Badge, Card, EmptyState, Loaded, PageHeader, Table, type Tone } from "../design";
import { useFormat } from "../format/useFormat";
import { useText } from "../i18n";
import { auditWords } from "../parts/audit";

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
      <Loaded of={deliveries}>
        {(page) => (
          <div className="stack">
            <Card flush>
              {page.items.length === 0 ? (
                <EmptyState icon="mail" title={t("deliveries.none")} />
              ) : (
                <Table<Delivery>
                  caption={t("deliveries.title")}
                  rows={page.items}
                  rowKey={(each) => each.id}
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
              )}
            </Card>
            {page.next_cursor ? (
              <ActionButton
                act={async () => {
                  const more = await api.deliveries({ limit: 50, cursor: page.next_cursor ?? undefined });
                  deliveries.setData({ items: [...page.items, ...more.items], next_cursor: more.next_cursor });
                }}
              >
                {t("common.more")}
              </ActionButton>
            ) : null}
          </div>
        )}
      </Loaded>
    </div>
  );
}
