import { useState } from "react";
import { api } from "../api/client";
import type { Id, RecordSummary } from "../api/types";
import { useResource } from "../api/useResource";
import { Card, EmptyState, Loaded, PageHeader, Tabs } from "../design";
import { useFamilyText } from "../family/text";
import { useActsFor } from "../family/useFamily";
import { Whose } from "../family/Whose";
import { useText } from "../i18n";
import { Entries } from "../parts/Entries";
import { PrescriptionCard } from "../parts/PrescriptionCard";
import { RecordAccesses } from "../parts/RecordAccesses";
import { RecordFacts } from "../parts/RecordFacts";
import { useSession } from "../session";

export default function Health() {
  const t = useText();
  const { user } = useSession();
  const tf = useFamilyText();
  const others = useActsFor("read");
  const [chosen, setChosen] = useState<Id | null>(null);
  const own = user?.id ?? "";
  const id = others.find((each) => each.patient_id === chosen)?.patient_id ?? own;
  return (
    <div className="stack">
      <PageHeader title={t("health.title")}>{t("health.lead")}</PageHeader>
      <Whose label={tf("whose")} others={others} value={id === own ? null : id} onChange={setChosen} />
      <Tabs
        label={t("health.title")}
        tabs={[
          { id: "record", label: t("health.record"), content: <Record id={id} /> },
          { id: "prescriptions", label: t("health.prescriptions"), content: <Prescriptions id={id} /> },
          ...(id === own ? [{ id: "seen" as const, label: t("health.seen"), content: <Seen own={id} /> }] : []),
        ]}
      />
    </div>
  );
}

const nothing: RecordSummary = { history: "", allergies: [], conditions: [], medications: [] };

function Record({ id }: { id: string }) {
  const t = useText();
  const record = useResource(`record ${id}`, () => api.record(id));
  return (
    <Loaded of={record}>
      {(data) => (
        <div className="two">
          <section className="stack" aria-labelledby="entries">
            <h2 id="entries">{t("health.entries")}</h2>
            {data.entries.length === 0 ? (
              <Card>
                <EmptyState icon="heart" title={t("health.noEntries")}>
                  {t("health.noEntriesText")}
                </EmptyState>
              </Card>
            ) : (
              <Entries entries={data.entries} />
            )}
          </section>
          <RecordFacts summary={data.summary ?? nothing} />
        </div>
      )}
    </Loaded>
  );
}

function Prescriptions({ id }: { id: string }) {
  const t = useText();
  const prescriptions = useResource(`prescriptions ${id}`, () => api.prescriptions(id));
  return (
    <Loaded of={prescriptions}>
      {({ items }) =>
        items.length === 0 ? (
          <Card>
            <EmptyState icon="pill" title={t("health.noPrescriptions")}>
              {t("health.noPrescriptionsText")}
            </EmptyState>
          </Card>
        ) : (
          <div className="columns">
            {items.map((each) => (
              <PrescriptionCard key={each.id} prescription={each} />
            ))}
          </div>
        )
      }
    </Loaded>
  );
}

function Seen({ own }: { own: string }) {
  const t = useText();
  return (
    <div className="stack reading">
      <p className="muted">{t("health.seenText")}</p>
      <Card>
        <RecordAccesses own={own} />
      </Card>
    </div>
  );
}
