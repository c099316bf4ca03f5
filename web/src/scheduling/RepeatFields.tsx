import type { Every } from "../api/types";
import { Select, TextField } from "../design";
import { useScheduling } from "./text";

export type Repeat = { every: Every; count: number };

const rhythms: Every[] = ["day", "week", "two_weeks", "four_weeks", "month"];
const ONCE = "once";
const FEWEST = 2;
const MOST = 26;

/** Whether a visit comes again, how often, and how many times in all. */
export function RepeatFields({ value, onChange }: { value: Repeat | null; onChange: (repeat: Repeat | null) => void }) {
  const t = useScheduling();
  return (
    <div className="filters">
      <Select<Every | typeof ONCE>
        label={t("repeat.label")}
        value={value?.every ?? ONCE}
        onChange={(every) => onChange(every === ONCE ? null : { every, count: value?.count ?? 4 })}
        options={[{ id: ONCE, label: t("repeat.once") }, ...rhythms.map((id) => ({ id, label: t(`repeat.${id}`) }))]}
      />
      {value ? (
        <TextField
          label={t("repeat.count")}
          type="number"
          inputMode="numeric"
          min={String(FEWEST)}
          max={String(MOST)}
          value={String(value.count)}
          onChange={(text) => onChange({ ...value, count: Math.min(MOST, Math.max(FEWEST, Math.round(Number(text) || FEWEST))) })}
        />
      ) : null}
    </div>
  );
}
