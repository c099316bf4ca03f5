import { useEffect, useMemo, useState } from "react";
import { ApiError } from "../../api/http";
import type { CheckIn } from "../../api/types";
import { Checkbox, TextField } from "../../design";
import { Button, Notice, Select } from "../base";
import type { VisitText } from "../text";
import { countries, countryNames } from "./countries";
import { Icon } from "./icons";

export interface Safety {
  /** Somebody else than the patient answers, who is there for them. */
  acting: boolean;
  /** What is known so far, with the emergency number of `country` once one is named. */
  ask: (country?: string) => Promise<CheckIn>;
  agree: (read: { version: number; language: string }) => Promise<CheckIn>;
  save: (said: { country: string; place: string; callback_phone: string }) => Promise<CheckIn>;
}

/** Digits, and what people write between them. The server reads it exactly. */
const PHONE = /^\+[\d ().-]{6,24}$/;

/** Who somebody is, where help would find them, how to call them back, and when not to wait at all. */
export function SafetyCheck({
  blank,
  safety,
  text,
  onDone,
}: {
  blank: CheckIn;
  safety: Safety;
  text: VisitText;
  onDone: (checked: CheckIn) => void;
}) {
  const [known, setKnown] = useState(blank);
  const [itsMe, setItsMe] = useState(false);
  const [none, setNone] = useState(false);
  const [country, setCountry] = useState("");
  const [place, setPlace] = useState("");
  const [phone, setPhone] = useState("");
  const [wrongPhone, setWrongPhone] = useState(false);
  const [state, setState] = useState<"idle" | "busy" | "failed">("idle");
  const options = useMemo(
    () => countries(text.locale, new Intl.Locale(navigator.language).maximize().region ?? null),
    [text.locale],
  );

  useEffect(() => {
    if (!country) return undefined;
    let gone = false;
    safety
      .ask(country)
      .then((answer) => {
        if (!gone) setKnown(answer);
      })
      // The number is asked for again with the next country, and shown once more when all is saved.
      .catch(() => undefined);
    return () => {
      gone = true;
    };
  }, [country, safety]);

  async function proceed() {
    if (!PHONE.test(phone.trim())) {
      setWrongPhone(true);
      return;
    }
    setState("busy");
    try {
      onDone(await safety.save({ country, place: place.trim(), callback_phone: phone.replace(/[ ().-]/g, "") }));
    } catch (error) {
      const field = error instanceof ApiError ? error.errors.some((one) => one.field === "callback_phone") : false;
      setWrongPhone(field);
      setState("failed");
    }
  }

  const number = country && known.country === country ? known.emergency_number : null;
  return (
    <section className="v-safety" aria-labelledby="safety-title" data-testid="safety">
      <header className="v-check-head">
        <h1 id="safety-title">{text("safety.title")}</h1>
        <p>{text("safety.lead")}</p>
      </header>
      <div className="v-safety-who">
        <p>
          <strong>{text(safety.acting ? "safety.whoFor" : "safety.who", { name: known.name })}</strong>
          {known.birth_date && <span>{text("safety.born", { date: dateOf(known.birth_date, text.locale) })}</span>}
        </p>
        <Checkbox isSelected={itsMe} onChange={setItsMe}>
          {text(safety.acting ? "safety.confirmFor" : "safety.confirm")}
        </Checkbox>
      </div>
      <div className="v-safety-where">
        <Select label={text("safety.country")} placeholder={text("visit.choose")} value={country} options={options} onChange={setCountry} />
        <TextField
          label={text("safety.place")}
          hint={text(safety.acting ? "safety.placeHintFor" : "safety.placeHint")}
          value={place}
          onChange={setPlace}
          maxLength={200}
          autoComplete="street-address"
        />
        <TextField
          label={text("safety.phone")}
          hint={text("safety.phoneHint")}
          type="tel"
          inputMode="tel"
          value={phone}
          onChange={(value) => {
            setPhone(value);
            setWrongPhone(false);
          }}
          maxLength={30}
          autoComplete="tel"
          {...(wrongPhone && { error: text("safety.phoneWrong") })}
        />
      </div>
      <div className="v-safety-flags">
        {number && (
          <p className="v-safety-number" role="status">
            <Icon name="warning" size={22} />
            <span>{text("safety.emergency", { country: countryNames(text.locale)(country) })}</span>
            <a href={`tel:${number}`}>{number}</a>
          </p>
        )}
        <p>
          <strong>{text("safety.flags")}</strong>
        </p>
        <ul className="v-list">
          {known.red_flags.map(({ code, text: words }) => (
            <li key={code}>{words}</li>
          ))}
        </ul>
        <Checkbox isSelected={none} onChange={setNone}>
          {text(safety.acting ? "safety.readFor" : "safety.read")}
        </Checkbox>
      </div>
      {known.licensed_here === false && <Notice tone="attention">{text("safety.notLicensed")}</Notice>}
      {state === "failed" && <Notice tone="problem">{text("safety.failed")}</Notice>}
      <div className="v-actions">
        <Button
          size="large"
          isDisabled={!itsMe || !none || !country || place.trim().length < 2 || !phone.trim()}
          isPending={state === "busy"}
          onPress={() => void proceed()}
        >
          {text("safety.continue")}
        </Button>
      </div>
    </section>
  );
}

function dateOf(date: string, locale: string): string {
  return new Intl.DateTimeFormat(locale, { dateStyle: "long", timeZone: "UTC" }).format(new Date(date));
}
