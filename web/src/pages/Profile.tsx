import { useState, type FormEvent } from "react";
import { api } from "../api/client";
import type { Profile as Me } from "../api/types";
import { useResource } from "../api/useResource";
import { Banner, Button, Card, Choices, Loaded, PageHeader, Select, TextField, useErrorText, useTheme, useToast, type Theme } from "../design";
import { deviceZone } from "../format/time";
import { languages, useLanguage, useText, type Language } from "../i18n";
import { zones } from "../parts/zones";
import { FeedCard } from "../scheduling/FeedCard";
import { OutsideCalendars } from "../scheduling/OutsideCalendars";
import { useSession } from "../session";

export default function Profile() {
  const t = useText();
  const { user } = useSession();
  const me = useResource("me", api.me);
  return (
    <div className="reading stack">
      <PageHeader title={t("profile.title")} />
      <Loaded of={me}>{(data) => <Form me={data} />}</Loaded>
      {user?.role === "patient" || user?.role === "practitioner" ? <FeedCard /> : null}
      {user?.role === "practitioner" ? <OutsideCalendars practitionerId={user.id} /> : null}
      <Look />
    </div>
  );
}

function Form({ me }: { me: Me }) {
  const t = useText();
  const explain = useErrorText();
  const say = useToast();
  const { setUser } = useSession();
  const { language, setLanguage } = useLanguage();
  const [name, setName] = useState(me.name);
  const [phone, setPhone] = useState(me.phone ?? "");
  const [birth, setBirth] = useState(me.birth_date ?? "");
  const [zone, setZone] = useState(me.time_zone);
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  const device = deviceZone();
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setFailure(null);
    try {
      const user = await api.changeMe({ name: name.trim(), phone: phone.trim() || null, birth_date: birth || null, time_zone: zone, language });
      setUser(user);
      say(t("common.saved"));
    } catch (error) {
      setFailure(explain(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <form className="stack" onSubmit={(event) => void submit(event)} noValidate>
      <Card as="section" className="stack" labelledBy="you">
        <h2 id="you">{t("profile.you")}</h2>
        <TextField label={t("common.name")} autoComplete="name" value={name} onChange={setName} isRequired />
        <TextField label={t("profile.phone")} hint={t("profile.phoneHint")} type="tel" autoComplete="tel" value={phone} onChange={setPhone} />
        <TextField label={t("profile.birthDate")} type="date" autoComplete="bday" value={birth} onChange={setBirth} />
      </Card>
      <Card as="section" className="stack" labelledBy="preferences">
        <h2 id="preferences">{t("profile.preferences")}</h2>
        <Choices<Language> label={t("profile.language")} value={language} onChange={setLanguage} options={languages.map((each) => ({ id: each.code, label: each.name }))} />
        <Select label={t("profile.zone")} value={zone} onChange={setZone} options={zones(zone).map((id) => ({ id, label: id.replace(/_/g, " ") }))} />
        {device !== zone ? (
          <Banner
            action={
              <Button size="small" onPress={() => setZone(device)}>
                {t("profile.useZone", { zone: device.replace(/_/g, " ") })}
              </Button>
            }
          >
            {t("profile.zoneDevice", { zone: device.replace(/_/g, " ") })}
          </Banner>
        ) : null}
      </Card>
      {failure ? <Banner tone="problem">{failure}</Banner> : null}
      <div>
        <Button type="submit" variant="primary" state={busy ? "busy" : "idle"}>
          {t("common.save")}
        </Button>
      </div>
    </form>
  );
}

function Look() {
  const t = useText();
  const [theme, setTheme] = useTheme();
  return (
    <Card>
      <Choices<Theme>
        label={t("profile.theme")}
        value={theme}
        onChange={setTheme}
        options={(["system", "light", "dark"] as const).map((id) => ({ id, label: t(`profile.theme.${id}`) }))}
      />
    </Card>
  );
}
