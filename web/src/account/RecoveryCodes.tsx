import { useState } from "react";
import { api } from "../api/client";
import { Badge, Banner, Button, Card, Confirm, useToast } from "../design";
import { useAccountText } from "./text";

/** Ten codes for the day the phone is lost: shown when made, counted afterwards. */
export function RecoveryCodes({ left, fresh, onChanged, onKept }: { left: number; fresh: string[] | null; onChanged: (codes?: string[]) => Promise<void>; onKept: () => void }) {
  const t = useAccountText();
  const say = useToast();
  const [renewing, setRenewing] = useState(false);
  return (
    <Card as="section" className="stack" labelledBy="codes">
      <div>
        <div className="row-apart">
          <h2 id="codes">{t("security.codes")}</h2>
          <Badge tone={left < 3 ? "attention" : "plain"}>{t("security.codesLeft", { count: left })}</Badge>
        </div>
        <p className="muted">{t("security.codesText")}</p>
      </div>
      {fresh ? (
        <>
          <Banner tone="attention" icon="lock">
            {t("security.codesOnce")}
          </Banner>
          <ul className="codes numeric">
            {fresh.map((code) => (
              <li key={code}>
                <code>{code}</code>
              </li>
            ))}
          </ul>
          <div className="row-tight">
            <Button
              onPress={() =>
                void navigator.clipboard.writeText(fresh.join("\n")).then(
                  () => say(t("security.codesCopied")),
                  () => say(t("security.codesNotCopied")),
                )
              }
            >
              {t("security.codesCopy")}
            </Button>
            <Button variant="primary" onPress={onKept}>
              {t("security.codesKept")}
            </Button>
          </div>
        </>
      ) : (
        <div>
          <Button onPress={() => setRenewing(true)}>{t("security.codesNew")}</Button>
        </div>
      )}
      <Confirm
        title={t("security.codesNewAsk")}
        isOpen={renewing}
        onClose={() => setRenewing(false)}
        action={t("security.codesNew")}
        act={async () => onChanged((await api.newRecoveryCodes()).recovery_codes)}
      >
        {t("security.codesNewText")}
      </Confirm>
    </Card>
  );
}
