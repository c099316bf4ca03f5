import { useState, type FormEvent } from "react";
import { api } from "../api/client";
import { Banner, Button, Card, Confirm, TextField, useErrorText, useToast } from "../design";
import { useSession } from "../session";
import { OnOff } from "./Security";
import { isNotProved } from "./StepUp";
import { useAccountText } from "./text";

type Offer = { secret: string; uri: string; qr: string };

/** An app that shows codes: set up with a picture, proved with a code. */
export function Authenticator({ on, onChanged }: { on: boolean; onChanged: (codes?: string[]) => Promise<void> }) {
  const t = useAccountText();
  const explain = useErrorText();
  const say = useToast();
  const { accept } = useSession();
  const [offer, setOffer] = useState<Offer | null>(null);
  const [code, setCode] = useState("");
  const [busy, setBusy] = useState(false);
  const [removing, setRemoving] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  const run = async (act: () => Promise<void>) => {
    setBusy(true);
    setFailure(null);
    try {
      await act();
    } catch (error) {
      if (!isNotProved(error)) setFailure(explain(error));
    } finally {
      setBusy(false);
    }
  };
  const begin = () =>
    run(async () => {
      setCode("");
      setOffer(await api.offerTotp());
    });
  const confirm = (event: FormEvent) => {
    event.preventDefault();
    void run(async () => {
      const { recovery_codes, ...signedIn } = await api.confirmTotp(code.trim());
      accept(signedIn);
      setOffer(null);
      say(t("security.totpDone"));
      await onChanged(recovery_codes);
    });
  };
  return (
    <Card as="section" className="stack" labelledBy="totp">
      <div>
        <div className="row-apart">
          <h2 id="totp">{t("security.totp")}</h2>
          <OnOff on={on} />
        </div>
        <p className="muted">{t("security.totpText")}</p>
      </div>
      {offer && !on ? (
        <form className="stack" onSubmit={confirm} noValidate>
          <p>{t("security.totpScan")}</p>
          <img className="qr" src={`data:image/svg+xml;utf8,${encodeURIComponent(offer.qr)}`} alt={t("security.totpPicture")} />
          <TextField label={t("security.totpKey")} value={offer.secret} onChange={() => undefined} isReadOnly />
          <TextField label={t("security.totpCode")} inputMode="numeric" autoComplete="one-time-code" value={code} onChange={setCode} />
          <div>
            <Button type="submit" variant="primary" state={busy ? "busy" : "idle"}>
              {t("security.totpConfirm")}
            </Button>
          </div>
        </form>
      ) : null}
      {failure ? <Banner tone="problem">{failure}</Banner> : null}
      {on ? (
        <div>
          <Button variant="danger-quiet" onPress={() => setRemoving(true)}>
            {t("security.totpRemove")}
          </Button>
        </div>
      ) : offer ? null : (
        <div>
          <Button state={busy ? "busy" : "idle"} onPress={() => void begin()}>
            {t("security.totpAdd")}
          </Button>
        </div>
      )}
      <Confirm
        title={t("security.totpRemoveAsk")}
        isOpen={removing}
        onClose={() => setRemoving(false)}
        danger
        action={t("security.totpRemove")}
        act={async () => {
          await api.removeTotp();
          await onChanged();
        }}
      >
        {t("security.totpRemoveText")}
      </Confirm>
    </Card>
  );
}
