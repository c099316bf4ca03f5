import { useEffect, useState } from "react";
import { api } from "../api/client";
import { useResource } from "../api/useResource";
import { Select, TextField, useToast } from "../design";
import { parseAmount } from "../format/money";
import { useText } from "../i18n";

export type More = { currency: string; fee: string; insurer: string };
/** Where the person is, and how far away is near enough. Kept out of the page's address. */
export type Near = { lat: number; lon: number; within_m: number };

const ANY = "any";
const KILOMETRES = [5, 20, 100, 500];
/** A typed amount is searched when the hand rests this long. */
const REST_MS = 350;
/** About a kilometre: nearer than that nobody needs to know. */
const DECIMALS = 2;

/** Price, insurer and distance. A price is compared within one currency, so the currency comes first. */
export function MoreFilters({ value, onChange, near, onNear }: {
  value: More; onChange: (change: Partial<More>) => void; near: Near | null; onNear: (near: Near | null) => void;
}) {
  const t = useText();
  const say = useToast();
  const choices = useResource("provider choices", api.providerChoices);
  const [fee, setFee] = useState(value.fee);
  useEffect(() => setFee(value.fee), [value.fee]);
  const wrong = fee !== "" && value.currency !== "" && parseAmount(fee, value.currency) === null;
  useEffect(() => {
    if (fee === value.fee || wrong) return;
    const timer = window.setTimeout(() => onChange({ fee: fee.trim() }), REST_MS);
    return () => window.clearTimeout(timer);
  });

  const within = (kilometres: string) => {
    if (kilometres === ANY) return onNear(null);
    const within_m = Number(kilometres) * 1000;
    if (near) return onNear({ ...near, within_m });
    const failed = () => say(t("find.noPlace"));
    if (!("geolocation" in navigator)) return failed();
    const round = (degrees: number) => Number(degrees.toFixed(DECIMALS));
    navigator.geolocation.getCurrentPosition(({ coords }) => onNear({ lat: round(coords.latitude), lon: round(coords.longitude), within_m }), failed, {
      maximumAge: 600_000,
      timeout: 10_000,
    });
  };

  return (
    <>
      <Select
        label={t("find.currency")}
        value={value.currency || ANY}
        onChange={(id) => onChange(id === ANY ? { currency: "", fee: "" } : { currency: id })}
        options={[{ id: ANY, label: t("find.anyCurrency") }, ...(choices.data?.currencies ?? []).map((code) => ({ id: code, label: code }))]}
      />
      <TextField
        label={value.currency ? t("find.feeIn", { currency: value.currency }) : t("find.fee")}
        inputMode="decimal"
        value={fee}
        onChange={setFee}
        isDisabled={!value.currency}
        error={wrong ? t("find.feeWrong") : undefined}
      />
      <Select
        label={t("find.insurer")}
        value={value.insurer || ANY}
        onChange={(id) => onChange({ insurer: id === ANY ? "" : id })}
        options={[{ id: ANY, label: t("find.anyInsurer") }, ...(choices.data?.insurers ?? []).map((name) => ({ id: name, label: name }))]}
      />
      <Select
        label={t("find.distance")}
        value={near ? String(near.within_m / 1000) : ANY}
        onChange={within}
        options={[{ id: ANY, label: t("find.anyDistance") }, ...KILOMETRES.map((km) => ({ id: String(km), label: t("find.within", { km }) }))]}
      />
    </>
  );
}
