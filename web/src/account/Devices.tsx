import { useState } from "react";
import { api } from "../api/client";
import type { Session } from "../api/types";
import { useResource } from "../api/useResource";
import { ActionButton, Badge, Button, Card, Confirm, Icon, Loaded, useErrorText, useNow, useToast } from "../design";
import { useFormat } from "../format/useFormat";
import { agentName } from "./agent";
import { useAccountText } from "./text";

/** Where one is signed in, and signing out from afar. */
export function Devices() {
  const t = useAccountText();
  const explain = useErrorText();
  const say = useToast();
  const sessions = useResource("sessions", api.sessions);
  const [ending, setEnding] = useState(false);
  return (
    <Card as="section" className="stack" labelledBy="sessions">
      <h2 id="sessions">{t("security.sessions")}</h2>
      <Loaded of={sessions}>
        {({ items }) => (
          <>
            <ul className="stack-tight">
              {items.map((each) => (
                <Row
                  key={each.id}
                  session={each}
                  end={async () => {
                    await api.endSession(each.id);
                    await sessions.reload();
                  }}
                  onFailed={(error) => say(explain(error))}
                />
              ))}
            </ul>
            {items.length > 1 ? (
              <div>
                <Button variant="danger-quiet" icon="signout" onPress={() => setEnding(true)}>
                  {t("security.endOthers")}
                </Button>
              </div>
            ) : null}
          </>
        )}
      </Loaded>
      <Confirm
        title={t("security.endOthersAsk")}
        isOpen={ending}
        onClose={() => setEnding(false)}
        danger
        action={t("security.endOthers")}
        act={async () => {
          await api.endOtherSessions();
          await sessions.reload();
        }}
      >
        {t("security.endOthersText")}
      </Confirm>
    </Card>
  );
}

function Row({ session, end, onFailed }: { session: Session; end: () => Promise<void>; onFailed: (error: unknown) => void }) {
  const t = useAccountText();
  const format = useFormat();
  const now = useNow();
  const name = agentName(session.agent) ?? t("security.unknownDevice");
  return (
    <li className="row">
      <Icon name="globe" />
      <div className="grow">
        <strong>{name}</strong> {session.current ? <Badge tone="accent">{t("security.here")}</Badge> : null}
        <div className="muted small">{t("security.since", { relative: format.relative(session.created_at, now) })}</div>
      </div>
      {session.current ? null : (
        <ActionButton size="small" aria-label={`${t("security.end")}: ${name}`} act={end} onFailed={onFailed}>
          {t("security.end")}
        </ActionButton>
      )}
    </li>
  );
}
