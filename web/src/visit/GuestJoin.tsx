import { useEffect, useState } from "react";
import { api } from "../api/client";
import { ApiError } from "../api/http";
import { Button, Message } from "./base";
import { guestFiles } from "./files";
import { rememberGuest, rememberedGuest, type Guest } from "./guest";
import { Frame } from "./parts/Frame";
import { useVisitSession } from "./parts/hooks";
import { VisitFlow } from "./parts/VisitFlow";
import { useVisitText, type VisitText } from "./text";
import "./visit.css";
import "./call.css";


/** Takes the secret out of the address, so that it stays in neither history nor screenshots. */
function takeSecret(): string | null {
  const secret = window.location.hash.slice(1);
  if (secret) window.history.replaceState(null, "", window.location.pathname);
  return secret || null;
}

/** An interpreter or guest: the link, a device check, the waiting room, the call; nothing else. */
export function GuestJoin() {
  const text = useVisitText();
  const [secret] = useState(takeSecret);
  const [guest, setGuest] = useState<Guest | null>(() => (secret ? null : rememberedGuest()));
  const [problem, setProblem] = useState<"gone" | "missing" | "failed" | null>(null);
  const [busy, setBusy] = useState(false);

  async function redeem() {
    if (!secret) return;
    setBusy(true);
    setProblem(null);
    try {
      const redeemed = await api.redeem(secret);
      rememberGuest(redeemed);
      setGuest(redeemed);
    } catch (error) {
      const gone = error instanceof ApiError && (error.status === 410 || error.status === 404);
      setProblem(gone ? "gone" : "failed");
    } finally {
      setBusy(false);
    }
  }

  useEffect(() => {
    if (!secret && !rememberedGuest()) setProblem("missing");
  }, [secret]);

  if (guest) return <GuestVisit guest={guest} text={text} />;
  if (problem === "gone" || problem === "missing") {
    return (
      <Frame home={null}>
      <Message title={text("guest.gone.title")} testId="guest-gone">
        <p>{text(problem === "gone" ? "guest.gone.body" : "guest.missing.body")}</p>
      </Message>
      </Frame>
    );
  }
  return (
    <Frame home={null}>
    <Message
      title={text("guest.title")}
      actions={
        <Button size="large" isPending={busy} onPress={() => void redeem()}>
          {text(problem ? "visit.tryAgain" : "check.ask")}
        </Button>
      }
    >
      <p>{problem ? text("visit.failed.body") : text("guest.lead")}</p>
    </Message>
    </Frame>
  );
}

function GuestVisit({ guest, text }: { guest: Guest; text: VisitText }) {
  const [attempt, setAttempt] = useState(0);
  const [files] = useState(() => guestFiles(guest.guest_token));
  const { session, view } = useVisitSession(
    guest.appointment_id,
    () => api.guestVideoToken(guest.guest_token),
    attempt,
  );
  const again = () => setAttempt((count) => count + 1);
  return (
    <VisitFlow
      home={null}
      session={session}
      view={view}
      text={text}
      guest
      files={files}
      intro={
        <p className="v-check-who">
          {text("guest.name", { name: guest.name })}{" "}
          {text(guest.role === "interpreter" ? "guest.as.interpreter" : "guest.as.guest")}
        </p>
      }
      after={null}
      failed={<Button onPress={again}>{text("visit.tryAgain")}</Button>}
      onRetry={again}
    />
  );
}
