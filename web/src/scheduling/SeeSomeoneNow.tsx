import { useEffect, useRef, useState } from "react";
import { useLocation } from "wouter";
import { api } from "../api/client";
import type { Specialty } from "../api/types";
import { useResource } from "../api/useResource";
import { ActionButton, Banner, Button, ButtonLink, Card, Dialog, Select, TextField, useErrorText, useToast } from "../design";
import { useText } from "../i18n";
import { specialtyName } from "../parts/visits";
import { useScheduling } from "./text";
import "./scheduling.css";

const LOOK_MS = 5000;

/** A patient without an appointment: joins the queue of a specialty, and goes to the waiting room when their turn comes. */
export function SeeSomeoneNow({ specialties, chosen }: { specialties: Specialty[]; chosen: string }) {
  const t = useScheduling();
  const common = useText();
  const explain = useErrorText();
  const say = useToast();
  const [, go] = useLocation();
  const [asking, setAsking] = useState(false);
  const [specialty, setSpecialty] = useState<string | null>(chosen || null);
  const [reason, setReason] = useState("");
  const [failure, setFailure] = useState<string | null>(null);
  const watched = useRef<string | null>(null);
  const mine = useResource("my drop-in", async () => {
    const [waiting] = (await api.dropIns()).items;
    if (waiting) watched.current = waiting.id;
    // The line holds only who waits: what became of one's place is asked by itself.
    return waiting ?? (watched.current ? await api.dropInOf(watched.current) : null);
  });
  const { reload } = mine;
  const waiting = mine.data?.status === "waiting" ? mine.data : undefined;
  const taken = mine.data?.status === "taken" ? mine.data : undefined;
  useEffect(() => {
    if (!waiting) return;
    const timer = window.setInterval(() => void reload(), LOOK_MS);
    return () => window.clearInterval(timer);
  }, [waiting?.id, reload]);
  useEffect(() => {
    if (taken?.appointment_id) go(`/visit/${taken.appointment_id}`);
  }, [taken?.appointment_id]);

  if (waiting) {
    return (
      <Card as="section" tone="accent" className="row-apart">
        <div role="status">
          <p className="strong">{t("now.waiting", { what: specialtyName(waiting.specialty) })}</p>
          <p>{waiting.position === null ? t("now.soon") : t("now.position", { position: waiting.position })}</p>
        </div>
        <ActionButton
          act={async () => {
            await api.leaveDropIn(waiting.id);
            watched.current = null;
            await reload();
          }}
          onFailed={(error) => say(explain(error))}
        >
          {t("now.leave")}
        </ActionButton>
      </Card>
    );
  }
  if (taken?.appointment_id) {
    return (
      <ButtonLink variant="primary" icon="video" href={`/visit/${taken.appointment_id}`}>
        {common("visits.join")}
      </ButtonLink>
    );
  }
  return (
    <Card as="section" className="line-wraps">
      <div className="grow">
        <p className="strong">{t("now.title")}</p>
        <p className="muted small">{t("now.text")}</p>
      </div>
      <Button icon="clock" onPress={() => setAsking(true)}>
        {t("now.join")}
      </Button>
      <Dialog title={t("now.title")} isOpen={asking} onClose={() => setAsking(false)}>
        <Select label={common("find.specialty")} value={specialty} onChange={setSpecialty} options={specialties.map((each) => ({ id: each.code, label: each.name }))} />
        <TextField label={common("book.reason")} hint={common("book.reasonHint")} value={reason} onChange={setReason} multiline rows={2} maxLength={500} />
        {failure ? <Banner tone="problem">{failure}</Banner> : null}
        <div className="dialog-actions">
          <Button onPress={() => setAsking(false)}>{common("common.close")}</Button>
          <ActionButton
            variant="primary"
            isDisabled={!specialty}
            act={async () => {
              setFailure(null);
              await api.dropIn({ specialty: specialty ?? "", reason: reason.trim() || undefined });
              await reload();
              setAsking(false);
            }}
            onFailed={(error) => setFailure(explain(error))}
          >
            {t("now.join")}
          </ActionButton>
        </div>
      </Dialog>
    </Card>
  );
}
