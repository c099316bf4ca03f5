import { useState } from "react";
import { api } from "../../api/client";
import { TextField } from "../../design";
import { Button, Dialog, Notice, Select } from "../base";
import type { VisitText } from "../text";

/** A one-time link for an interpreter or a relative. It is shown once and never stored here. */
export function InviteDialog({
  visitId,
  text,
  open,
  onClose,
}: {
  visitId: string;
  text: VisitText;
  open: boolean;
  onClose: () => void;
}) {
  const [role, setRole] = useState<"interpreter" | "guest">("guest");
  const [name, setName] = useState("");
  const [link, setLink] = useState<string | null>(null);
  const [state, setState] = useState<"idle" | "busy" | "failed" | "copied">("idle");

  async function invite() {
    setState("busy");
    try {
      setLink((await api.invite(visitId, { role, name: name.trim() })).url);
      setState("idle");
    } catch {
      setState("failed");
    }
  }

  function close() {
    setLink(null);
    setName("");
    setState("idle");
    onClose();
  }

  return (
    <Dialog title={text("invite.title")} open={open} onClose={close}>
      {link === null ? (
        <>
          <p className="v-soft">{text("invite.lead")}</p>
          <Select
            label={text("invite.role")}
            value={role}
            options={[
              { value: "guest", label: text("invite.guest") },
              { value: "interpreter", label: text("invite.interpreter") },
            ]}
            onChange={(value) => setRole(value as "interpreter" | "guest")}
          />
          <TextField label={text("invite.name")} value={name} onChange={setName} maxLength={100} autoFocus />
          {state === "failed" && <Notice tone="problem">{text("invite.failed")}</Notice>}
          <div className="dialog-actions">
            <Button variant="secondary" onPress={close}>
              {text("visit.cancel")}
            </Button>
            <Button
              isDisabled={!name.trim()}
              isPending={state === "busy"}
              onPress={() => void invite()}
            >
              {text("invite.make")}
            </Button>
          </div>
        </>
      ) : (
        <>
          <TextField label={text("invite.link")} hint={text("invite.once")} value={link} onChange={() => undefined} />
          <div className="dialog-actions">
            <Button variant="secondary" onPress={close}>
              {text("visit.close")}
            </Button>
            <Button
              onPress={() => void navigator.clipboard.writeText(link).then(() => setState("copied"))}
            >
              {text(state === "copied" ? "invite.copied" : "invite.copy")}
            </Button>
          </div>
        </>
      )}
    </Dialog>
  );
}
