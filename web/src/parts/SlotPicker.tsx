import { useState } from "react";
import { api } from "../api/client";
import type { Id, Slot } from "../api/types";
import { useResource } from "../api/useResource";
import { Button, Choices, EmptyState, Loaded, Skeleton } from "../design";
import { addDays, dateIn, zoneOffset } from "../format/time";
import { useFormat } from "../format/useFormat";
import { useText } from "../i18n";

/** How many days stand beside each other. */
const DAYS = 7;

/** A week of days and the free times of the chosen one. Days are the practitioner's, times the reader's. */
export function SlotPicker({ practitionerId, zone, value, onChange, firstDay }: {
  practitionerId: Id; zone: string; value: Slot | null; onChange: (slot: Slot | null) => void; firstDay?: string;
}) {
  const t = useText();
  const format = useFormat();
  const today = dateIn(new Date(), zone);
  const [from, setFrom] = useState(firstDay && firstDay > today ? firstDay : today);
  const [day, setDay] = useState(from);
  const slots = useResource(`slots ${practitionerId} ${day}`, () => api.available(practitionerId, day));
  const days = Array.from({ length: DAYS }, (_, index) => addDays(from, index));
  const move = (by: number) => {
    const next = addDays(from, by);
    const start = next < today ? today : next;
    setFrom(start);
    setDay(start);
    onChange(null);
  };
  const differs = zoneOffset(new Date().toISOString(), zone) !== zoneOffset(new Date().toISOString(), format.zone);
  return (
    <div className="stack">
      <div className="day-strip">
        <Button variant="quiet" icon="back" label={t("pick.earlier")} isDisabled={from <= today} onPress={() => move(-DAYS)} />
        <div className="grow day-strip-days">
          <Choices
            label={t("book.chooseDay")}
            hideLabel
            value={day}
            onChange={(next) => {
              setDay(next);
              onChange(null);
            }}
            options={days.map((each) => ({ id: each, label: format.date(each, "short") }))}
          />
        </div>
        <Button variant="quiet" icon="arrow" label={t("pick.later")} onPress={() => move(DAYS)} />
      </div>
      <Loaded of={slots} loading={<Skeleton shape="block" />}>
        {({ items }) =>
          items.length === 0 ? (
            <EmptyState icon="calendar" title={t("book.noTimes")}>
              {t("book.noTimesText")}
            </EmptyState>
          ) : (
            <Choices
              label={t("book.chooseTime")}
              value={value?.start ?? null}
              onChange={(start) => onChange(items.find((slot) => slot.start === start) ?? null)}
              options={items.map((slot) => ({ id: slot.start, label: format.clockBoth(slot.start, zone) }))}
            />
          )
        }
      </Loaded>
      <p className="muted small">
        {t("book.zone", { zone: format.zone.replace(/_/g, " ") })}
        {differs ? ` ${t("book.zoneTheirs", { city: (zone.split("/").pop() ?? zone).replace(/_/g, " ") })}` : ""}
      </p>
    </div>
  );
}
