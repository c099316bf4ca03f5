import { useState } from "react";
import { api } from "../api/client";
import type { Schedule as Plan } from "../api/types";
import { useResource } from "../api/useResource";
import { ActionButton, Banner, Button, Card, Checkbox, Loaded, PageHeader, Select, TextField, useErrorText, useToast } from "../design";
import { addDays, dateIn } from "../format/time";
import { useFormat } from "../format/useFormat";
import { useText } from "../i18n";
import { hoursAreRight } from "../parts/hours";
import { zones } from "../parts/zones";
import { SlotPreview } from "../scheduling/SlotPreview";
import { useScheduling } from "../scheduling/text";
import { useSession } from "../session";

/** A Monday, to name the weekdays by. */
const MONDAY = "2024-01-01";
const WEEK = [0, 1, 2, 3, 4, 5, 6];

export default function Schedule({ id }: { id: string }) {
  const t = useText();
  const { user } = useSession();
  const who = id || user?.id || "";
  const schedule = useResource(`schedule ${who}`, () => api.schedule(who));
  return (
    <div>
      <PageHeader title={t("schedule.title")}>{t("schedule.lead")}</PageHeader>
      <Loaded of={schedule}>
        {(data) => <Editor key={data.version} who={who} saved={data} onSave={async (next) => schedule.setData(await api.saveSchedule(who, next))} onReload={() => void schedule.reload()} />}
      </Loaded>
    </div>
  );
}

function Editor({ who, saved, onSave, onReload }: { who: string; saved: Plan; onSave: (plan: Plan) => Promise<void>; onReload: () => void }) {
  const t = useText();
  const ts = useScheduling();
  const format = useFormat();
  const explain = useErrorText();
  const say = useToast();
  const [plan, setPlan] = useState(saved);
  const [failure, setFailure] = useState<string | null>(null);
  const [several, setSeveral] = useState(saved.rules.some((rule) => rule.location));
  const dayName = (weekday: number) => new Intl.DateTimeFormat(format.locale, { weekday: "long", timeZone: "UTC" }).format(new Date(`${addDays(MONDAY, weekday)}T12:00:00Z`));
  const right = hoursAreRight(plan.rules) && plan.exceptions.every((each) => each.date && (each.closed || hoursAreRight([{ weekday: 0, start: each.start ?? "", end: each.end ?? "" }])));
  const dirty = JSON.stringify(plan) !== JSON.stringify(saved);
  const setRule = (index: number, change: Partial<Plan["rules"][number]>) => setPlan({ ...plan, rules: plan.rules.map((rule, at) => (at === index ? { ...rule, ...change } : rule)) });
  const setException = (index: number, change: Partial<Plan["exceptions"][number]>) =>
    setPlan({ ...plan, exceptions: plan.exceptions.map((each, at) => (at === index ? { ...each, ...change } : each)) });
  const number = (field: "slot_minutes" | "buffer_before_minutes" | "buffer_minutes" | "notice_minutes" | "horizon_days", label: string) => (
    <TextField label={label} type="number" inputMode="numeric" min="0" value={String(plan[field] ?? 0)} onChange={(text) => setPlan({ ...plan, [field]: Math.max(0, Math.round(Number(text) || 0)) })} />
  );
  const places = [...new Set([...plan.rules, ...plan.exceptions].map((each) => each.location ?? "").filter(Boolean))];
  const sure = right && plan.slot_minutes >= 5 && plan.horizon_days >= 1;
  const copyOn = (weekday: number) => {
    const theirs = plan.rules.filter((rule) => rule.weekday === weekday);
    const others = plan.rules.filter((rule) => rule.weekday === weekday || rule.weekday > 4);
    setPlan({ ...plan, rules: [...others, ...WEEK.filter((day) => day <= 4 && day !== weekday).flatMap((day) => theirs.map((rule) => ({ ...rule, weekday: day })))] });
  };

  return (
    <div className="two">
      <div className="stack">
        <Card as="section" className="stack" labelledBy="week">
          <h2 id="week">{t("schedule.week")}</h2>
          <Checkbox isSelected={several} onChange={setSeveral}>
            {ts("schedule.several")}
          </Checkbox>
          {WEEK.map((weekday) => {
            const rules = plan.rules.map((rule, index) => ({ rule, index })).filter(({ rule }) => rule.weekday === weekday);
            return (
              <div key={weekday} className="hours-day">
                <h3 className="hours-name">{dayName(weekday)}</h3>
                <div className="stack-tight grow">
                  {rules.length === 0 ? <p className="muted hours-closed">{t("schedule.closed")}</p> : null}
                  {rules.map(({ rule, index }) => (
                    <div key={index} className="hours-row">
                      <TextField label={t("schedule.opens", { day: dayName(weekday) })} hideLabel type="time" value={rule.start} onChange={(start) => setRule(index, { start })} />
                      <span aria-hidden="true">–</span>
                      <TextField label={t("schedule.closes", { day: dayName(weekday) })} hideLabel type="time" value={rule.end} onChange={(end) => setRule(index, { end })} />
                      <Button variant="quiet" icon="close" label={`${t("schedule.remove")}: ${dayName(weekday)} ${rule.start}`} onPress={() => setPlan({ ...plan, rules: plan.rules.filter((_, at) => at !== index) })} />
                      {several ? (
                        <div className="hours-place">
                          <TextField
                            label={ts("schedule.place", { day: `${dayName(weekday)} ${rule.start}` })}
                            hideLabel
                            placeholder={ts("schedule.anywhere")}
                            maxLength={80}
                            value={rule.location ?? ""}
                            onChange={(location) => setRule(index, { location })}
                          />
                        </div>
                      ) : null}
                    </div>
                  ))}
                  {weekday === 0 && rules.length > 0 ? (
                    <div>
                      <Button variant="quiet" size="small" onPress={() => copyOn(weekday)}>
                        {ts("schedule.copy", { day: dayName(weekday) })}
                      </Button>
                    </div>
                  ) : null}
                </div>
                <Button
                  variant="quiet"
                  icon="plus"
                  label={t("schedule.addHoursOn", { day: dayName(weekday) })}
                  onPress={() => setPlan({ ...plan, rules: [...plan.rules, rules.length === 0 ? { weekday, start: "09:00", end: "12:00" } : { weekday, start: "14:00", end: "17:00" }] })}
                />
              </div>
            );
          })}
        </Card>
        <Card as="section" className="stack" labelledBy="rules">
          <h2 id="rules">{t("schedule.rules")}</h2>
          <div className="filters">
            {number("slot_minutes", t("schedule.slot"))}
            {number("buffer_before_minutes", ts("schedule.before"))}
            {number("buffer_minutes", ts("schedule.after"))}
            {number("notice_minutes", t("schedule.notice"))}
            {number("horizon_days", t("schedule.horizon"))}
          </div>
          <p className="muted small">{ts("schedule.ruleHint", { notice: plan.notice_minutes, horizon: plan.horizon_days })}</p>
          <Select label={t("profile.zone")} value={plan.time_zone} onChange={(time_zone) => setPlan({ ...plan, time_zone })} options={zones(plan.time_zone).map((id) => ({ id, label: id.replace(/_/g, " ") }))} />
        </Card>
        <Card as="section" className="stack" labelledBy="exceptions">
          <div className="row-apart">
            <div>
              <h2 id="exceptions">{t("schedule.exceptions")}</h2>
              <p className="muted">{t("schedule.exceptionsText")}</p>
            </div>
            <Button icon="plus" onPress={() => setPlan({ ...plan, exceptions: [...plan.exceptions, { date: addDays(dateIn(new Date(), plan.time_zone), 1), closed: true }] })}>
              {t("schedule.addException")}
            </Button>
          </div>
          {plan.exceptions.length === 0 ? <p className="muted">{t("schedule.noExceptions")}</p> : null}
          {plan.exceptions.map((each, index) => (
            <div key={index} className="row">
              <TextField label={t("schedule.date")} hideLabel type="date" value={each.date} onChange={(date) => setException(index, { date })} />
              <Checkbox isSelected={each.closed} onChange={(closed) => setException(index, closed ? { closed, start: undefined, end: undefined } : { closed, start: "09:00", end: "12:00" })}>
                {t("schedule.closedAll")}
              </Checkbox>
              {each.closed ? null : (
                <div className="hours-row">
                  <TextField label={t("schedule.opens", { day: each.date })} hideLabel type="time" value={each.start ?? ""} onChange={(start) => setException(index, { start })} />
                  <span aria-hidden="true">–</span>
                  <TextField label={t("schedule.closes", { day: each.date })} hideLabel type="time" value={each.end ?? ""} onChange={(end) => setException(index, { end })} />
                </div>
              )}
              <Button variant="quiet" icon="close" label={`${t("schedule.remove")}: ${each.date}`} onPress={() => setPlan({ ...plan, exceptions: plan.exceptions.filter((_, at) => at !== index) })} />
            </div>
          ))}
        </Card>
      </div>
      <Card as="section" raised className="stack two-sticky" labelledBy="preview">
        <div>
          <h2 id="preview">{t("schedule.preview")}</h2>
          <p className="muted">{ts("preview.lead", { zone: plan.time_zone.replace(/_/g, " ") })}</p>
          {places.length > 0 ? <p className="muted small">{ts("preview.places", { places: places.join(", ") })}</p> : null}
        </div>
        <SlotPreview practitionerId={who} plan={plan} right={sure} />
        {right ? null : <Banner tone="problem">{t("schedule.wrong")}</Banner>}
        {failure ? (
          <Banner tone="problem" action={<Button size="small" onPress={onReload}>{t("app.reload")}</Button>}>
            {failure}
          </Banner>
        ) : null}
        {dirty ? <p className="small muted">{t("schedule.unsaved")}</p> : null}
        <ActionButton
          variant="primary"
          isDisabled={!sure || !dirty}
          act={async () => {
            setFailure(null);
            await onSave(plan);
            say(t("schedule.saved"));
          }}
          onFailed={(error) => setFailure(explain(error))}
        >
          {t("common.save")}
        </ActionButton>
      </Card>
    </div>
  );
}
