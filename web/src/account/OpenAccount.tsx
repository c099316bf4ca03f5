import { useState, type FormEvent } from "react";
import { api } from "../api/client";
import { ApiError } from "../api/http";
import type { SignedIn } from "../api/types";
import { Banner, Button, Card, Checkbox, TextField, useErrorText } from "../design";
import { deviceZone } from "../format/time";
import { useLanguage, useText } from "../i18n";
import { useAccountText } from "./text";

const today = () => new Date().toISOString().slice(0, 10);

/** Somebody whom a provider knows and we don't: who they are, and their account is there. */
export function OpenAccount({ token, onSignedIn }: { token: string; onSignedIn: (signedIn: SignedIn) => void }) {
  const t = useAccountText();
  const common = useText();
  const explain = useErrorText();
  const { language } = useLanguage();
  const [name, setName] = useState("");
  const [born, setBorn] = useState("");
  const [terms, setTerms] = useState(false);
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setFailure(null);
    try {
      onSignedIn(await api.openProviderAccount({ link_token: token, name: name.trim(), birth_date: born, language, time_zone: deviceZone(), terms_accepted: true }));
    } catch (error) {
      setFailure(error instanceof ApiError && error.code === "email_taken" ? t("open.taken") : explain(error));
      setBusy(false);
    }
  };
  return (
    <Card raised>
      <form className="stack" onSubmit={(event) => void submit(event)} noValidate>
        <TextField label={common("register.name")} hint={common("register.nameHint")} autoComplete="name" value={name} onChange={setName} isRequired />
        <TextField label={t("open.born")} type="date" autoComplete="bday" min="1880-01-01" max={today()} value={born} onChange={setBorn} isRequired />
        <Checkbox isSelected={terms} onChange={setTerms}>
          {t("open.terms")}
        </Checkbox>
        {failure ? <Banner tone="problem">{failure}</Banner> : null}
        <Button type="submit" variant="primary" size="large" wide state={busy ? "busy" : "idle"} isDisabled={!name.trim() || !born || !terms}>
          {t("open.act")}
        </Button>
      </form>
    </Card>
  );
}
