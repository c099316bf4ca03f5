import { useState } from "react";
import { api } from "../api/client";
import { ApiError } from "../api/http";
import type { EntryKind, PatientRecord, RecordSummary } from "../api/types";
import { useResource } from "../api/useResource";
import {
  ActionButton, Banner, Button, ButtonLink, Card, Choices, Dialog, EmptyState, Icon, Loaded, PageHeader, Tabs, TextField, useErrorText, useToast, Avatar,
} from "../design";
import { ActorsLine } from "../family/ActorsLine";
import { useFormat } from "../format/useFormat";
import { useText } from "../i18n";
import { Entries } from "../parts/Entries";
import { PrescriptionCard } from "../parts/PrescriptionCard";
import { BreakGlass } from "../privacy/BreakGlass";
import { RecordFacts } from "../parts/RecordFacts";
import { AppointmentBadge } from "../parts/status";

/** A patient as their practitioner needs them: allergies always in sight. */
export default function Patient({ id }: { id: string }) {
  const t = useText();
  const format = useFormat();
  const person = useResource(`patient ${id}`, () => api.patient(id));
  const record = useResource(`record ${id}`, () => api.record(id));
  // Without a care relation there is one way: in an emergency, with a reason.
  if (person.data === undefined && person.error instanceof ApiError && person.error.status === 403) {
    const opened = () => {
      void person.reload();
      void record.reload();
    };
    return <BreakGlass patientId={id} onOpened={opened} />;
  }
  return (
    <Loaded of={person}>
      {(patient) => (
        <div>
          <PageHeader title={patient.name} back={{ href: "/calendar", label: t("patient.back") }} actions={<Avatar name={patient.name} size="large" />}>
            {[patient.birth_date ? t("patient.born", { date: format.date(patient.birth_date).replace(/^\S+\s/, "") }) : null, patient.phone, patient.email, format.language(patient.language)].filter(Boolean).join(" · ")}
          </PageHeader>
          <Loaded of={record}>
            {(data) => (
              <div className="stack">
                <ActorsLine patient={id} />
                {data.summary.allergies.length > 0 ? (
                  <p className="alert-line" role="note">
                    <Icon name="alert" />
                    <span>
                      {t("health.allergies")}: {data.summary.allergies.join(", ")}
                    </span>
                  </p>
                ) : null}
                <Tabs
                  label={patient.name}
                  tabs={[
                    { id: "record", label: t("health.record"), content: <Chart record={data} onChanged={record.setData} onReload={() => void record.reload()} /> },
                    { id: "visits", label: t("patient.visits"), content: <PastVisits id={id} /> },
                    { id: "prescriptions", label: t("health.prescriptions"), content: <Medicines id={id} /> },
                  ]}
                />
              </div>
            )}
          </Loaded>
        </div>
      )}
    </Loaded>
  );
}

type ChartProps = { record: PatientRecord; onChanged: (record: PatientRecord) => void; onReload: () => void };

function Chart({ record, onChanged, onReload }: ChartProps) {
  const t = useText();
  const [editing, setEditing] = useState(false);
  return (
    <div className="two">
      <div className="stack">
        <AddEntry record={record} onChanged={onChanged} onReload={onReload} />
        {record.entries.length === 0 ? (
          <Card>
            <EmptyState icon="heart" title={t("health.noEntries")} />
          </Card>
        ) : (
          <Entries entries={record.entries} />
        )}
      </div>
      <div className="stack">
        <RecordFacts summary={record.summary} />
        <Button icon="settings" onPress={() => setEditing(true)}>
          {t("patient.edit")}
        </Button>
      </div>
      <Dialog title={t("patient.editTitle")} isOpen={editing} onClose={() => setEditing(false)} wide>
        <EditSummary
          record={record}
          onReload={onReload}
          onChanged={(next) => {
            setEditing(false);
            onChanged(next);
          }}
        />
      </Dialog>
    </div>
  );
}

const kinds: Exclude<EntryKind, "visit">[] = ["note", "diagnosis", "allergy", "vital", "history"];

function AddEntry({ record, onChanged, onReload }: ChartProps) {
  const t = useText();
  const explain = useErrorText();
  const say = useToast();
  const [kind, setKind] = useState<Exclude<EntryKind, "visit">>("note");
  const [text, setText] = useState("");
  const [value, setValue] = useState("");
  const [unit, setUnit] = useState("");
  const [failure, setFailure] = useState<string | null>(null);
  const add = async () => {
    if (!text.trim()) {
      setFailure(t("patient.textNeeded"));
      throw new Error("nothing written");
    }
    setFailure(null);
    const content = kind === "vital" && value.trim() ? { text: text.trim(), value: value.trim(), unit: unit.trim() } : { text: text.trim() };
    // An allergy also joins the line that is always in sight.
    const summary = kind === "allergy" ? { ...record.summary, allergies: [...new Set([...record.summary.allergies, text.trim()])] } : undefined;
    onChanged(await api.changeRecord(record.patient_id, { version: record.version, summary, add: [{ kind, content }] }));
    setText("");
    setValue("");
    setUnit("");
    say(t("patient.added"));
  };
  return (
    <Card as="section" className="stack" labelledBy="add">
      <h2 id="add">{t("patient.add")}</h2>
      <Choices label={t("patient.kind")} hideLabel value={kind} onChange={setKind} options={kinds.map((id) => ({ id, label: t(`kind.${id}`) }))} />
      <TextField label={t("patient.text")} value={text} onChange={setText} multiline={kind !== "allergy" && kind !== "vital"} rows={3} maxLength={kind === "allergy" ? 300 : 4000} />
      {kind === "vital" ? (
        <div className="filters">
          <TextField label={t("patient.value")} inputMode="decimal" value={value} onChange={setValue} />
          <TextField label={t("patient.unit")} value={unit} onChange={setUnit} />
        </div>
      ) : null}
      {failure ? (
        <Banner tone="problem" action={<Button size="small" onPress={onReload}>{t("app.reload")}</Button>}>
          {failure}
        </Banner>
      ) : null}
      <div>
        <ActionButton variant="primary" icon="plus" act={add} onFailed={(error) => text.trim() && setFailure(explain(error))}>
          {t("patient.add")}
        </ActionButton>
      </div>
    </Card>
  );
}

const lines = (text: string) => [...new Set(text.split("\n").map((line) => line.trim()).filter(Boolean))];

function EditSummary({ record, onChanged, onReload }: ChartProps) {
  const t = useText();
  const explain = useErrorText();
  const [draft, setDraft] = useState(() => ({
    history: record.summary.history,
    allergies: record.summary.allergies.join("\n"),
    conditions: record.summary.conditions.join("\n"),
    medications: record.summary.medications.join("\n"),
  }));
  const [failure, setFailure] = useState<string | null>(null);
  const field = (name: keyof RecordSummary) => (
    <TextField label={t(`health.${name}`)} hint={name === "history" ? undefined : t("patient.listHint")} multiline rows={3} value={draft[name]} onChange={(text) => setDraft({ ...draft, [name]: text })} />
  );
  return (
    <>
      {field("allergies")}
      {field("conditions")}
      {field("medications")}
      {field("history")}
      {failure ? (
        <Banner tone="problem" action={<Button size="small" onPress={onReload}>{t("app.reload")}</Button>}>
          {failure}
        </Banner>
      ) : null}
      <div className="dialog-actions">
        <ActionButton
          variant="primary"
          act={async () => {
            setFailure(null);
            const summary = { history: draft.history.trim(), allergies: lines(draft.allergies), conditions: lines(draft.conditions), medications: lines(draft.medications) };
            onChanged(await api.changeRecord(record.patient_id, { version: record.version, summary }));
          }}
          onFailed={(error) => setFailure(explain(error))}
        >
          {t("common.save")}
        </ActionButton>
      </div>
    </>
  );
}

function PastVisits({ id }: { id: string }) {
  const t = useText();
  const format = useFormat();
  const visits = useResource(`visits of ${id}`, () => api.appointments({ patient_id: id, limit: 100 }));
  return (
    <Loaded of={visits}>
      {({ items }) => (
        <Card flush>
          {items.length === 0 ? (
            <EmptyState icon="calendar" title={t("patient.noVisits")} />
          ) : (
            <ul className="list">
              {[...items].reverse().map((visit) => (
                <li key={visit.id} className="list-item">
                  <div className="grow">
                    <p className="strong">
                      {format.day(visit.start)}, {format.clock(visit.start)}
                    </p>
                    <p className="muted small">
                      {visit.practitioner_name}
                      {visit.reason ? ` · ${visit.reason}` : ""}
                    </p>
                  </div>
                  <AppointmentBadge status={visit.status} />
                  {visit.status === "fulfilled" ? (
                    <ButtonLink href={`/visits/${visit.id}`} size="small">
                      {t("visits.summary")}
                    </ButtonLink>
                  ) : null}
                </li>
              ))}
            </ul>
          )}
        </Card>
      )}
    </Loaded>
  );
}

function Medicines({ id }: { id: string }) {
  const t = useText();
  const prescriptions = useResource(`prescriptions ${id}`, () => api.prescriptions(id));
  return (
    <Loaded of={prescriptions}>
      {({ items }) =>
        items.length === 0 ? (
          <Card>
            <EmptyState icon="pill" title={t("health.noPrescriptions")} />
          </Card>
        ) : (
          <div className="columns">
            {items.map((each) => (
              <PrescriptionCard key={each.id} prescription={each} />
            ))}
          </div>
        )
      }
    </Loaded>
  );
}
