import { useState } from "react";
import { api } from "../api/client";
import type { Proxy } from "../api/types";
import { Button, Confirm, TextField, useToast } from "../design";
import { useSession } from "../session";
import { useFamilyText } from "./text";

/** Ends what one person may do for another, at once. `last`: nobody else acts for the patient. */
export function EndProxy({ proxy, last, onEnded }: { proxy: Proxy; last?: boolean; onEnded: () => void }) {
  const t = useFamilyText();
  const say = useToast();
  const { user } = useSession();
  const [asking, setAsking] = useState(false);
  const [note, setNote] = useState("");
  const names = { proxy: proxy.proxy_name, patient: proxy.patient_name };
  return (
    <>
      <Button variant="danger-quiet" size="small" aria-label={t("endNamed", names)} onPress={() => setAsking(true)}>
        {t("end")}
      </Button>
      <Confirm
        title={t("endAsk")}
        isOpen={asking}
        onClose={() => setAsking(false)}
        action={t("end")}
        danger
        act={async () => {
          await api.endProxy(proxy.id, note.trim() || undefined);
          say(t("endedNow"));
          onEnded();
        }}
      >
        <div className="stack">
          <p>{t(proxy.proxy_id === user?.id ? "endOwnText" : "endText", names)}</p>
          {last ? <p>{t("endLastText", names)}</p> : null}
          <TextField label={t("note")} hint={t("noteHint")} value={note} onChange={setNote} multiline rows={2} maxLength={500} />
        </div>
      </Confirm>
    </>
  );
}
