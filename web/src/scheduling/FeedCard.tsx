import { useState } from "react";
import { api } from "../api/client";
import { useResource } from "../api/useResource";
import { ActionButton, Banner, Button, ButtonLink, Card, Confirm, Loaded, TextField, useErrorText, useNow, useToast } from "../design";
import { useFormat } from "../format/useFormat";
import { useLanguage } from "../i18n";
import { useScheduling } from "./text";

/** One's visits in one's own calendar program: an address that is shown once. */
export function FeedCard() {
  const t = useScheduling();
  const format = useFormat();
  const explain = useErrorText();
  const say = useToast();
  const now = useNow();
  const { language } = useLanguage();
  const feed = useResource("feed", api.feed);
  const [url, setUrl] = useState<string | null>(null);
  const [asking, setAsking] = useState<"end" | "renew" | null>(null);
  const make = async () => {
    setUrl((await api.makeFeed(language)).url);
    await feed.reload();
  };
  return (
    <Card as="section" className="stack" labelledBy="feed">
      <div>
        <h2 id="feed">{t("feed.title")}</h2>
        <p className="muted">{t("feed.text")}</p>
      </div>
      <Loaded of={feed}>
        {(state) => (
          <>
            {url ? (
              <>
                <Banner tone="attention" icon="lock">
                  {t("feed.once")}
                </Banner>
                <TextField label={t("feed.address")} value={url} onChange={() => undefined} isReadOnly />
                <div className="row-tight">
                  <Button
                    variant="primary"
                    onPress={() =>
                      void navigator.clipboard.writeText(url).then(
                        () => say(t("feed.copied")),
                        () => say(t("feed.notCopied")),
                      )
                    }
                  >
                    {t("feed.copy")}
                  </Button>
                  <ButtonLink href={url.replace(/^https?:/, "webcal:")} icon="calendar">
                    {t("feed.open")}
                  </ButtonLink>
                </div>
              </>
            ) : null}
            {state.active ? (
              <>
                <p className="muted small">
                  {t("feed.since", { day: format.day(state.created_at ?? "", "short") })}{" "}
                  {state.read_at ? t("feed.read", { relative: format.relative(state.read_at, now) }) : t("feed.unread")}
                </p>
                <div className="row-tight">
                  <Button onPress={() => setAsking("renew")}>{t("feed.renew")}</Button>
                  <Button variant="danger-quiet" onPress={() => setAsking("end")}>
                    {t("feed.end")}
                  </Button>
                </div>
              </>
            ) : (
              <div>
                <ActionButton icon="calendar" act={make} onFailed={(error) => say(explain(error))}>
                  {t("feed.make")}
                </ActionButton>
              </div>
            )}
          </>
        )}
      </Loaded>
      <Confirm
        title={t(asking === "renew" ? "feed.renewAsk" : "feed.endAsk")}
        isOpen={asking !== null}
        onClose={() => setAsking(null)}
        danger
        action={t(asking === "renew" ? "feed.renew" : "feed.end")}
        act={async () => {
          if (asking === "renew") return make();
          await api.endFeed();
          setUrl(null);
          await feed.reload();
        }}
      >
        {t("feed.endText")}
      </Confirm>
    </Card>
  );
}
