import { Avatar, Button } from "../base";
import type { WaitingItem } from "../live/protocol";
import { useNow } from "../parts/hooks";
import { named } from "../parts/named";
import type { VisitText } from "../text";

/** In the place of the picture before the call: who is here, and the one press that begins. */
export function Lobby({
  name,
  waiting,
  present,
  done,
  ended,
  joining,
  text,
  onStart,
  onJoin,
}: {
  name: string;
  waiting: WaitingItem | undefined;
  /** The patient sits in the call already. */
  present: boolean;
  /** The visit is completed: nothing is left to join. */
  done: boolean;
  /** The call was on before. */
  ended: boolean;
  joining: boolean;
  text: VisitText;
  /** Lets the waiting person in and joins. */
  onStart: (item: WaitingItem) => void;
  onJoin: () => void;
}) {
  const now = useNow();
  if (done) {
    return (
      <div className="v-lobby" data-testid="lobby">
        <Avatar name={name} large />
        <p>
          <strong>{text("cockpit.completed")}</strong>
        </p>
      </div>
    );
  }
  return (
    <div className="v-lobby" data-testid="lobby">
      <Avatar name={name} large />
      {waiting ? (
        <>
          <p>
            <strong>{text("cockpit.isWaiting", { name: named(waiting, text) })}</strong>
            <span>
              {text("cockpit.waitingSince", { time: text.span(now - Date.parse(waiting.since)) })}
              {waiting.readiness && ` · ${text(`day.readiness.${waiting.readiness}`)}`}
            </span>
          </p>
          <Button size="large" isPending={joining} onPress={() => onStart(waiting)}>
            {text(joining ? "cockpit.joining" : "day.admit")}
          </Button>
        </>
      ) : (
        <>
          <p>
            <strong>{text(present ? "cockpit.isHere" : "cockpit.notHere", { name })}</strong>
            {!present && <span>{text("cockpit.notHereBody")}</span>}
          </p>
          <Button variant={present ? "primary" : "secondary"} isPending={joining} onPress={onJoin}>
            {text(joining ? "cockpit.joining" : ended ? "cockpit.rejoin" : "cockpit.join")}
          </Button>
        </>
      )}
    </div>
  );
}
