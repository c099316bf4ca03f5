import { Button, Dialog } from "../base";
import type { VisitKey, VisitText } from "../text";

const KEYS: readonly [string, VisitKey][] = [
  ["M", "keys.microphone"],
  ["V", "keys.camera"],
  ["C", "keys.chat"],
  ["H", "keys.hand"],
  ["S", "keys.share"],
  ["G", "keys.view"],
  ["P", "keys.pip"],
  ["?", "keys.list"],
];
const DESK_KEYS: readonly [string, VisitKey][] = [
  ["1", "cockpit.notes"],
  ["2", "cockpit.record"],
  ["3", "cockpit.prescribe"],
  ["4", "cockpit.chat"],
];

/** Every key of the call, and of the practitioner's desk beside it. */
export function ShortcutsDialog({
  text,
  open,
  desk,
  onClose,
}: {
  text: VisitText;
  open: boolean;
  desk: boolean;
  onClose: () => void;
}) {
  return (
    <Dialog title={text("call.shortcuts")} open={open} onClose={onClose}>
      <p className="v-soft">{text("keys.lead")}</p>
      <dl className="v-keys" data-testid="shortcuts">
        {[...KEYS, ...(desk ? DESK_KEYS : [])].map(([key, meaning]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{text(meaning)}</dd>
          </div>
        ))}
      </dl>
      <div className="v-actions">
        <Button onPress={onClose}>{text("visit.close")}</Button>
      </div>
    </Dialog>
  );
}
