import { useState } from "react";
import { api } from "../api/client";
import type { Id, Proxy, ProxyScope } from "../api/types";
import { ActionButton, Banner, Button, Choices, Dialog, TextField, useErrorText, useToast } from "../design";
import { useText } from "../i18n";
import { ScopeChoices } from "./Scopes";
import { useFamilyText } from "./text";
import { Whose } from "./Whose";

const usual: ProxyScope[] = ["book", "attend"];

/** Asks somebody, by address, to act for oneself or for a child of one's own. */
export function AskForHelp({ children, onAsked }: { children: Proxy[]; onAsked: () => void }) {
  const t = useFamilyText();
  const common = useText();
  const explain = useErrorText();
  const say = useToast();
  const [asking, setAsking] = useState(false);
  const [patient, setPatient] = useState<Id | null>(null);
  const [email, setEmail] = useState("");
  const [kind, setKind] = useState<"parent" | "carer">("carer");
  const [allowed, setAllowed] = useState<ProxyScope[]>(usual);
  const [until, setUntil] = useState("");
  const [failure, setFailure] = useState<string | null>(null);
  const close = () => {
    setAsking(false);
    setFailure(null);
  };
  const send = async () => {
    setFailure(null);
    await api.inviteProxy({
      patient_id: patient ?? undefined,
      email: email.trim(),
      kind: patient ? kind : "carer",
      scopes: allowed,
      // The day that was chosen is the last one.
      until: until ? new Date(`${until}T23:59:59`).toISOString() : undefined,
    });
    say(t("sent"));
    setEmail("");
    setUntil("");
    setAsking(false);
    onAsked();
  };
  return (
    <>
      <Button icon="people" onPress={() => setAsking(true)}>
        {t("invite")}
      </Button>
      <Dialog title={t("invite")} isOpen={asking} onClose={close}>
        <p className="muted">{t("inviteText")}</p>
        <Whose label={t("inviteFor")} others={children} value={patient} onChange={setPatient} />
        <TextField label={t("email")} type="email" autoComplete="off" value={email} onChange={setEmail} maxLength={254} />
        {patient ? (
          <Choices
            label={t("kind")}
            options={[
              { id: "parent", label: t("kind.parent") },
              { id: "carer", label: t("kind.carer") },
            ]}
            value={kind}
            onChange={setKind}
          />
        ) : null}
        <ScopeChoices value={allowed} onChange={setAllowed} />
        <TextField label={t("until")} hint={t("untilHint")} type="date" min={new Date().toISOString().slice(0, 10)} value={until} onChange={setUntil} />
        {allowed.length === 0 ? <p className="field-error">{t("pickScope")}</p> : null}
        {failure ? <Banner tone="problem">{failure}</Banner> : null}
        <div className="dialog-actions">
          <Button onPress={close}>{common("common.close")}</Button>
          <ActionButton variant="primary" isDisabled={email.trim() === "" || allowed.length === 0} act={send} onFailed={(error) => setFailure(explain(error))}>
            {t("send")}
          </ActionButton>
        </div>
      </Dialog>
    </>
  );
}
