import { useState } from "react";
import { ButtonLink, Menu, useToast } from "../../design";
import { Avatar, Button, Confirm } from "../base";
import { SignalingError } from "../live/link";
import type { WaitingItem } from "../live/protocol";
import type { VisitText } from "../text";
import { named } from "./named";
import { Icon } from "./icons";
import { keyOf, type Practice } from "./practice";
import { TransferDialog } from "./TransferDialog";

/** Who waits, live, and what can be done with each. */
export function WaitingPanel({
  practice,
  own,
  text,
  now,
  onAdmit,
}: {
  practice: Practice;
  /** The practitioner whose list it is; the desk sees all and admits nobody. */
  own: string | undefined;
  text: VisitText;
  now: number;
  onAdmit: (item: WaitingItem) => Promise<void>;
}) {
  const { items, connection } = practice;
  return (
    <section className="v-card v-waiting" aria-labelledby="day-waiting" data-testid="waiting-list">
      <header className="v-card-head">
        <h2 id="day-waiting">{text("day.waiting")}</h2>
        <span className="v-live" data-live={connection === "ready" || undefined}>
          {text(connection === "ready" ? "day.live" : "day.offline")}
        </span>
      </header>
      {items !== null && items.length === 0 && (
        <div className="v-empty">
          <strong>{text("day.waitingNone")}</strong>
          <p>{text("day.waitingNoneBody")}</p>
        </div>
      )}
      <ul className="v-people" aria-live="polite">
        {(items ?? []).map((item) => (
          <WaitingRow
            key={keyOf(item)}
            item={item}
            practice={practice}
            own={own}
            text={text}
            now={now}
            onAdmit={onAdmit}
          />
        ))}
      </ul>
    </section>
  );
}

function WaitingRow({
  item,
  practice,
  own,
  text,
  now,
  onAdmit,
}: {
  item: WaitingItem;
  practice: Practice;
  own: string | undefined;
  text: VisitText;
  now: number;
  onAdmit: (item: WaitingItem) => Promise<void>;
}) {
  const [busy, setBusy] = useState(false);
  const [asking, setAsking] = useState<"remove" | "transfer" | null>(null);
  const say = useToast();
  const name = named(item, text);
  const note = practice.notes[item.appointment_id];
  const recall = () =>
    void practice
      .recall(item)
      .then(() => say(text("day.recalled", { name })))
      .catch((error: unknown) => {
        const already = error instanceof SignalingError && error.code === "recalled_already";
        say(text(already ? "day.recalledAlready" : "day.recallFailed", { name }));
      });
  const waits = item.state === "waiting" || item.state === "held" || item.state === "reconnecting";
  return (
    <li className="v-person" data-state={item.state} data-testid="waiting-person">
      <Avatar name={name} />
      <div className="v-person-who">
        <strong>{name}</strong>
        <span>
          {waits
            ? text("day.waited", { time: text.span(now - Date.parse(item.since)) })
            : text(`day.state.${item.state as "admitted" | "in-call"}`)}
          {" · "}
          {text("day.for", { time: text.time(item.start) })}
        </span>
        <span className="v-tags">
          {item.state !== "waiting" && waits && (
            <span className="v-tag" data-status={item.state}>
              {text(`day.state.${item.state as "held" | "reconnecting"}`)}
            </span>
          )}
          <span className="v-tag" data-readiness={item.readiness ?? "unknown"}>
            {text(`day.readiness.${item.readiness ?? "unknown"}`)}
          </span>
          {item.role === "patient" && !item.checked_in && waits && (
            <span className="v-tag" data-status="held">
              {text("day.notCheckedIn")}
            </span>
          )}
          {item.recalled_at && waits && (
            <span className="v-tag">{text("day.recalledAt", { time: text.time(item.recalled_at) })}</span>
          )}
          {item.transferred_from && (
            <span className="v-tag">{text("day.from", { name: item.transferred_from })}</span>
          )}
        </span>
        {note && (
          <p className="v-person-note" aria-label={text("day.note", { name })}>
            {note.text}
          </p>
        )}
      </div>
      <div className="v-person-acts">
        {waits ? (
          <>
            {own && (
              <Button
                isPending={busy}
                aria-label={text("day.admitNamed", { name })}
                onPress={() => {
                  setBusy(true);
                  void onAdmit(item)
                    .catch(() => undefined)
                    .finally(() => setBusy(false));
                }}
              >
                {text("day.admit")}
              </Button>
            )}
            <Menu
              label={text("day.actions", { name })}
              look={{ variant: "quiet", label: text("day.actions", { name }) }}
              trigger={<Icon name="more" />}
              actions={[
                ...(item.state === "held"
                  ? []
                  : [{ id: "hold", label: text("day.hold"), onAction: () => void practice.hold(item).catch(() => undefined) }]),
                { id: "recall", label: text("day.recall"), onAction: recall },
                ...(item.role === "patient" && own
                  ? [{ id: "transfer", label: text("day.transfer"), onAction: () => setAsking("transfer") }]
                  : []),
                { id: "remove", label: text("day.remove"), onAction: () => setAsking("remove") },
              ]}
            />
          </>
        ) : (
          own && (
            <ButtonLink variant="plain" href={`/cockpit/${item.appointment_id}`}>
              {text("day.open")}
            </ButtonLink>
          )
        )}
      </div>
      <Confirm
        title={text("day.removeTitle", { name })}
        body={text("day.removeBody")}
        confirm={text("day.remove")}
        cancel={text("visit.cancel")}
        open={asking === "remove"}
        onClose={() => setAsking(null)}
        onConfirm={() => void practice.remove(item).catch(() => undefined)}
      />
      {asking === "transfer" && (
        <TransferDialog item={item} own={own} practice={practice} text={text} onClose={() => setAsking(null)} />
      )}
    </li>
  );
}
