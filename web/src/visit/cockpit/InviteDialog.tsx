import { useState } from "react";
import { api } from "../../api/client";
import type { InvitationInfo } from "../../api/types";
import { useResource } from "../../api/useResource";
import { Badge, TextField } from "../../design";
import { Button, Confirm, Dialog, Notice, Select } from "../base";
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
  const [state, setState] = useState<"idle" | "busy" | "failed" | "copied" | "uncopied">("idle");
  const invited = useResource(open ? `invitations:${visitId}` : null, () => api.invitations(visitId));

  async function invite() {
    setState("busy");
    try {
      setLink((await api.invite(visitId, { role, name: name.trim() })).url);
      setState("idle");
      void invited.reload();
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
          <Invited visitId={visitId} items={invited.data?.items ?? []} text={text} onChange={() => void invited.reload()} />
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
          {state === "uncopied" && <Notice tone="attention">{text("invite.copyFailed")}</Notice>}
          <div className="dialog-actions">
            <Button variant="secondary" onPress={close}>
              {text("visit.close")}
            </Button>
            <Button
              onPress={() =>
                void navigator.clipboard
                  .writeText(link)
                  .then(() => setState("copied"))
                  .catch(() => setState("uncopied"))
              }
            >
              {text(state === "copied" ? "invite.copied" : "invite.copy")}
            </Button>
          </div>
        </>
      )}
    </Dialog>
  );
}

/** Who was invited, how far they got, and the way to take a link back. */
function Invited({
  visitId,
  items,
  text,
  onChange,
}: {
  visitId: string;
  items: InvitationInfo[];
  text: VisitText;
  onChange: () => void;
}) {
  const [asking, setAsking] = useState<InvitationInfo | null>(null);
  const [failed, setFailed] = useState(false);
  if (items.length === 0) return null;
  return (
    <section className="v-invited" aria-labelledby="invited-title">
      <h3 id="invited-title">{text("invite.open")}</h3>
      <ul>
        {items.map((item) => (
          <li key={item.id} data-testid="invitation">
            <span>
              <strong>{item.name}</strong>{" "}
              <span className="v-soft">
                {text(item.role === "interpreter" ? "invite.interpreter" : "invite.guest")}
              </span>
            </span>
            <Badge tone={item.state === "redeemed" ? "good" : "plain"}>{text(`invite.state.${item.state}`)}</Badge>
            {(item.state === "open" || item.state === "redeemed") && (
              <Button
                variant="quiet"
                size="small"
                aria-label={text("invite.revokeNamed", { name: item.name })}
                onPress={() => setAsking(item)}
              >
                {text("invite.revoke")}
              </Button>
            )}
          </li>
        ))}
      </ul>
      {failed && <Notice tone="problem">{text("invite.revokeFailed")}</Notice>}
      <Confirm
        title={text("invite.revokeTitle", { name: asking?.name ?? "" })}
        body={text("invite.revokeBody")}
        confirm={text("invite.revoke")}
        cancel={text("visit.cancel")}
        open={asking !== null}
        onClose={() => setAsking(null)}
        onConfirm={() => {
          if (!asking) return;
          setFailed(false);
          void api
            .revokeInvitation(visitId, asking.id)
            .then(onChange)
            .catch(() => setFailed(true));
        }}
      />
    </section>
  );
}
