import { useState } from "react";
import { api } from "../api/client";
import { ActionButton, Banner, Button, Dialog, TextField, useErrorText, useToast } from "../design";
import { useText } from "../i18n";
import { useFamilyText } from "./text";

/** A child without an account of their own, whose parent one is. */
export function AddChild({ onAdded }: { onAdded: () => void }) {
  const t = useFamilyText();
  const common = useText();
  const explain = useErrorText();
  const say = useToast();
  const [asking, setAsking] = useState(false);
  const [name, setName] = useState("");
  const [born, setBorn] = useState("");
  const [failure, setFailure] = useState<string | null>(null);
  const today = new Date().toISOString().slice(0, 10);
  const close = () => {
    setAsking(false);
    setFailure(null);
  };
  return (
    <>
      <Button icon="plus" variant="primary" onPress={() => setAsking(true)}>
        {t("addChild")}
      </Button>
      <Dialog title={t("addChild")} isOpen={asking} onClose={close}>
        <p className="muted">{t("addChildText")}</p>
        <TextField label={t("childName")} value={name} onChange={setName} maxLength={200} autoComplete="off" autoFocus />
        <TextField label={t("birthDate")} type="date" max={today} value={born} onChange={setBorn} />
        {failure ? <Banner tone="problem">{failure}</Banner> : null}
        <div className="dialog-actions">
          <Button onPress={close}>{common("common.close")}</Button>
          <ActionButton
            variant="primary"
            isDisabled={name.trim() === "" || born === ""}
            act={async () => {
              setFailure(null);
              const made = await api.addDependant({ name: name.trim(), birth_date: born });
              say(t("added", { name: made.patient_name }));
              setName("");
              setBorn("");
              setAsking(false);
              onAdded();
            }}
            onFailed={(error) => setFailure(explain(error))}
          >
            {t("add")}
          </ActionButton>
        </div>
      </Dialog>
    </>
  );
}
