import { useRef, useState } from "react";
import { useLocation, useSearch } from "wouter";
import { api } from "../api/client";
import { ApiError, newKey } from "../api/http";
import type { Appointment, Provider, Slot } from "../api/types";
import { useResource } from "../api/useResource";
import { ActionButton, Avatar, Badge, Banner, Button, ButtonLink, Card, Icon, Loaded, PageHeader, TextField, useErrorText } from "../design";
import { dateIn } from "../format/time";
import { useFormat } from "../format/useFormat";
import { useText } from "../i18n";
import { calendarFile, save } from "../parts/files";
import { SlotPicker } from "../parts/SlotPicker";
import { specialtyName, titled } from "../parts/visits";
import { useSession } from "../session";

export default function Book({ id }: { id: string }) {
  const t = useText();
  const provider = useResource(`provider ${id}`, () => api.provider(id));
  const [booked, setBooked] = useState<Appointment | null>(null);
  if (booked && provider.data) return <Done appointment={booked} provider={provider.data} />;
  return (
    <div>
      <PageHeader title={t("book.title")} back={{ href: "/find", label: t("nav.find") }} />
      <Loaded of={provider}>{(data) => <Form provider={data} onBooked={setBooked} />}</Loaded>
    </div>
  );
}

function Form({ provider, onBooked }: { provider: Provider; onBooked: (appointment: Appointment) => void }) {
  const t = useText();
  const format = useFormat();
  const explain = useErrorText();
  const { user } = useSession();
  const [location] = useLocation();
  const search = useSearch();
  const wanted = new URLSearchParams(search).get("start");
  const day = new URLSearchParams(search).get("date") ?? undefined;
  const [slot, setSlot] = useState<Slot | null>(wanted && !Number.isNaN(Date.parse(wanted)) ? { start: wanted, end: wanted } : null);
  const [picking, setPicking] = useState(slot === null);
  const first = slot ?? provider.next_slots[0];
  const firstFree = first ? dateIn(first.start, provider.time_zone) : undefined;
  const [reason, setReason] = useState("");
  const [failure, setFailure] = useState<string | null>(null);
  // One key per time and reason, so that pressing again after a lost answer books once.
  const intention = useRef({ text: "", key: "" });

  const book = async () => {
    if (!slot) return;
    setFailure(null);
    const text = `${slot.start} ${reason}`;
    if (intention.current.text !== text) intention.current = { text, key: newKey() };
    try {
      onBooked(await api.book({ practitioner_id: provider.id, start: slot.start, reason: reason.trim() || undefined }, intention.current.key));
    } catch (error) {
      intention.current.text = "";
      setFailure(explain(error));
      if (error instanceof ApiError && error.code.startsWith("slot_")) {
        setSlot(null);
        setPicking(true);
      }
      throw error;
    }
  };

  return (
    <div className="two">
      <div className="stack">
        <Card className="stack">
          <div className="row-apart">
            <h2>{t(picking ? "book.chooseTime" : "common.time")}</h2>
            {!picking ? (
              <Button variant="quiet" size="small" onPress={() => setPicking(true)}>
                {t("book.change")}
              </Button>
            ) : null}
          </div>
          {picking ? (
            <SlotPicker practitionerId={provider.id} zone={provider.time_zone} value={slot} onChange={setSlot} firstDay={day ?? firstFree} />
          ) : slot ? (
            <p className="visit-when">
              {format.day(slot.start)}, {format.clockBoth(slot.start, provider.time_zone)} <span className="muted small">({format.relative(slot.start)})</span>
            </p>
          ) : null}
        </Card>
        <Card className="stack">
          <TextField label={t("book.reason")} hint={t("book.reasonHint")} value={reason} onChange={setReason} multiline rows={3} maxLength={500} />
        </Card>
      </div>
      <Card raised className="stack two-sticky">
        <div className="provider-head">
          <Avatar name={provider.name} />
          <div>
            <h2>{titled(provider)}</h2>
            <p className="muted">{provider.specialties.map(specialtyName).join(", ")}</p>
          </div>
        </div>
        {provider.licence_verified ? (
          <p>
            <Badge tone="good" icon="shield">
              {t("find.licence")}
            </Badge>
          </p>
        ) : null}
        {slot ? (
          <p className="visit-when">
            {format.day(slot.start)}, {format.clockBoth(slot.start, provider.time_zone)}
          </p>
        ) : null}
        <p>{t("book.policy", { fee: format.money(provider.fee) })}</p>
        {failure ? <Banner tone="problem">{failure}</Banner> : null}
        {user ? (
          <ActionButton variant="primary" size="large" wide isDisabled={!slot} act={book}>
            {t(slot ? "book.confirm" : "book.pickFirst")}
          </ActionButton>
        ) : (
          <ButtonLink
            variant="primary"
            size="large"
            wide
            href={`/sign-in?next=${encodeURIComponent(slot ? `${location}?start=${encodeURIComponent(slot.start)}` : location)}`}
          >
            {t("book.signIn")}
          </ButtonLink>
        )}
      </Card>
    </div>
  );
}

function Done({ appointment, provider }: { appointment: Appointment; provider: Provider }) {
  const t = useText();
  const format = useFormat();
  const who = titled(provider);
  return (
    <div className="reading stack">
      <PageHeader title={t("book.done")} />
      <Banner tone="good">
        <p className="strong">
          {t("book.doneText", { name: who, day: format.day(appointment.start), clock: format.clockBoth(appointment.start, appointment.practitioner_time_zone) })}
        </p>
      </Banner>
      <Card className="stack">
        <h2>{t("book.whatNext")}</h2>
        <ul className="tick-list stack-tight">
          {[t("book.next1"), t("book.next2", { clock: format.clock(appointment.visit_opens_at) }), t("book.next3")].map((text) => (
            <li key={text}>
              <Icon name="check" />
              {text}
            </li>
          ))}
        </ul>
        <div className="row-tight">
          <ButtonLink href="/visits" variant="primary">
            {t("book.toVisits")}
          </ButtonLink>
          <Button icon="calendar" onPress={() => save(calendarFile(appointment, t("book.with", { name: who }), new Date(), window.location.origin), "visit.ics")}>
            {t("book.calendar")}
          </Button>
        </div>
      </Card>
    </div>
  );
}
