import { useState } from "react";
import { api } from "../api/client";
import { ActionButton, Banner, Card, TextField, useErrorText } from "../design";
import { usePrivacy } from "./text";

const SHORTEST = 10;

/** Where there is no care relation: opens the record for a while, with a reason that the patient reads. */
export function BreakGlass({ patientId, onOpened }: { patientId: string; onOpened: () => void }) {
  const t = usePrivacy();
  const explain = useErrorText();
  const [reason, setReason] = useState("");
  const [failure, setFailure] = useState<string | null>(null);
  return (
    <div className="reading">
      <Card className="stack" labelledBy="break-glass" as="section">
        <h1 id="break-glass">{t("break.title")}</h1>
        <p>{t("break.text")}</p>
        <TextField label={t("break.reason")} hint={t("break.hint")} value={reason} onChange={setReason} multiline rows={3} maxLength={500} />
        {failure ? <Banner tone="problem">{failure}</Banner> : null}
        <div>
          <ActionButton
            variant="danger"
            icon="alert"
            isDisabled={reason.trim().length < SHORTEST}
            act={async () => {
              setFailure(null);
              await api.openEmergencyAccess(patientId, reason.trim());
              onOpened();
            }}
            onFailed={(error) => setFailure(explain(error))}
          >
            {t("break.act")}
          </ActionButton>
        </div>
      </Card>
    </div>
  );
}
