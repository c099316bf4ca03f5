import { useState, type FormEvent } from "react";
import { api } from "../api/client";
import type { Passkey, Security as State } from "../api/types";
import { Badge, Banner, Button, Card, Confirm, Dialog, Icon, TextField, useErrorText, useNow, useToast } from "../design";
import { useFormat } from "../format/useFormat";
import { useText } from "../i18n";
import { useSession } from "../session";
import { createPasskey, isCancelled, passkeysWork } from "./passkey";
import { OnOff } from "./Security";
import { isNotProved } from "./StepUp";
import { useAccountText } from "./text";

/** Passkeys: a list, and adding, naming and removing them. */
export function Passkeys({ state, onChanged }: { state: State; onChanged: (codes?: string[]) => Promise<void> }) {
  const t = useAccountText();
  const explain = useErrorText();
  const say = useToast();
  const { accept } = useSession();
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  const [renaming, setRenaming] = useState<Passkey | null>(null);
  const [removing, setRemoving] = useState<Passkey | null>(null);
  const add = async () => {
    setBusy(true);
    setFailure(null);
    try {
      const offered = await api.offerPasskey();
      const credential = await createPasskey(offered);
      const name = t("security.passkeyFirst");
      const { recovery_codes, ...signedIn } = await api.addPasskey({ ceremony: offered.ceremony, credential, name });
      accept(signedIn);
      say(t("security.passkeyAdded"));
      await onChanged(recovery_codes);
    } catch (error) {
      if (!isNotProved(error)) setFailure(isCancelled(error) ? t("signIn.cancelled") : explain(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Card as="section" className="stack" labelledBy="passkeys">
      <div>
        <div className="row-apart">
          <h2 id="passkeys">{t("security.passkeys")}</h2>
          <OnOff on={state.passkeys.length > 0} />
        </div>
        <p className="muted">{t("security.passkeysText")}</p>
      </div>
      {state.passkeys.length > 0 ? (
        <ul className="stack-tight">
          {state.passkeys.map((each) => (
            <Row key={each.id} passkey={each} onRename={() => setRenaming(each)} onRemove={() => setRemoving(each)} />
          ))}
        </ul>
      ) : (
        <p>{t("security.passkeysNone")}</p>
      )}
      {failure ? <Banner tone="problem">{failure}</Banner> : null}
      {passkeysWork() ? (
        <div>
          <Button variant={state.passkeys.length === 0 ? "primary" : "plain"} icon="plus" state={busy ? "busy" : "idle"} onPress={() => void add()}>
            {t("security.passkeyAdd")}
          </Button>
        </div>
      ) : (
        <p className="muted small">{t("security.passkeysNowhere")}</p>
      )}
      {renaming ? <Rename passkey={renaming} onClose={() => setRenaming(null)} onChanged={onChanged} /> : null}
      <Confirm
        title={t("security.passkeyRemoveAsk")}
        isOpen={removing !== null}
        onClose={() => setRemoving(null)}
        danger
        action={t("security.remove")}
        act={async () => {
          if (removing) await api.removePasskey(removing.id);
          await onChanged();
        }}
      >
        {t("security.passkeyRemoveText", { name: removing?.name ?? "" })}
      </Confirm>
    </Card>
  );
}

function Row({ passkey, onRename, onRemove }: { passkey: Passkey; onRename: () => void; onRemove: () => void }) {
  const t = useAccountText();
  const format = useFormat();
  const now = useNow();
  const used = passkey.last_used_at ? t("security.passkeyUsed", { relative: format.relative(passkey.last_used_at, now) }) : t("security.passkeyUnused");
  return (
    <li className="row">
      <Icon name="lock" />
      <div className="grow">
        <strong>{passkey.name}</strong> {passkey.synced ? <Badge>{t("security.passkeySynced")}</Badge> : null}
        <div className="muted small">
          {t("security.passkeySince", { day: format.day(passkey.created_at, "short") })}, {used}
        </div>
      </div>
      <div className="row-tight">
        <Button size="small" aria-label={`${t("security.rename")}: ${passkey.name}`} onPress={onRename}>
          {t("security.rename")}
        </Button>
        <Button size="small" variant="danger-quiet" aria-label={`${t("security.remove")}: ${passkey.name}`} onPress={onRemove}>
          {t("security.remove")}
        </Button>
      </div>
    </li>
  );
}

function Rename({ passkey, onClose, onChanged }: { passkey: Passkey; onClose: () => void; onChanged: () => Promise<void> }) {
  const t = useAccountText();
  const common = useText();
  const explain = useErrorText();
  const [name, setName] = useState(passkey.name);
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string>();
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    try {
      await api.renamePasskey(passkey.id, name.trim());
      await onChanged();
      onClose();
    } catch (error) {
      setFailure(explain(error));
      setBusy(false);
    }
  };
  return (
    <Dialog title={t("security.rename")} isOpen onClose={onClose}>
      <form className="stack" onSubmit={(event) => void submit(event)} noValidate>
        <TextField label={t("security.passkeyName")} hint={t("security.passkeyNameHint")} value={name} onChange={setName} error={failure} autoFocus />
        <div className="dialog-actions">
          <Button type="submit" variant="primary" state={busy ? "busy" : "idle"}>
            {common("common.save")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
