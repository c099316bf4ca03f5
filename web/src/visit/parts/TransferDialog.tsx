import { useState } from "react";
import { api } from "../../api/client";
import { useResource } from "../../api/useResource";
import { TextField, useToast } from "../../design";
import { Button, Dialog, Notice, Select } from "../base";
import type { WaitingItem } from "../live/protocol";
import type { VisitText } from "../text";
import type { Practice } from "./practice";

const NOTE_LENGTH = 1_000;

/** Gives a whole visit to a colleague, with a note that clinicians alone read. */
export function TransferDialog({
  item,
  own,
  practice,
  text,
  onClose,
}: {
  item: WaitingItem;
  /** Who hands over: nobody hands over to themselves. */
  own: string | undefined;
  practice: Practice;
  text: VisitText;
  onClose: () => void;
}) {
  const say = useToast();
  const { data } = useResource("colleagues", () => api.providers({ limit: 100 }));
  const [colleague, setColleague] = useState("");
  const [note, setNote] = useState("");
  const [state, setState] = useState<"idle" | "busy" | "failed">("idle");
  const colleagues = (data?.items ?? []).filter(({ id }) => id !== own);
  const { name } = item;

  async function transfer() {
    setState("busy");
    try {
      await practice.transfer(item, colleague, note.trim());
      say(text("day.transferred", { name }));
      onClose();
    } catch {
      setState("failed");
    }
  }

  return (
    <Dialog title={text("day.transferTitle", { name })} open onClose={onClose}>
      {data && colleagues.length === 0 ? (
        <p>{text("day.nobodyElse")}</p>
      ) : (
        <>
          <Select
            label={text("day.transferTo")} placeholder={text("visit.choose")}
            value={colleague}
            options={colleagues.map((one) => ({
              value: one.id,
              label: one.title && one.title.length <= 5 ? `${one.title} ${one.name}` : one.name,
            }))}
            onChange={setColleague}
          />
          <TextField
            label={text("day.transferNote")}
            hint={text("day.transferNoteHint")}
            value={note}
            onChange={setNote}
            maxLength={NOTE_LENGTH}
            multiline
            rows={3}
          />
          <p className="v-soft">{text("day.transferBody")}</p>
        </>
      )}
      {state === "failed" && <Notice tone="problem">{text("day.transferFailed")}</Notice>}
      <div className="dialog-actions">
        <Button variant="secondary" onPress={onClose}>
          {text("visit.cancel")}
        </Button>
        <Button isDisabled={!colleague} isPending={state === "busy"} onPress={() => void transfer()}>
          {text("day.transferNow")}
        </Button>
      </div>
    </Dialog>
  );
}
