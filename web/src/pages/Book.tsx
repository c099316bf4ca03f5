import { useRef, useState } from "react";
import { useLocation, useSearch } from "wouter";
import { api } from "../api/client";
import { ApiError, newKey } from "../api/http";
import type { Appointment, Id, Person, Provider, SeriesConflict, Slot } from "../api/types";
import { useResource } from "../api/useResource";
import { ActionButton, Avatar, Badge, Banner, Button, ButtonLink, Card, Countdown, Icon, Loaded, PageHeader, TextField, useErrorText } from "../design";
import { useFamilyText } from "../family/text";
import { useActsFor } from "../family/useFamily";
import { Whose } from "../family/Whose";
import { dateIn } from "../format/time";
import { useFormat } from "../format/useFormat";
import { useText } from "../i18n";
import { calendarFile, save } from "../parts/files";
import { specialtyName, titled } from "../parts/visits";
import { PatientPicker } from "../scheduling/PatientPicker";
import { RepeatFields, type Repeat } from "../scheduling/RepeatFields";
import { useScheduling } from "../scheduling/text";
import { useHold } from "../scheduling/useHold";
import { WaitlistJoin } from "../scheduling/WaitlistJoin";
import { WeekPicker } from "../scheduling/WeekPicker";
import { ZoneNote } from "../scheduling/ZoneNote";
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
  const ts = useScheduling();
  const tf = useFamilyText();
  const format = useFormat();
  const explain = useErrorText();
  const { user } = useSession();
  const staff = user?.role === "desk" || user?.role === "admin";
  const [location] = useLocation();
  const search = useSearch();
  const wanted = new URLSearchParams(search).get("start");
  const day = new URLSearchParams(search).get("date") ?? undefined;
  const others = useActsFor("book");
  const [chosen, setChosen] = useState<Id | null>(new URLSearchParams(search).get("for"));
  const other = others.find((each) => each.patient_id === chosen);
  const [slot, setSlot] = useState<Slot | null>(wanted && !Number.isNaN(Date.parse(wanted)) ? { start: wanted, end: wanted } : null);
  const [picking, setPicking] = useState(slot === null);
  const first = slot ?? provider.next_slots[0];
  const firstFree = first ? dateIn(first.start, format.zone) : undefined;
  const [reason, setReason] = useState("");
  const [patient, setPatient] = useState<Person | null>(null);
  const [repeat, setRepeat] = useState<Repeat | null>(null);
  const [conflicts, setConflicts] = useState<SeriesConflict[]>([]);
  const [failure, setFailure] = useState<string | null>(null);
  // One key per intention, so that pressing again after a lost answer books once.
  const intention = useRef({ text: "", key: "" });
  const forWhom = staff ? (patient?.id ?? null) : user?.role === "patient" ? (other?.patient_id ?? user.id) : null;

  const gone = (error: ApiError) => {
    setFailure(explain(error));
    setSlot(null);
    setPicking(true);
  };
  const holding = useHold(provider.id, slot, repeat ? null : forWhom, gone);

  const choose = (next: Slot | null) => {
    setSlot(next);
    setFailure(null);
    setConflicts([]);
  };

  const book = async () => {
    if (!slot || !forWhom) return;
    setFailure(null);
    setConflicts([]);
    const input = { practitioner_id: provider.id, start: slot.start, reason: reason.trim() || undefined, patient_id: staff || other ? forWhom : undefined };
    const text = JSON.stringify([input, repeat]);
    if (intention.current.text !== text) intention.current = { text, key: newKey() };
    try {
      const { key } = intention.current;
      const booked = repeat ? (await api.bookSeries({ ...input, ...repeat }, key)).items[0] : await api.book(input, key);
      holding.used();
      if (booked) onBooked(booked);
    } catch (error) {
      intention.current.text = "";
      if (error instanceof ApiError && error.code === "series_conflict") setConflicts((error.problem.conflicts as SeriesConflict[] | undefined) ?? []);
      if (error instanceof ApiError && error.code.startsWith("slot_")) gone(error);
      else setFailure(explain(error));
      throw error;
    }
  };

  const when = slot ? `${format.day(slot.start)}, ${format.clockBoth(slot.start, provider.time_zone)}` : null;
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
            <WeekPicker
              practitionerId={provider.id}
              zone={provider.time_zone}
              value={slot}
              onChange={choose}
              firstDay={day ?? firstFree}
              none={forWhom ? <WaitlistJoin practitionerId={provider.id} from={day} patientId={staff || other ? forWhom : undefined} /> : null}
            />
          ) : slot ? (
            <>
              <p className="visit-when">
                {when} <span className="muted small">({format.relative(slot.start)})</span>
              </p>
              <ZoneNote zone={provider.time_zone} at={slot.start} />
            </>
          ) : null}
        </Card>
        {staff ? (
          <Card className="stack">
            <h2>{ts("patient.title")}</h2>
            <PatientPicker value={patient} onChange={setPatient} />
            <RepeatFields value={repeat} onChange={setRepeat} />
          </Card>
        ) : null}
        {others.length > 0 ? (
          <Card className="stack">
            <Whose label={tf("bookingFor")} others={others} value={other?.patient_id ?? null} onChange={setChosen} />
          </Card>
        ) : user?.role === "patient" ? (
          <div>
            <ButtonLink href="/family" variant="quiet" size="small" icon="people">
              {tf("bookingElse")}
            </ButtonLink>
          </div>
        ) : null}
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
        {when ? <p className="visit-when">{when}</p> : null}
        {other ? (
          <p className="strong" data-testid="for-whom">
            {tf("forPerson", { name: other.patient_name })}
          </p>
        ) : null}
        {holding.hold ? (
          <p className="hold" data-testid="hold">
            <Icon name="clock" size={18} />
            <span>
              {ts("hold.kept")} <Countdown until={holding.hold.expires_at} onEnd={holding.end} />
            </span>
          </p>
        ) : null}
        {holding.over ? <Banner tone="attention">{ts("hold.over")}</Banner> : null}
        <p>{t("book.policy", { fee: format.money(provider.fee) })}</p>
        {failure ? <Banner tone="problem">{failure}</Banner> : null}
        {conflicts.length > 0 ? <Conflicts conflicts={conflicts} /> : null}
        {user && user.role !== "patient" && !staff ? (
          <Banner>{ts("book.notYou")}</Banner>
        ) : user ? (
          <ActionButton variant="primary" size="large" wide isDisabled={!slot || !forWhom} act={book}>
            {slot ? (forWhom ? (repeat ? ts("repeat.book", { count: repeat.count }) : t("book.confirm")) : ts("patient.first")) : t("book.pickFirst")}
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

/** Which days of a series can't be booked; none of it was. */
function Conflicts({ conflicts }: { conflicts: SeriesConflict[] }) {
  const ts = useScheduling();
  const format = useFormat();
  return (
    <div className="stack-tight">
      <p className="strong">{ts("repeat.conflicts")}</p>
      <ul className="stack-tight">
        {conflicts.map((each) => (
          <li key={each.date}>
            {each.start ? format.dayAndClock(each.start) : format.date(each.date)}: {ts(each.code === "slot_taken" ? "repeat.taken" : "repeat.notOffered")}
          </li>
        ))}
      </ul>
    </div>
  );
}

function Done({ appointment, provider }: { appointment: Appointment; provider: Provider }) {
  const t = useText();
  const format = useFormat();
  const ts = useScheduling();
  const tf = useFamilyText();
  const { user } = useSession();
  const who = titled(provider);
  return (
    <div className="reading stack">
      <PageHeader title={t("book.done")} />
      <Banner tone="good">
        {user?.role === "patient" && appointment.patient_id !== user.id ? <p className="strong">{tf("forPerson", { name: appointment.patient_name })}</p> : null}
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
          {user?.role === "patient" ? (
            <ButtonLink href="/visits" variant="primary">
              {t("book.toVisits")}
            </ButtonLink>
          ) : (
            <ButtonLink href="/calendar" variant="primary">
              {t("calendar.title")}
            </ButtonLink>
          )}
          <Button icon="calendar" onPress={() => save(calendarFile(appointment, ts("feed.entry"), new Date(), window.location.origin), "visit.ics")}>
            {t("book.calendar")}
          </Button>
        </div>
      </Card>
    </div>
  );
}
