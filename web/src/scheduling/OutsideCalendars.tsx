import { useEffect, useState, type FormEvent } from "react";
import { api } from "../api/client";
import type { Id, OutsideCalendar } from "../api/types";
import { useResource } from "../api/useResource";
import { Badge, Banner, Button, Card, Confirm, EmptyState, Loaded, TextField, useErrorText, useNow, useToast } from "../design";
import { useFormat } from "../format/useFormat";
import { useText } from "../i18n";
import { useScheduling, type SchedulingKey } from "./text";
import "./scheduling.css";

/** A new calendar is read within seconds: it is looked at this often until then. */
const LOOK_MS = 3000;

const problems: Record<string, SchedulingKey> = {
  address_refused: "outside.addressRefused",
  unreachable: "outside.unreachable",
  too_slow: "outside.tooSlow",
  too_large: "outside.tooLarge",
  not_found: "outside.notFound",
  refused: "outside.refused",
  not_a_calendar: "outside.notACalendar",
  too_complex: "outside.tooComplex",
};

/** Calendars elsewhere whose busy times block this practitioner's slots. */
export function OutsideCalendars({ practitionerId }: { practitionerId: Id }) {
  const t = useScheduling();
  const explain = useErrorText();
  const found = useResource(`outside ${practitionerId}`, () => api.outsideCalendars(practitionerId));
  const [name, setName] = useState("");
  const [address, setAddress] = useState("");
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  const unread = found.data?.items.some((each) => each.read_at === null && each.problem === null) ?? false;
  const { reload } = found;
  useEffect(() => {
    if (!unread) return;
    const timer = window.setInterval(() => void reload(), LOOK_MS);
    return () => window.clearInterval(timer);
  }, [unread, reload]);
  const add = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setFailure(null);
    try {
      await api.addCalendar(practitionerId, { name: name.trim(), address: address.trim() });
      setName("");
      setAddress("");
      await reload();
    } catch (error) {
      setFailure(explain(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Card as="section" className="stack" labelledBy="outside">
      <div>
        <h2 id="outside">{t("outside.title")}</h2>
        <p className="muted">{t("outside.text")}</p>
      </div>
      <Loaded of={found}>
        {({ items }) =>
          items.length === 0 ? (
            <EmptyState icon="calendar" title={t("outside.none")} />
          ) : (
            <ul className="stack">
              {items.map((each) => (
                <Line key={each.id} practitionerId={practitionerId} calendar={each} onChanged={() => void reload()} />
              ))}
            </ul>
          )
        }
      </Loaded>
      <form className="stack" onSubmit={(event) => void add(event)} noValidate>
        <div className="filters">
          <TextField label={t("outside.name")} value={name} onChange={setName} maxLength={80} />
          <TextField label={t("outside.address")} hint={t("outside.addressHint")} type="url" value={address} onChange={setAddress} maxLength={2000} />
        </div>
        {failure ? <Banner tone="problem">{failure}</Banner> : null}
        <div>
          <Button type="submit" icon="plus" state={busy ? "busy" : "idle"} isDisabled={!name.trim() || !address.trim()}>
            {t("outside.add")}
          </Button>
        </div>
      </form>
    </Card>
  );
}

function Line({ practitionerId, calendar, onChanged }: { practitionerId: Id; calendar: OutsideCalendar; onChanged: () => void }) {
  const t = useScheduling();
  const common = useText();
  const format = useFormat();
  const explain = useErrorText();
  const say = useToast();
  const now = useNow();
  const [asking, setAsking] = useState(false);
  const state = calendar.problem ? "problem" : calendar.read_at ? "good" : "attention";
  return (
    <li className="line-wraps">
      <div className="grow">
        <p className="row-tight">
          <span className="strong">{calendar.name}</span>
          <Badge tone={state}>{t(calendar.problem ? "outside.failing" : calendar.read_at ? "outside.works" : "outside.reading")}</Badge>
        </p>
        <p className="muted small">
          {calendar.host}
          {calendar.read_at ? ` · ${t("outside.readAt", { relative: format.relative(calendar.read_at, now) })}` : ""}
        </p>
        {calendar.problem ? <p className="small">{t(problems[calendar.problem] ?? "outside.failed")}</p> : null}
      </div>
      <div className="row-tight">
        <Button
          variant="quiet"
          size="small"
          onPress={() =>
            void api.readCalendar(practitionerId, calendar.id).then(
              () => say(t("outside.soon")),
              (error: unknown) => say(explain(error)),
            )
          }
        >
          {t("outside.again")}
        </Button>
        <Button variant="quiet" icon="close" label={`${common("schedule.remove")}: ${calendar.name}`} onPress={() => setAsking(true)} />
      </div>
      <Confirm
        title={t("outside.removeAsk", { name: calendar.name })}
        isOpen={asking}
        onClose={() => setAsking(false)}
        danger
        action={common("schedule.remove")}
        act={async () => {
          await api.removeCalendar(practitionerId, calendar.id);
          onChanged();
        }}
      >
        {t("outside.removeText")}
      </Confirm>
    </li>
  );
}
