import { api } from "../api/client";
import type { ProxyInvitation } from "../api/types";
import { ActionButton, Avatar, Badge, Card, useErrorText, useToast } from "../design";
import { useFormat } from "../format/useFormat";
import { useSession } from "../session";
import { useFamilyText } from "./text";
import "./family.css";

/** What one is asked, and what one has asked: both wait for an answer. */
export function Invitations({ items, onAnswered }: { items: ProxyInvitation[]; onAnswered: () => void }) {
  const t = useFamilyText();
  if (items.length === 0) return null;
  return (
    <section className="stack" aria-labelledby="waiting">
      <h2 id="waiting">{t("waiting")}</h2>
      <Card flush>
        <ul className="list">
          {[...items].sort((a, b) => Number(b.to_me) - Number(a.to_me)).map((each) => (
            <Invitation key={each.id} asked={each} onAnswered={onAnswered} />
          ))}
        </ul>
      </Card>
    </section>
  );
}

function Invitation({ asked, onAnswered }: { asked: ProxyInvitation; onAnswered: () => void }) {
  const t = useFamilyText();
  const format = useFormat();
  const explain = useErrorText();
  const say = useToast();
  const { user } = useSession();
  const names = { from: asked.from_name, patient: asked.patient_name, email: asked.email };
  const what = asked.to_me
    ? t(asked.from_name === asked.patient_name ? "asksYouSelf" : "asksYou", names)
    : t(asked.patient_id === user?.id ? "askedSelf" : "asked", names);
  const decline = async () => {
    await api.declineProxy(asked.id);
    onAnswered();
  };
  return (
    <li className="list-item proxy-row">
      <Avatar name={asked.to_me ? asked.patient_name : asked.email} />
      <div>
        <p className="strong">{what}</p>
        <p className="muted small">
          {[t(`as.${asked.kind}`), t("answerBy", { day: format.day(asked.expires_at, "short") }), ...(asked.until ? [t("endsAt", { day: format.day(asked.until, "short") })] : [])].join(" · ")}
        </p>
        <div className="proxy-scopes">
          {asked.scopes.map((scope) => (
            <Badge key={scope}>{t(`scope.${scope}`)}</Badge>
          ))}
        </div>
      </div>
      <div className="proxy-acts">
        {asked.to_me ? (
          <>
            <ActionButton
              size="small"
              variant="primary"
              act={async () => {
                const made = await api.acceptProxy(asked.id);
                say(t("accepted", { name: made.patient_name }));
                onAnswered();
              }}
              onFailed={(error) => say(explain(error))}
            >
              {t("accept")}
            </ActionButton>
            <ActionButton size="small" act={decline} onFailed={(error) => say(explain(error))}>
              {t("decline")}
            </ActionButton>
          </>
        ) : (
          <ActionButton size="small" act={decline} onFailed={(error) => say(explain(error))}>
            {t("takeBack")}
          </ActionButton>
        )}
      </div>
    </li>
  );
}
