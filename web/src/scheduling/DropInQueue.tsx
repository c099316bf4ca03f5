import { useEffect, useState } from "react";
import { useLocation } from "wouter";
import { api } from "../api/client";
import { ApiError } from "../api/http";
import type { DropIn, Person } from "../api/types";
import { useResource } from "../api/useResource";
import { ActionButton, Banner, Button, Card, Dialog, Select, TextField, useErrorText, useNow, useToast } from "../design";
import { useFormat } from "../format/useFormat";
import { useText } from "../i18n";
import { specialtyName } from "../parts/visits";
import { PatientPicker } from "./PatientPicker";
import { useScheduling } from "./text";
import "./scheduling.css";

const LOOK_MS = 10_000;

/** People who came without an appointment: the desk adds them, a practitioner takes the next one. */
export function DropInQueue({ practitioner }: { practitioner: boolean }) {
  const t = useScheduling();
  const format = useFormat();
  const explain = useErrorText();
  const say = useToast();
  const now = useNow();
  const [, go] = useLocation();
  const [adding, setAdding] = useState(false);
  const queue = useResource("drop-ins", () => api.dropIns());
  const { reload } = queue;
  useEffect(() => {
    const timer = window.setInterval(() => void reload(), LOOK_MS);
    return () => window.clearInterval(timer);
  }, [reload]);
  const waiting = queue.data?.items.filter((each) => each.status === "waiting") ?? [];
  if (practitioner && waiting.length === 0) return null;
  return (
    <Card as="section" className="stack" labelledBy="queue">
      <div className="row-apart">
        <div>
          <h2 id="queue">{t("queue.title")}</h2>
          <p className="muted small">{t("queue.count", { count: waiting.length })}</p>
        </div>
        {practitioner ? (
          <ActionButton
            variant="primary"
            icon="video"
            act={async () => go(`/cockpit/${(await api.nextDropIn()).id}`)}
            onFailed={(error) => say(error instanceof ApiError && error.code === "slot_taken" ? t("queue.soon") : explain(error))}
          >
            {t("queue.next")}
          </ActionButton>
        ) : (
          <Button icon="plus" onPress={() => setAdding(true)}>
            {t("queue.add")}
          </Button>
        )}
      </div>
      {waiting.length > 0 ? (
        <ol className="queue">
          {waiting.map((each) => (
            <li key={each.id} className="row-apart">
              <span>
                <span className="strong">{each.patient_name}</span>{" "}
                <span className="muted small">
                  {specialtyName(each.specialty)} · {t("queue.since", { relative: format.relative(each.created_at, now) })}
                </span>
              </span>
              {practitioner ? null : <Leave each={each} onLeft={() => void reload()} />}
            </li>
          ))}
        </ol>
      ) : null}
      {adding ? <AddDropIn onClose={() => setAdding(false)} onAdded={() => void reload()} /> : null}
    </Card>
  );
}

function Leave({ each, onLeft }: { each: DropIn; onLeft: () => void }) {
  const common = useText();
  const explain = useErrorText();
  const say = useToast();
  return (
    <ActionButton
      variant="quiet"
      size="small"
      act={async () => {
        await api.leaveDropIn(each.id);
        onLeft();
      }}
      onFailed={(error) => say(explain(error))}
    >
      {common("schedule.remove")}
    </ActionButton>
  );
}

function AddDropIn({ onClose, onAdded }: { onClose: () => void; onAdded: () => void }) {
  const t = useScheduling();
  const common = useText();
  const explain = useErrorText();
  const specialties = useResource("specialties", api.specialties);
  const [patient, setPatient] = useState<Person | null>(null);
  const [specialty, setSpecialty] = useState<string | null>(null);
  const [reason, setReason] = useState("");
  const [failure, setFailure] = useState<string | null>(null);
  return (
    <Dialog title={t("queue.add")} isOpen onClose={onClose}>
      <PatientPicker value={patient} onChange={setPatient} />
      <Select label={common("find.specialty")} value={specialty} onChange={setSpecialty} options={(specialties.data?.items ?? []).map((each) => ({ id: each.code, label: each.name }))} />
      <TextField label={common("book.reason")} value={reason} onChange={setReason} maxLength={500} />
      {failure ? <Banner tone="problem">{failure}</Banner> : null}
      <div className="dialog-actions">
        <Button onPress={onClose}>{common("common.close")}</Button>
        <ActionButton
          variant="primary"
          isDisabled={!patient || !specialty}
          act={async () => {
            setFailure(null);
            await api.dropIn({ specialty: specialty ?? "", reason: reason.trim() || undefined, patient_id: patient?.id });
            onAdded();
            onClose();
          }}
          onFailed={(error) => setFailure(explain(error))}
        >
          {t("queue.add")}
        </ActionButton>
      </div>
    </Dialog>
  );
}
