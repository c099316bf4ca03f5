import { useEffect, useState } from "react";
import { api } from "../api/client";
import { ApiError } from "../api/http";
import type { Id, Schedule, SchedulePreview } from "../api/types";
import { Banner, Button, Skeleton, useErrorText } from "../design";
import { addDays, dateIn, formatClock } from "../format/time";
import { useFormat } from "../format/useFormat";
import { useScheduling } from "./text";
import { clockChange, DAYS } from "./week";
import "./scheduling.css";

/** The server is asked when the hand rests this long. */
const REST_MS = 400;

/** The week of slots that these hours would give, as the server cuts them; taken ones are struck through. */
export function SlotPreview({ practitionerId, plan, right }: { practitionerId: Id; plan: Schedule; right: boolean }) {
  const t = useScheduling();
  const format = useFormat();
  const explain = useErrorText();
  const today = dateIn(new Date(), plan.time_zone);
  const [from, setFrom] = useState(today);
  const [found, setFound] = useState<SchedulePreview | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const text = JSON.stringify(plan);

  useEffect(() => {
    if (!right) return;
    let left = false;
    const timer = window.setTimeout(() => {
      api.previewSchedule(practitionerId, plan, from, DAYS).then(
        (preview) => {
          if (left) return;
          setFound(preview);
          setFailure(null);
        },
        (error: unknown) => {
          if (!left) setFailure(error instanceof ApiError ? explain(error) : null);
        },
      );
    }, REST_MS);
    return () => {
      left = true;
      window.clearTimeout(timer);
    };
    // The plan is compared by its content.
  }, [practitionerId, text, from, right]);

  const days = Array.from({ length: DAYS }, (_, index) => addDays(from, index));
  const taken = new Set(found?.taken.map((slot) => slot.start));
  const of = (day: string) => found?.items.filter((slot) => dateIn(slot.start, plan.time_zone) === day) ?? [];
  const open = found ? found.items.filter((slot) => !taken.has(slot.start)).length : 0;
  return (
    <div className="stack" data-testid="preview">
      <div className="row-apart preview-bar">
        <Button variant="quiet" icon="back" label={t("week.earlier")} isDisabled={from <= today} onPress={() => setFrom(addDays(from, -DAYS))} />
        <p className="strong">{t("week.span", { first: format.date(from, "short"), last: format.date(addDays(from, DAYS - 1), "short") })}</p>
        <Button variant="quiet" icon="arrow" label={t("week.later")} onPress={() => setFrom(addDays(from, DAYS))} />
      </div>
      {failure ? <Banner tone="problem">{failure}</Banner> : null}
      {found ? (
        <>
          <p className="muted" role="status">
            {t("preview.open", { count: open })}
          </p>
          <dl className="preview" data-stale={!right || undefined}>
            {days.map((day) => {
              const slots = of(day);
              return (
                <div key={day}>
                  <dt className="strong">
                    {format.date(day, "short")}
                    {clockChange(day, plan.time_zone) !== 0 ? <span className="muted small"> · {t("preview.clocks")}</span> : null}
                  </dt>
                  {slots.length === 0 ? (
                    <dd className="muted small">{t("preview.none")}</dd>
                  ) : (
                    <dd className="preview-slots">
                      {slots.map((slot) => (
                        <span key={slot.start} className="preview-slot numeric" data-taken={taken.has(slot.start) || undefined} title={slot.location || undefined}>
                          {formatClock(slot.start, format.locale, plan.time_zone)}
                          {taken.has(slot.start) ? <span className="visually-hidden"> {t("preview.taken")}</span> : null}
                        </span>
                      ))}
                    </dd>
                  )}
                </div>
              );
            })}
          </dl>
        </>
      ) : (
        <Skeleton shape="block" />
      )}
    </div>
  );
}
