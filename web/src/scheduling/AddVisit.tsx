import { useState } from "react";
import { api } from "../api/client";
import { ApiError } from "../api/http";
import type { Person, Provider } from "../api/types";
import { ActionButton, Banner, Button, Dialog, Select, TextField, useErrorText, useToast } from "../design";
import { useFormat } from "../format/useFormat";
import { useText } from "../i18n";
import { titled } from "../parts/visits";
import { zoned } from "../parts/zoned";
import { PatientPicker } from "./PatientPicker";
import { useScheduling } from "./text";

const SHORTEST_WHY = 3;

/** Staff book any time, on top of another visit too: then they say why, and the auditor can read it. */
export function AddVisit({ day, practitioners, onClose, onAdded }: { day: string; practitioners: Provider[]; onClose: () => void; onAdded: () => void }) {
  const t = useScheduling();
  const common = useText();
  const format = useFormat();
  const explain = useErrorText();
  const say = useToast();
  const [who, setWho] = useState(practitioners[0]?.id ?? "");
  const [patient, setPatient] = useState<Person | null>(null);
  const [date, setDate] = useState(day);
  const [clock, setClock] = useState("");
  const [reason, setReason] = useState("");
  const [why, setWhy] = useState("");
  const [refused, setRefused] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  const ready = who && patient && date && clock && (!refused || why.trim().length >= SHORTEST_WHY);
  return (
    <Dialog title={t("desk.add")} isOpen onClose={onClose} wide>
      <Select label={common("common.practitioner")} value={who} onChange={setWho} options={practitioners.map((each) => ({ id: each.id, label: titled(each) }))} />
      <PatientPicker value={patient} onChange={setPatient} />
      <div className="filters">
        <TextField label={common("calendar.day")} type="date" value={date} onChange={(next) => next && setDate(next)} />
        <TextField label={common("common.time")} hint={format.zone.replace(/_/g, " ")} type="time" value={clock} onChange={setClock} />
      </div>
      <TextField label={common("book.reason")} value={reason} onChange={setReason} maxLength={500} />
      {refused ? (
        <>
          <Banner tone="attention">{t("overlap.text")}</Banner>
          <TextField label={t("overlap.why")} hint={t("overlap.hint")} value={why} onChange={setWhy} maxLength={300} />
        </>
      ) : null}
      {failure ? <Banner tone="problem">{failure}</Banner> : null}
      <div className="dialog-actions">
        <Button onPress={onClose}>{common("common.close")}</Button>
        <ActionButton
          variant="primary"
          isDisabled={!ready}
          act={async () => {
            setFailure(null);
            const start = zoned(date, clock, format.zone);
            await api.book({ practitioner_id: who, start, patient_id: patient?.id, reason: reason.trim() || undefined, overlap_reason: refused ? why.trim() : undefined });
            say(t("desk.added", { when: format.dayAndClock(start) }));
            onAdded();
            onClose();
          }}
          onFailed={(error) => {
            // The time is somebody's or not offered: staff may take it all the same, with a reason.
            if (error instanceof ApiError && error.code.startsWith("slot_") && !refused) setRefused(true);
            else setFailure(explain(error));
          }}
        >
          {t(refused ? "overlap.book" : "desk.book")}
        </ActionButton>
      </div>
    </Dialog>
  );
}
