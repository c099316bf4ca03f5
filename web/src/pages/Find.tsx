import { useEffect, useState } from "react";
import { useLocation, useSearch } from "wouter";
import { api } from "../api/client";
import type { Id, Provider, ProviderQuery } from "../api/types";
import { useResource } from "../api/useResource";
import { ActionButton, Avatar, Badge, Banner, Button, ButtonLink, Card, EmptyState, Loaded, PageHeader, Select, SkeletonList, TextField } from "../design";
import { useFamilyText } from "../family/text";
import { useActsFor } from "../family/useFamily";
import { parseAmount } from "../format/money";
import { dateIn, deviceZone } from "../format/time";
import { useFormat } from "../format/useFormat";
import { useText } from "../i18n";
import { specialtyName, titled } from "../parts/visits";
import { MoreFilters, type Near } from "../scheduling/MoreFilters";
import { SeeSomeoneNow } from "../scheduling/SeeSomeoneNow";
import { WaitlistJoin } from "../scheduling/WaitlistJoin";
import { useSession } from "../session";

const ANY = "any";
const LANGUAGES = ["fr", "en", "wo", "ar", "es", "pt", "de"];
/** A typed name is searched when the hand rests this long. */
const REST_MS = 350;

export default function Find() {
  const t = useText();
  const tf = useFamilyText();
  const format = useFormat();
  const { user } = useSession();
  const [, go] = useLocation();
  const search = new URLSearchParams(useSearch());
  const specialty = search.get("specialty") ?? "";
  const date = search.get("date") ?? "";
  const language = search.get("language") ?? "";
  const name = search.get("name") ?? "";
  const more = { currency: search.get("currency") ?? "", fee: search.get("fee") ?? "", insurer: search.get("insurer") ?? "" };
  // For whom the visit will be, kept on the way to the booking.
  const forWhom = search.get("for") ?? "";
  const patient = useActsFor("book").find((each) => each.patient_id === forWhom);
  const [typed, setTyped] = useState(name);
  const [near, setNear] = useState<Near | null>(null);
  const [wide, setWide] = useState(Boolean(more.currency || more.insurer));
  const specialties = useResource("specialties", api.specialties);
  const words = { specialty, date, language, name, ...more };
  const query: ProviderQuery = {
    specialty,
    date,
    language,
    name,
    currency: more.currency,
    fee_max: (more.currency && parseAmount(more.fee, more.currency)) || undefined,
    insurer: more.insurer,
    ...near,
  };
  const found = useResource(`providers ${JSON.stringify(query)}`, () => api.providers({ ...query, limit: 20 }));

  // The search is kept in the address, so that going back finds it again.
  const choose = (change: Partial<typeof words>) => {
    const kept = new URLSearchParams();
    for (const [key, value] of Object.entries({ ...words, for: forWhom, ...change })) if (value) kept.set(key, value);
    const text = kept.toString();
    go(text ? `/find?${text}` : "/find", { replace: true });
  };
  useEffect(() => {
    if (typed === name) return;
    const timer = window.setTimeout(() => choose({ name: typed.trim() }), REST_MS);
    return () => window.clearTimeout(timer);
  });

  const names = new Map(specialties.data?.items.map((each) => [each.code, each.name]));
  return (
    <div>
      <PageHeader title={t("find.title")}>{t("find.lead")}</PageHeader>
      <div className="stack">
        {patient ? <Banner icon="people">{tf("forPerson", { name: patient.patient_name })}</Banner> : null}
        <search className="filters" aria-label={t("find.title")}>
          <Select
            label={t("find.specialty")}
            value={specialty || ANY}
            onChange={(id) => choose({ specialty: id === ANY ? "" : id })}
            options={[{ id: ANY, label: t("find.anySpecialty") }, ...(specialties.data?.items ?? []).map((each) => ({ id: each.code, label: each.name }))]}
          />
          <Select
            label={t("find.language")}
            value={language || ANY}
            onChange={(id) => choose({ language: id === ANY ? "" : id })}
            options={[{ id: ANY, label: t("find.anyLanguage") }, ...LANGUAGES.map((code) => ({ id: code, label: format.language(code) }))]}
          />
          <TextField label={t("find.date")} type="date" value={date} min={dateIn(new Date(), deviceZone())} onChange={(value) => choose({ date: value })} />
          <TextField label={t("find.name")} type="search" value={typed} onChange={setTyped} />
          {wide ? <MoreFilters value={more} onChange={choose} near={near} onNear={setNear} /> : null}
          <div>
            <Button variant="quiet" aria-expanded={wide} onPress={() => setWide(!wide)}>
              {t(wide ? "find.fewer" : "find.moreFilters")}
            </Button>
          </div>
        </search>
        {user?.role === "patient" && specialties.data && !patient ? <SeeSomeoneNow specialties={specialties.data.items} chosen={specialty} /> : null}
        <Loaded of={found} loading={<SkeletonList rows={3} />}>
          {(page) =>
            page.items.length === 0 ? (
              <Card>
                <EmptyState
                  icon="search"
                  title={t("find.none")}
                  action={
                    <Button
                      onPress={() => {
                        setTyped("");
                        setNear(null);
                        go("/find", { replace: true });
                      }}
                    >
                      {t("find.clear")}
                    </Button>
                  }
                >
                  {t("find.noneText")}
                </EmptyState>
                {specialty && user?.role === "patient" ? (
                  <div className="state">
                    <WaitlistJoin specialty={specialty} from={date} patientId={patient?.patient_id} />
                  </div>
                ) : null}
              </Card>
            ) : (
              <>
                <p className="muted small" role="status">
                  {t("find.results", { count: page.items.length })}
                  {page.next_cursor ? "+" : ""}
                </p>
                <ul className="stack">
                  {page.items.map((provider) => (
                    <ProviderCard key={provider.id} provider={provider} date={date} names={names} forWhom={patient?.patient_id} />
                  ))}
                </ul>
                {page.next_cursor ? (
                  <ActionButton
                    act={async () => {
                      const following = await api.providers({ ...query, limit: 20, cursor: page.next_cursor ?? undefined });
                      found.setData({ items: [...page.items, ...following.items], next_cursor: following.next_cursor });
                    }}
                  >
                    {t("common.more")}
                  </ActionButton>
                ) : null}
              </>
            )
          }
        </Loaded>
      </div>
    </div>
  );
}

function ProviderCard({ provider, date, names, forWhom }: { provider: Provider; date: string; names: Map<string, string>; forWhom?: Id }) {
  const t = useText();
  const format = useFormat();
  const who = titled(provider);
  const book = (words: Record<string, string>) => {
    const text = new URLSearchParams({ ...words, ...(forWhom ? { for: forWhom } : {}) }).toString();
    return text ? `/book/${provider.id}?${text}` : `/book/${provider.id}`;
  };
  return (
    <Card as="li" className="provider">
      <div className="stack">
        <div className="provider-head">
          <Avatar name={provider.name} size="large" />
          <div className="grow stack-tight">
            <h2>{who}</h2>
            <p className="muted">
              {provider.specialties.map((code) => names.get(code) ?? specialtyName(code)).join(", ")} · {provider.location}
              {provider.distance_m == null ? "" : ` (${t("find.away", { km: Math.ceil(provider.distance_m / 1000) })})`}
            </p>
            <div className="chips">
              {provider.licence_verified ? (
                <Badge tone="good" icon="shield">
                  {t("find.licence")}
                </Badge>
              ) : null}
              <Badge icon="globe">{provider.languages.map(format.language).join(", ")}</Badge>
            </div>
          </div>
        </div>
        <p>{provider.about}</p>
        {provider.insurers?.length ? <p className="muted small">{t("find.accepts", { insurers: provider.insurers.join(", ") })}</p> : null}
        <p>
          <span className="strong">{format.money(provider.fee)}</span> <span className="muted">{t("find.perVisit")}</span>
        </p>
      </div>
      <div className="provider-times stack-tight">
        <h3 className="small muted">{t("find.nextTimes")}</h3>
        {provider.next_slots.length === 0 ? (
          <p className="muted">{t(date ? "find.noTimesDay" : "find.noTimes")}</p>
        ) : (
          <div className="slots">
            {provider.next_slots.slice(0, 3).map((slot) => (
              <ButtonLink key={slot.start} href={book({ start: slot.start })} variant="soft">
                {format.day(slot.start, "short")}, {format.clockBoth(slot.start, provider.time_zone)}
              </ButtonLink>
            ))}
          </div>
        )}
        <ButtonLink href={book(date ? { date } : {})} variant="quiet" size="small">
          {t("find.more")}
          <span className="visually-hidden">: {who}</span>
        </ButtonLink>
      </div>
    </Card>
  );
}
