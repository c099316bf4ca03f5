import { useState } from "react";
import { api } from "../api/client";
import { useResource } from "../api/useResource";
import { Banner, Button, Card, Confirm, Icon, useErrorText } from "../design";
import { useFormat } from "../format/useFormat";
import { leaveFor } from "./providers";
import { isNotProved } from "./StepUp";
import { useAccountText } from "./text";

/** Other services that sign this person in; only where the operator has set some up. */
export function Linked() {
  const t = useAccountText();
  const format = useFormat();
  const explain = useErrorText();
  const providers = useResource("providers", api.signInProviders);
  const linked = useResource("linked", api.linkedProviders);
  const [removing, setRemoving] = useState<{ provider: string; name: string } | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  if (!providers.data?.items.length || !linked.data) return null;
  const held = new Map(linked.data.items.map((each) => [each.provider, each]));
  const begin = async (id: string) => {
    setFailure(null);
    try {
      leaveFor((await api.beginLink(id)).url, true);
    } catch (error) {
      if (!isNotProved(error)) setFailure(explain(error));
    }
  };
  return (
    <Card as="section" className="stack" labelledBy="linked">
      <div>
        <h2 id="linked">{t("linked.title")}</h2>
        <p className="muted">{t("linked.text")}</p>
      </div>
      <ul className="stack-tight">
        {providers.data.items.map((each) => {
          const own = held.get(each.id);
          return (
            <li className="row" key={each.id}>
              <Icon name="globe" />
              <div className="grow">
                <strong>{each.name}</strong>
                {own ? <div className="muted small">{t("security.passkeySince", { day: format.day(own.linked_at, "short") })}</div> : null}
              </div>
              {own ? (
                <Button size="small" variant="danger-quiet" onPress={() => setRemoving(own)}>
                  {t("security.remove")}
                </Button>
              ) : (
                <Button size="small" onPress={() => void begin(each.id)}>
                  {t("linked.add")}
                </Button>
              )}
            </li>
          );
        })}
      </ul>
      {failure ? <Banner tone="problem">{failure}</Banner> : null}
      <Confirm
        title={t("linked.removeAsk", { name: removing?.name ?? "" })}
        isOpen={removing !== null}
        onClose={() => setRemoving(null)}
        danger
        action={t("security.remove")}
        act={async () => {
          if (removing) await api.unlinkProvider(removing.provider);
          await linked.reload();
        }}
      >
        {t("linked.removeText")}
      </Confirm>
    </Card>
  );
}
