import { api } from "../api/client";
import { useResource } from "../api/useResource";
import { ActionButton, Card, EmptyState, Loaded, PageHeader } from "../design";
import { useText } from "../i18n";
import { InvoiceCard } from "../parts/InvoiceCard";

export default function Invoices() {
  const t = useText();
  const invoices = useResource("my invoices", () => api.invoices({ limit: 30 }));
  return (
    <div className="reading">
      <PageHeader title={t("invoice.title")}>{t("invoice.lead")}</PageHeader>
      <Loaded of={invoices}>
        {(page) =>
          page.items.length === 0 ? (
            <Card>
              <EmptyState icon="card" title={t("invoice.none")}>
                {t("invoice.noneText")}
              </EmptyState>
            </Card>
          ) : (
            <div className="stack">
              {page.items.map((invoice) => (
                <InvoiceCard key={invoice.id} invoice={invoice} onChanged={() => void invoices.reload()} />
              ))}
              {page.next_cursor ? (
                <ActionButton
                  act={async () => {
                    const more = await api.invoices({ limit: 30, cursor: page.next_cursor ?? undefined });
                    invoices.setData({ items: [...page.items, ...more.items], next_cursor: more.next_cursor });
                  }}
                >
                  {t("common.more")}
                </ActionButton>
              ) : null}
            </div>
          )
        }
      </Loaded>
    </div>
  );
}
