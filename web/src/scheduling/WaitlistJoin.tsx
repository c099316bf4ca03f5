import { useState } from "react";
import { api } from "../api/client";
import type { Id } from "../api/types";
import { ActionButton, Banner, Button, Dialog, TextField, useErrorText } from "../design";
import { addDays, dateIn } from "../format/time";
import { useFormat } from "../format/useFormat";
import { useText } from "../i18n";
import { useScheduling } from "./text";

/** Asks to be offered a time that becomes free within some days. */
export function WaitlistJoin({ practitionerId, specialty, from, patientId }: { practitionerId?: Id; specialty?: string; from?: string; patientId?: Id }) {
  const t = useScheduling();
  const common = useText();
  const format = useFormat();
  const explain = useErrorText();
  const today = dateIn(new Date(), format.zone);
  const [asking, setAsking] = useState(false);
  const [joined, setJoined] = useState(false);
  const [first, setFirst] = useState(from && from > today ? from : today);
  const [last, setLast] = useState(addDays(first, 13));
  const [failure, setFailure] = useState<string | null>(null);
  if (joined) return <Banner tone="good">{t("waitlist.joined")}</Banner>;
  return (
    <>
      <Button icon="bell" onPress={() => setAsking(true)}>
        {t("waitlist.join")}
      </Button>
      <Dialog title={t("waitlist.join")} isOpen={asking} onClose={() => setAsking(false)}>
        <p>{t("waitlist.text")}</p>
        <div className="filters">
          <TextField label={t("waitlist.first")} type="date" min={today} value={first} onChange={(day) => day && setFirst(day)} />
          <TextField label={t("waitlist.last")} type="date" min={first} value={last} onChange={(day) => day && setLast(day)} />
        </div>
        {failure ? <Banner tone="problem">{failure}</Banner> : null}
        <div className="dialog-actions">
          <Button onPress={() => setAsking(false)}>{common("common.close")}</Button>
          <ActionButton
            variant="primary"
            isDisabled={last < first}
            act={async () => {
              setFailure(null);
              await api.joinWaitlist({ practitioner_id: practitionerId, specialty, first_day: first, last_day: last, patient_id: patientId });
              setJoined(true);
              setAsking(false);
            }}
            onFailed={(error) => setFailure(explain(error))}
          >
            {t("waitlist.ask")}
          </ActionButton>
        </div>
      </Dialog>
    </>
  );
}
