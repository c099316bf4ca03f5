import { useEffect } from "react";
import { api } from "../api/client";
import type { WaitlistEntry } from "../api/types";
import { useResource } from "../api/useResource";
import { ActionButton, Card, Countdown, useErrorText, useToast } from "../design";
import { useFormat } from "../format/useFormat";
import { useText } from "../i18n";
import { specialtyName } from "../parts/visits";
import { useScheduling } from "./text";
import "./scheduling.css";

/** An offer is good for minutes: it is looked for this often while the page is open. */
const LOOK_MS = 15_000;

/** Where a patient waits for a time, and the times that are offered to them now. Nothing when there is neither. */
export function Offers({ onBooked }: { onBooked: () => void }) {
  const entries = useResource("waitlist", () => api.waitlist({ limit: 50 }));
  const { reload } = entries;
  useEffect(() => {
    const timer = window.setInterval(() => void reload(), LOOK_MS);
    return () => window.clearInterval(timer);
  }, [reload]);
  const live = entries.data?.items.filter((entry) => entry.status === "waiting" || entry.status === "offered") ?? [];
  if (live.length === 0) return null;
  return (
    <div className="stack offers">
      {live.map((entry) =>
        entry.offer ? (
          <Offer key={entry.id} entry={entry} offer={entry.offer} onChanged={() => void reload()} onBooked={onBooked} />
        ) : (
          <Waiting key={entry.id} entry={entry} onChanged={() => void reload()} />
        ),
      )}
    </div>
  );
}

function Offer({ entry, offer, onChanged, onBooked }: {
  entry: WaitlistEntry; offer: NonNullable<WaitlistEntry["offer"]>; onChanged: () => void; onBooked: () => void;
}) {
  const t = useScheduling();
  const format = useFormat();
  const explain = useErrorText();
  const say = useToast();
  return (
    <Card as="section" raised tone="accent" className="stack">
      <div>
        <h2>{t("offer.title")}</h2>
        <p className="visit-when">
          {format.day(offer.start)}, {format.clock(offer.start)}
        </p>
        <p>{t("offer.text", { name: offer.practitioner_name })}</p>
        <p className="hold">
          {t("offer.left")} <Countdown until={offer.expires_at} onEnd={onChanged} />
        </p>
      </div>
      <div className="row-tight">
        <ActionButton
          variant="primary"
          act={async () => {
            await api.acceptOffer(entry.id);
            say(t("offer.accepted", { when: format.dayAndClock(offer.start) }));
            onChanged();
            onBooked();
          }}
          onFailed={(error) => {
            say(explain(error));
            onChanged();
          }}
        >
          {t("offer.accept")}
        </ActionButton>
        <ActionButton
          act={async () => {
            await api.declineOffer(entry.id);
            onChanged();
          }}
          onFailed={(error) => say(explain(error))}
        >
          {t("offer.decline")}
        </ActionButton>
      </div>
    </Card>
  );
}

function Waiting({ entry, onChanged }: { entry: WaitlistEntry; onChanged: () => void }) {
  const t = useScheduling();
  const common = useText();
  const format = useFormat();
  const explain = useErrorText();
  const say = useToast();
  const provider = useResource(entry.practitioner_id ? `provider ${entry.practitioner_id}` : null, () => api.provider(entry.practitioner_id ?? ""));
  const what = entry.specialty ? specialtyName(entry.specialty) : (provider.data?.name ?? common("common.practitioner"));
  return (
    <Card as="section" className="row-apart">
      <div>
        <p className="strong">{t("waitlist.waiting", { what })}</p>
        <p className="muted small">{t("waitlist.days", { first: format.date(entry.first_day, "short"), last: format.date(entry.last_day, "short") })}</p>
      </div>
      <ActionButton
        variant="quiet"
        act={async () => {
          await api.leaveWaitlist(entry.id);
          onChanged();
        }}
        onFailed={(error) => say(explain(error))}
      >
        {t("waitlist.leave")}
      </ActionButton>
    </Card>
  );
}
