import { useState } from "react";
import { api } from "../api/client";
import type { Appointment, Page } from "../api/types";
import { useResource, type Resource } from "../api/useResource";
import { ActionButton, ButtonLink, Card, EmptyState, Loaded, PageHeader, Tabs, useNow } from "../design";
import { familyVisits } from "../family/useFamily";
import { useText } from "../i18n";
import { VisitCard } from "../parts/VisitCard";
import { isComing } from "../parts/visits";
import { Offers } from "../scheduling/Offers";

const DAY_MS = 86_400_000;

export default function Visits() {
  const t = useText();
  const now = useNow();
  // Fixed while the page is open, so that paging stays in one list.
  const [opened] = useState(() => new Date());
  const coming = useResource("visits coming", () => familyVisits({ from: new Date(opened.getTime() - DAY_MS).toISOString(), limit: 50 }));
  const past = useResource("visits past", () => pastVisits(opened));
  const changed = () => void Promise.all([coming.reload(), past.reload()]);
  const findOne = (
    <ButtonLink href="/find" variant="primary" icon="search">
      {t("nav.find")}
    </ButtonLink>
  );
  return (
    <div>
      <PageHeader title={t("visits.title")} actions={findOne} />
      <Offers onBooked={changed} />
      <Tabs
        label={t("visits.title")}
        tabs={[
          {
            id: "coming",
            label: t("visits.coming"),
            content: (
              <List
                of={coming}
                keep={(visit) => isComing(visit, now)}
                onChanged={changed}
                empty={
                  <EmptyState icon="calendar" title={t("visits.none")} action={findOne}>
                    {t("visits.noneText")}
                  </EmptyState>
                }
              />
            ),
          },
          {
            id: "past",
            label: t("visits.past"),
            content: (
              <List
                of={past}
                keep={(visit) => !isComing(visit, now)}
                newestFirst
                onChanged={changed}
                empty={
                  <EmptyState icon="clock" title={t("visits.nonePast")}>
                    {t("visits.nonePastText")}
                  </EmptyState>
                }
              />
            ),
          },
        ]}
      />
    </div>
  );
}

/** Everything so far, and what was cancelled ahead of its time. */
async function pastVisits(now: Date): Promise<Page<Appointment>> {
  return familyVisits({ from: new Date(now.getTime() - 730 * DAY_MS).toISOString(), limit: 100 });
}

function List({ of, keep, newestFirst, onChanged, empty }: {
  of: Resource<Page<Appointment>>; keep: (visit: Appointment) => boolean; newestFirst?: boolean; onChanged: () => void; empty: React.ReactNode;
}) {
  const t = useText();
  return (
    <Loaded of={of}>
      {(page) => {
        const shown = page.items.filter(keep).sort((a, b) => a.start.localeCompare(b.start) * (newestFirst ? -1 : 1));
        if (shown.length === 0 && !page.next_cursor) return <Card>{empty}</Card>;
        return (
          <div className="stack">
            {shown.map((visit) => (
              <VisitCard key={visit.id} visit={visit} onChanged={onChanged} />
            ))}
            {page.next_cursor ? (
              <ActionButton
                act={async () => {
                  const more = await api.appointments({ limit: 100, cursor: page.next_cursor ?? undefined, from: new Date(Date.now() - 730 * DAY_MS).toISOString() });
                  of.setData({ items: [...page.items, ...more.items], next_cursor: more.next_cursor });
                }}
              >
                {t("common.more")}
              </ActionButton>
            ) : null}
          </div>
        );
      }}
    </Loaded>
  );
}
