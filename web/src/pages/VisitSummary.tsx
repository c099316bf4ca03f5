import { api } from "../api/client";
import type { Appointment, Consultation } from "../api/types";
import { useResource } from "../api/useResource";
import { ButtonLink, Card, EmptyState, Loaded, PageHeader, useNow } from "../design";
import { useFamilyText } from "../family/text";
import { useFormat } from "../format/useFormat";
import { useText } from "../i18n";
import { InvoiceCard } from "../parts/InvoiceCard";
import { PrescriptionCard } from "../parts/PrescriptionCard";
import { AppointmentBadge } from "../parts/status";
import { isOpen } from "../parts/visits";
import { useSession } from "../session";

/** A visit after it took place: what was said, prescribed and charged. */
export default function VisitSummary({ id }: { id: string }) {
  const both = useResource(`visit ${id}`, async () => {
    const [appointment, consultation] = await Promise.all([api.appointment(id), api.consultation(id)]);
    return { appointment, consultation };
  });
  return <Loaded of={both}>{(data) => <Summary {...data} onChanged={() => void both.reload()} />}</Loaded>;
}

function Summary({ appointment, consultation, onChanged }: { appointment: Appointment; consultation: Consultation; onChanged: () => void }) {
  const t = useText();
  const format = useFormat();
  const now = useNow();
  const tf = useFamilyText();
  const { is, user } = useSession();
  const patient = is("patient");
  const name = patient ? appointment.practitioner_name : appointment.patient_name;
  return (
    <div>
      <PageHeader
        title={t("visit.with", { name })}
        back={patient ? { href: "/visits", label: t("nav.visits") } : { href: `/patients/${appointment.patient_id}`, label: appointment.patient_name }}
        actions={<AppointmentBadge status={appointment.status} />}
      >
        {format.day(appointment.start)}, {format.clockBoth(appointment.start, appointment.practitioner_time_zone)}
        {patient && appointment.patient_id !== user?.id ? ` · ${tf("forPerson", { name: appointment.patient_name })}` : null}
      </PageHeader>
      <div className="two">
        <div className="stack">
          <Card as="section" className="stack" labelledBy="wrote">
            <h2 id="wrote">{t("visit.summary")}</h2>
            {consultation.summary ? (
              <p className="prewrap">{consultation.summary}</p>
            ) : (
              <EmptyState
                icon="clock"
                title={t("visit.noSummary")}
                action={
                  patient && isOpen(appointment, now) ? (
                    <ButtonLink href={`/visit/${appointment.id}`} variant="primary" icon="video">
                      {t("visits.join")}
                    </ButtonLink>
                  ) : undefined
                }
              >
                {t("visit.noSummaryText")}
              </EmptyState>
            )}
            {consultation.outcome ? (
              <>
                <h3>{t("visit.outcome")}</h3>
                <p className="prewrap">{consultation.outcome}</p>
              </>
            ) : null}
          </Card>
          <section className="stack" aria-labelledby="rx">
            <h2 id="rx">{t("visit.prescriptions")}</h2>
            {consultation.prescriptions.length === 0 ? <p className="muted">{t("visit.noPrescriptions")}</p> : null}
            {consultation.prescriptions.map((each) => (
              <PrescriptionCard key={each.id} prescription={each} />
            ))}
          </section>
          {consultation.chat.length > 0 ? (
            <Card as="section" className="stack" labelledBy="chat">
              <h2 id="chat">{t("visit.chat")}</h2>
              {consultation.chat.map((message) => (
                <div key={message.message_id} className="chat-line">
                  <p className="small muted">
                    {message.name} · {format.clock(message.sent_at)}
                  </p>
                  <p className="prewrap">{message.text ?? message.file?.name}</p>
                </div>
              ))}
            </Card>
          ) : null}
        </div>
        <div className="stack">
          {consultation.invoice ? (
            <section className="stack" aria-labelledby="bill">
              <h2 id="bill">{t("visit.invoice")}</h2>
              <InvoiceCard invoice={consultation.invoice} onChanged={onChanged} />
            </section>
          ) : null}
          {appointment.reason ? (
            <Card className="stack-tight">
              <h3>{t("visit.reason")}</h3>
              <p className="prewrap">{appointment.reason}</p>
            </Card>
          ) : null}
          {consultation.participants.length > 0 ? (
            <Card className="stack-tight">
              <h3>{t("visit.who")}</h3>
              <ul>
                {consultation.participants.map((each, index) => (
                  <li key={index}>
                    {each.for_name ? tf("for", { name: each.name, other: each.for_name }) : each.name} <span className="muted small">{format.clock(each.joined_at)}{each.left_at ? `–${format.clock(each.left_at)}` : ""}</span>
                  </li>
                ))}
              </ul>
            </Card>
          ) : null}
        </div>
      </div>
    </div>
  );
}
