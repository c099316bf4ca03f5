import { useEffect, useId, useState, type FormEvent } from "react";
import { api } from "../../api/client";
import { ApiError } from "../../api/http";
import type { Pharmacy } from "../../api/types";
import { TextField } from "../../design";
import { Button, Notice, Select } from "../base";
import type { VisitText } from "../text";
import { medicationOf, MEDICATIONS } from "./medications";

const UNITS = ["tablet", "capsule", "ml", "mg", "drop", "puff"] as const;
const PERIODS = ["day", "week", "hour"] as const;
type Unit = (typeof UNITS)[number];
type Period = (typeof PERIODS)[number];
/** Lomé: where pharmacies are looked for while the patient's own place is not known. */
const PLACE = { lat: 6.1319, lon: 1.2228 };

const BLANK = { medicine: "", dose: "1", unit: "tablet" as Unit, times: "3", period: "day" as Period, refills: "0", pharmacy: "" };

export function Prescribe({ visitId, text }: { visitId: string; text: VisitText }) {
  const list = useId();
  const [form, setForm] = useState(BLANK);
  const [ownWords, setOwnWords] = useState<string | null>(null);
  const [pharmacies, setPharmacies] = useState<Pharmacy[]>([]);
  const [errors, setErrors] = useState<{ medicine?: string; dose?: string }>({});
  const [outcome, setOutcome] = useState<{ tone: "good" | "problem"; words: string } | null>(null);
  const [busy, setBusy] = useState(false);

  useEffect(() => {
    // Without the list the patient chooses, which is the default anyway.
    void api
      .pharmacies(PLACE.lat, PLACE.lon, 8)
      .then(({ items }) => setPharmacies(items))
      .catch(() => undefined);
  }, []);

  const set = (change: Partial<typeof BLANK>) => {
    setForm({ ...form, ...change });
    setErrors({});
    setOutcome(null);
  };
  const written =
    ownWords ??
    text(Number(form.times) === 1 ? "rx.autoOne" : "rx.auto", {
      dose: form.dose,
      unit: text(`rx.unit.${form.unit}`),
      frequency: form.times,
      period: text(`rx.per.${form.period}`),
    });

  async function issue(event: FormEvent) {
    event.preventDefault();
    const dose = Number(form.dose.replace(",", "."));
    const found = {
      ...(!form.medicine.trim() && { medicine: text("rx.needMedicine") }),
      ...(!(dose > 0) && { dose: text("rx.needDose") }),
    };
    setErrors(found);
    if (Object.keys(found).length > 0) return;
    setBusy(true);
    setOutcome(null);
    try {
      const issued = await api.prescribe(visitId, {
        medication: medicationOf(form.medicine),
        dosage: { text: written, dose, unit: form.unit, frequency: Math.max(1, Math.round(Number(form.times) || 1)), period: form.period },
        refills: Math.max(0, Math.round(Number(form.refills) || 0)),
        ...(form.pharmacy && { pharmacy_id: form.pharmacy }),
      });
      setForm(BLANK);
      setOwnWords(null);
      setOutcome({
        tone: "good",
        words: text("rx.issued", { medicine: issued.medication.display, code: issued.code }),
      });
    } catch (error) {
      const reason = error instanceof ApiError ? error.detail : "";
      setOutcome({ tone: "problem", words: text("rx.failed", { reason }) });
    } finally {
      setBusy(false);
    }
  }

  return (
    <form className="v-form" aria-label={text("rx.title")} onSubmit={(event) => void issue(event)} noValidate>
      <label className="field">
        <span className="field-label">{text("rx.medicine")}</span>
        <input
          className="input"
          list={list}
          value={form.medicine}
          maxLength={200}
          autoComplete="off"
          aria-invalid={errors.medicine ? true : undefined}
          onChange={(event) => set({ medicine: event.target.value })}
        />
        {errors.medicine && (
          <span className="field-error" role="alert">
            {errors.medicine}
          </span>
        )}
      </label>
      <datalist id={list}>
        {MEDICATIONS.map(({ code, display }) => (
          <option key={code} value={display} />
        ))}
      </datalist>
      <div className="v-form-row">
        <TextField
          label={text("rx.dose")}
          value={form.dose}
          inputMode="decimal"
          error={errors.dose}
          onChange={(dose) => set({ dose })}
        />
        <Select
          label={text("rx.unit")}
          value={form.unit}
          options={UNITS.map((unit) => ({ value: unit, label: text(`rx.unit.${unit}`) }))}
          onChange={(unit) => set({ unit: unit as Unit })}
        />
      </div>
      <div className="v-form-row">
        <TextField
          label={text("rx.times")}
          value={form.times}
          inputMode="numeric"
          onChange={(times) => set({ times })}
        />
        <Select
          label={text("rx.per")}
          value={form.period}
          options={PERIODS.map((period) => ({ value: period, label: text(`rx.per.${period}`) }))}
          onChange={(period) => set({ period: period as Period })}
        />
        <TextField
          label={text("rx.refills")}
          value={form.refills}
          inputMode="numeric"
          onChange={(refills) => set({ refills })}
        />
      </div>
      <TextField
        label={text("rx.instructions")}
        value={written}
        onChange={setOwnWords}
        maxLength={500}
      />
      <Select
        label={text("rx.pharmacy")}
        value={form.pharmacy || "any"}
        options={[
          { value: "any", label: text("rx.anyPharmacy") },
          ...pharmacies.map(({ id, name, address }) => ({ value: id, label: `${name}, ${address}` })),
        ]}
        onChange={(pharmacy) => set({ pharmacy: pharmacy === "any" ? "" : pharmacy })}
      />
      {outcome && (
        <Notice tone={outcome.tone} testId="rx-outcome">
          {outcome.words}
        </Notice>
      )}
      <div className="v-actions">
        <Button type="submit" isPending={busy}>
          {text(busy ? "rx.issuing" : "rx.issue")}
        </Button>
      </div>
    </form>
  );
}
