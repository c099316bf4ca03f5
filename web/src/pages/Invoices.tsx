import { useState } from "react";
import { api } from "../api/client";
import type { Id } from "../api/types";
import { useResource } from "../api/useResource";
import { ActionButton, Card, EmptyState, Loaded, PageHeader } from "../design";
import { useFamilyText } from "../family/text";
import { useActsFor } from "../family/useFamily";
import { Whose } from "../family/Whose";
import { useText } from "../i18n";
import { InvoiceCard } from "../parts/InvoiceCard";

export default function Invoices() {
  const t = useText();
  const tf = useFamilyText();
  const others = useActsFor("book");
  const [chosen, setChosen] = useState<Id | null>(null);
  const patient_id = others.find((each) => each.patient_id === chosen)?.patient_id;
  const invoices = useResource(`invoices ${patient_id ?? "mine"}`, () => api.invoices({ patient_id, limit: 30 }));
  return (
    <div className="reading stack">
      <PageHeader title={t("invoice.title")}>{t("invoice.lead")}</PageHeader>
      <Whose label={tf("whose")} others={others} value={patient_id ?? null} onChange={setChosen} />
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
                    const more = await api.invoices({ patient_id, limit: 30, cursor: page.next_cursor ?? undefined });
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
