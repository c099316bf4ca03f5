import { useState } from "react";
import { api } from "../api/client";
import { useResource } from "../api/useResource";
import { Button, Card, EmptyState, Loaded, PageHeader, SkeletonList } from "../design";
import { useFormat } from "../format/useFormat";
import { useText } from "../i18n";

/** The demonstration's mail catcher: what would have been sent. */
export default function Mail() {
  const t = useText();
  const format = useFormat();
  const [chosen, choose] = useState<string | null>(null);
  const mails = useResource("mails", api.mails);
  const mail = useResource(chosen ? `mail ${chosen}` : null, () => api.mail(chosen ?? ""));
  return (
    <div>
      <PageHeader title={t("mail.title")} actions={<Button onPress={() => void mails.reload()}>{t("app.reload")}</Button>}>
        {t("mail.lead")}
      </PageHeader>
      <Loaded of={mails}>
        {({ items }) =>
          items.length === 0 ? (
            <Card>
              <EmptyState icon="mail" title={t("mail.none")}>
                {t("mail.noneText")}
              </EmptyState>
            </Card>
          ) : (
            <div className="two">
              <Card flush>
                <ul className="list">
                  {items.map((each) => (
                    <li key={each.id}>
                      <Button variant="quiet" wide onPress={() => choose(each.id)} aria-pressed={each.id === chosen}>
                        <span className="grow mail-line">
                          <span className="strong">{each.subject}</span>
                          <span className="muted small">
                            {t("mail.to", { address: each.to })} · {format.relative(each.received_at)}
                          </span>
                        </span>
                      </Button>
                    </li>
                  ))}
                </ul>
              </Card>
              <Card className="two-sticky">
                {chosen === null ? (
                  <EmptyState icon="mail" title={t("mail.pick")} />
                ) : (
                  <Loaded of={mail} loading={<SkeletonList rows={1} />}>
                    {(data) => (
                      <article className="stack">
                        <h2>{data.subject}</h2>
                        <p className="muted small">{t("mail.to", { address: data.to })}</p>
                        <p className="prewrap">{data.text}</p>
                      </article>
                    )}
                  </Loaded>
                )}
              </Card>
            </div>
          )
        }
      </Loaded>
    </div>
  );
}
