import { useState } from "react";
import { api } from "../api/client";
import type { Appointment, Slot } from "../api/types";
import { useResource } from "../api/useResource";
import { ActionButton, Avatar, Badge, Button, ButtonLink, Card, Confirm, Dialog, Loaded, Skeleton, useErrorText, useNow, useToast } from "../design";
import { useFamilyText } from "../family/text";
import { dateIn } from "../format/time";
import { useFormat } from "../format/useFormat";
import { useText } from "../i18n";
import { useScheduling } from "../scheduling/text";
import { useSession } from "../session";
import { WaitlistJoin } from "../scheduling/WaitlistJoin";
import { WeekPicker } from "../scheduling/WeekPicker";
import { AppointmentBadge } from "./status";
import { isComing, isOpen, specialtyName } from "./visits";

/** A visit as its patient sees it, with what can be done about it now. */
export function VisitCard({ visit, onChanged, raised }: { visit: Appointment; onChanged: () => void; raised?: boolean }) {
  const t = useText();
  const tf = useFamilyText();
  const { user } = useSession();
  const format = useFormat();
  const now = useNow(15_000);
  const coming = isComing(visit, now);
  const open = isOpen(visit, now);
  const [asking, setAsking] = useState<"cancel" | "move" | null>(null);
  const say = useToast();
  const when = `${format.day(visit.start)}, ${format.clockBoth(visit.start, visit.practitioner_time_zone)}`;
  return (
    <Card as="article" raised={raised} className="stack">
      <div className="visit-card">
        <Avatar name={visit.practitioner_name} />
        <div className="grow">
          <p className="visit-when">{when}</p>
          {user && visit.patient_id !== user.id ? (
            <p>
              <Badge icon="people">{tf("forPerson", { name: visit.patient_name })}</Badge>
            </p>
          ) : null}
          <p>
            {visit.practitioner_name} <span className="muted">· {specialtyName(visit.specialty)}</span>
          </p>
        </div>
        {coming ? <Badge tone={open ? "good" : "accent"}>{open ? t("visits.openNow") : t("visits.soon", { relative: format.relative(visit.start, now) })}</Badge> : <AppointmentBadge status={visit.status} />}
      </div>
      <div className="row-tight">
        {coming ? (
          <>
            {open ? (
              <ButtonLink href={`/visit/${visit.id}`} variant="primary" icon="video">
                {t("visits.join")}
              </ButtonLink>
            ) : (
              <span className="muted small visit-opens">{t("visits.opens", { relative: format.relative(visit.visit_opens_at, now) })}</span>
            )}
            <Button onPress={() => setAsking("move")} icon="calendar">
              {t("visits.reschedule")}
            </Button>
            <Button variant="danger-quiet" onPress={() => setAsking("cancel")}>
              {t("visits.cancel")}
            </Button>
          </>
        ) : (
          <>
            {visit.status === "fulfilled" ? (
              <ButtonLink href={`/visits/${visit.id}`} variant="soft">
                {t("visits.summary")}
              </ButtonLink>
            ) : null}
            <ButtonLink href={`/book/${visit.practitioner_id}`} variant="quiet">
              {t("visits.again")}
            </ButtonLink>
          </>
        )}
      </div>
      <Confirm
        title={t("visits.cancelAsk")}
        isOpen={asking === "cancel"}
        onClose={() => setAsking(null)}
        action={t("visits.cancel")}
        danger
        act={async () => {
          await api.cancel(visit.id);
          say(t("visits.cancelled"));
          onChanged();
        }}
      >
        {t("visits.cancelText", { name: visit.practitioner_name, when })} <CancelPrice visit={visit} />
      </Confirm>
      <Dialog title={t("visits.reschedule")} isOpen={asking === "move"} onClose={() => setAsking(null)} wide>
        <Move
          visit={visit}
          onMoved={(start) => {
            setAsking(null);
            say(t("visits.rescheduled", { when: format.dayAndClock(start) }));
            onChanged();
          }}
        />
      </Dialog>
    </Card>
  );
}

export function Move({ visit, onMoved }: { visit: Appointment; onMoved: (start: string) => void }) {
  const t = useText();
  const ts = useScheduling();
  const format = useFormat();
  const explain = useErrorText();
  // The picker begins on the first day with a free time.
  const provider = useResource(`provider ${visit.practitioner_id}`, () => api.provider(visit.practitioner_id));
  const [slot, setSlot] = useState<Slot | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  return (
    <>
      <Loaded of={provider} loading={<Skeleton shape="block" />}>
        {({ next_slots }) => (
          <WeekPicker
            practitionerId={visit.practitioner_id}
            zone={visit.practitioner_time_zone}
            value={slot}
            onChange={setSlot}
            firstDay={next_slots[0] ? dateIn(next_slots[0].start, format.zone) : undefined}
            none={<WaitlistJoin practitionerId={visit.practitioner_id} patientId={visit.patient_id} />}
          />
        )}
      </Loaded>
      {failure ? (
        <p className="field-error" role="alert">
          {failure}
        </p>
      ) : null}
      <div className="dialog-actions">
        <ActionButton
          variant="primary"
          wide
          isDisabled={!slot}
          act={async () => {
            if (!slot) return;
            setFailure(null);
            await api.setStatus(visit.id, { status: "rescheduled", start: slot.start });
            onMoved(slot.start);
          }}
          onFailed={(error) => setFailure(explain(error))}
        >
          {slot ? ts("move.to", { when: format.dayAndClock(slot.start) }) : t("visits.rescheduleTo")}
        </ActionButton>
      </div>
    </>
  );
}

/** What cancelling now means for the invoice. */
export function CancelPrice({ visit }: { visit: Appointment }) {
  const ts = useScheduling();
  const format = useFormat();
  const now = useNow();
  if (!visit.free_cancel_until) return null;
  const free = Date.parse(visit.free_cancel_until) > now.getTime();
  return <>{ts(free ? "cancel.free" : "cancel.late", { until: format.dayAndClock(visit.free_cancel_until) })}</>;
}
