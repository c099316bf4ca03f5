import { useEffect, useMemo, useState } from "react";
import { ButtonLink } from "../design";
import { api } from "../api/client";
import { http } from "../api/http";
import type { CheckIn } from "../api/types";
import { useResource } from "../api/useResource";
import { useSession } from "../session";
import { Button, Message } from "./base";
import { visitFiles } from "./files";
import { Frame } from "./parts/Frame";
import { useVisitSession } from "./parts/hooks";
import type { Safety } from "./parts/SafetyCheck";
import { VisitFlow } from "./parts/VisitFlow";
import { useVisitText } from "./text";
import "./visit.css";
import "./call.css";

/** The patient's way through a visit: check-in, waiting room, call, and out again. */
export function PatientVisit({ appointmentId: id }: { appointmentId: string }) {
  const text = useVisitText();
  const [attempt, setAttempt] = useState(0);
  const appointment = useResource(`appointment:${id}`, () => api.appointment(id));
  const { session, view } = useVisitSession(id, () => api.videoToken(id), attempt);
  const again = () => {
    setAttempt((count) => count + 1);
    void appointment.reload();
  };
  const { data, error } = appointment;
  const language = text.locale;
  const { user } = useSession();
  const acting = data !== undefined && user !== null && data.patient_id !== user.id;
  const checkIn = useResource(`check-in:${id}`, () => api.checkIn(id, { language }));
  const [checked, setChecked] = useState<CheckIn | null>(null);
  const safety = useMemo<Safety>(
    () => ({
      acting,
      ask: (country) => api.checkIn(id, { language, ...(country !== undefined && { country }) }),
      agree: (read) => api.agreeToVideo(id, read),
      save: (said) =>
        api.saveCheckIn(id, { ...said, language, identity_confirmed: true, red_flags_read: true }),
    }),
    [id, language, acting],
  );
  const files = useMemo(() => visitFiles(id), [id]);
  const withdrawn = view?.visit?.you.state === "held" && view.visit.reason === "consent_withdrawn";
  const refetch = checkIn.reload;
  useEffect(() => {
    if (!withdrawn) return;
    // What has to be agreed to is asked anew: it was taken back elsewhere.
    setChecked(null);
    void refetch();
  }, [withdrawn, refetch]);
  const opensAt = data?.visit_opens_at;
  const refused = view?.failure?.code ?? null;
  const early = refused === "visit_not_open" && opensAt !== undefined && http.time() < Date.parse(opensAt);

  useEffect(() => {
    if (!early || opensAt === undefined) return undefined;
    // Never far ahead: a device that slept through the minute notices within the next.
    const wait = Math.min(60_000, Math.max(1_000, Date.parse(opensAt) - http.time()));
    const timer = window.setTimeout(() => setAttempt((count) => count + 1), wait);
    return () => window.clearTimeout(timer);
  }, [early, opensAt, attempt]);

  if (error && !data && (error.status === 404 || error.status === 403)) {
    return (
      <Frame home="/visits" out={text("visit.home")}>
      <Message
        title={text("visit.notFound.title")}
        actions={<ButtonLink variant="primary" href={"/visits"}>{text("visit.home")}</ButtonLink>}
      >
        <p>{text("visit.notFound.body")}</p>
      </Message>
      </Frame>
    );
  }
  if (refused === "visit_not_open") {
    return (
      <Frame home="/visits" out={text("visit.home")}>
      <Message
        title={text(early ? "visit.early.title" : "visit.over.title")}
        testId="visit-not-open"
        actions={<ButtonLink variant="plain" href={`/visits/${id}`}>{text("after.link")}</ButtonLink>}
      >
        <p>
          {early && opensAt
            ? text("visit.early.body", { time: text.time(opensAt) })
            : text("visit.over.body")}
        </p>
      </Message>
      </Frame>
    );
  }
  return (
    <VisitFlow
      home="/visits"
      session={session}
      view={view}
      text={text}
      start={data?.start}
      files={files}
      safety={safety}
      checkIn={checked ?? checkIn.data ?? undefined}
      onCheckedIn={setChecked}
      network={() => api.probeToken(id)}
      onRetry={again}
      after={
        <ButtonLink variant="primary" href={`/visits/${id}`}>
          {text("after.link")}
        </ButtonLink>
      }
      failed={
        <Button variant="primary" onPress={again}>
          {text("visit.tryAgain")}
        </Button>
      }
    />
  );
}
