import { useState } from "react";
import { api } from "../api/client";
import type { AnalyticsSummary } from "../api/types";
import { useResource } from "../api/useResource";
import { Card, Choices, EmptyState, Loaded, PageHeader } from "../design";
import { addDays, dateIn } from "../format/time";
import { useFormat } from "../format/useFormat";
import { useText } from "../i18n";
import { Plot } from "../parts/Plot";

type Days = "7" | "30" | "90";

export default function Analytics() {
  const t = useText();
  const format = useFormat();
  const [days, setDays] = useState<Days>("30");
  const to = dateIn(new Date(), format.zone);
  const from = addDays(to, 1 - Number(days));
  const figures = useResource(`analytics ${from} ${to}`, () => api.analytics({ from, to }));
  return (
    <div>
      <PageHeader
        title={t("figures.title")}
        actions={
          <Choices<Days> label={t("figures.period")} hideLabel value={days} onChange={setDays} options={(["7", "30", "90"] as const).map((id) => ({ id, label: t(`figures.days${id}`) }))} />
        }
      >
        {figures.data ? t("figures.lead", { time: format.dayAndClock(figures.data.as_of) }) : null}
      </PageHeader>
      <Loaded of={figures}>{(data) => <Figures data={data} />}</Loaded>
    </div>
  );
}

function Figures({ data }: { data: AnalyticsSummary }) {
  const t = useText();
  const format = useFormat();
  const days = data.per_day;
  const labels = days.map((day) => format.date(day.date, "short").replace(/^\S+\s/, ""));
  const currency = data.revenue[0]?.currency;
  const empty = days.every((day) => day.booked + day.completed + day.no_show + day.revenue_minor === 0) && data.visits_completed === 0;
  const share = (day: (typeof days)[number]) => (day.completed + day.no_show > 0 ? day.no_show / (day.completed + day.no_show) : 0);
  const tiles: [string, string][] = [
    [t("figures.completed"), format.number(data.visits_completed)],
    [t("figures.noShow"), format.percent(data.no_show_rate)],
    [t("figures.revenue"), data.revenue.length > 0 ? data.revenue.map(format.money).join(" · ") : t("figures.noValue")],
    [t("figures.wait"), data.median_wait_s === null ? t("figures.noValue") : t("figures.waitValue", { minutes: format.number(Math.round(data.median_wait_s / 60)) })],
  ];
  return (
    <div className="stack">
      <dl className="figures">
        {tiles.map(([label, value]) => (
          <Card key={label}>
            <dt className="muted">{label}</dt>
            <dd className="figure-value numeric">{value}</dd>
          </Card>
        ))}
      </dl>
      {empty ? (
        <Card>
          <EmptyState icon="chart" title={t("figures.noneYet")}>
            {t("figures.noneYetText")}
          </EmptyState>
        </Card>
      ) : (
        <div className="plots">
          <Card className="plots-wide">
            <Plot
              title={t("figures.perDay")}
              labels={labels}
              format={format.number}
              series={[
                { label: t("figures.booked"), tone: "accent", kind: "bar", values: days.map((day) => day.booked) },
                { label: t("figures.completed"), tone: "good", kind: "bar", values: days.map((day) => day.completed) },
                { label: t("figures.missed"), tone: "attention", kind: "bar", values: days.map((day) => day.no_show) },
              ]}
            />
          </Card>
          <Card>
            <Plot narrow title={t("figures.noShowPerDay")} labels={labels} format={format.percent} series={[{ label: t("figures.noShow"), tone: "attention", kind: "line", values: days.map(share) }]} />
          </Card>
          <Card>
            <Plot
              narrow
              scale={format.compact}
              title={t("figures.revenuePerDay")}
              labels={labels}
              format={(value) => (currency ? format.money({ amount_minor: Math.round(value), currency }) : format.number(value))}
              series={[{ label: t("figures.revenue"), tone: "good", kind: "bar", values: days.map((day) => day.revenue_minor) }]}
            />
          </Card>
        </div>
      )}
    </div>
  );
}
