import { useEffect, useState } from "react";
import { api } from "../api/client";
import { ApiError } from "../api/http";
import type { ConsentKind, ConsentText, Erasure } from "../api/types";
import { useResource } from "../api/useResource";
import { ActionButton, Badge, Banner, Button, Card, Confirm, Icon, Loaded, PageHeader, useErrorText, useToast } from "../design";
import { useFormat } from "../format/useFormat";
import { useLanguage } from "../i18n";
import { save } from "../parts/files";
import { RecordAccesses } from "../parts/RecordAccesses";
import { useSession } from "../session";
import { usePrivacy } from "./text";
import "./privacy.css";

const ASK_AGAIN_MS = 2000;
/** So that what one can do is not below a long list. */
const FIRST_SEEN = 8;

/** What a person may know and ask about their own data. */
export default function Privacy() {
  const t = usePrivacy();
  const { user } = useSession();
  return (
    <div className="reading stack">
      <PageHeader title={t("title")}>{t("lead")}</PageHeader>
      {user?.role === "patient" ? <Emergencies /> : null}
      <Seen own={user?.id} />
      <Consents />
      <Copy />
      <Forget />
    </div>
  );
}

function Emergencies() {
  const t = usePrivacy();
  const format = useFormat();
  const found = useResource("emergency accesses", () => api.emergencyAccesses());
  if (!found.data || found.data.items.length === 0) return null;
  return (
    <Card as="section" className="stack" labelledBy="emergency">
      <div>
        <h2 id="emergency">{t("emergency")}</h2>
        <p className="muted">{t("emergencyText")}</p>
      </div>
      <ul className="list">
        {found.data.items.map((each) => (
          <li key={each.id} className="list-item">
            <Icon name="alert" />
            <div className="grow">
              <p className="strong">{t("opened", { name: each.person_name ?? "–", time: format.dayAndClock(each.opened_at) })}</p>
              <p>{each.reason ?? "–"}</p>
            </div>
            <Badge tone={each.open ? "attention" : "plain"}>{each.open ? t("open") : t("until", { time: format.dayAndClock(each.ended_at ?? each.ends_at) })}</Badge>
          </li>
        ))}
      </ul>
    </Card>
  );
}

function Seen({ own }: { own: string | undefined }) {
  const t = usePrivacy();
  return (
    <Card as="section" className="stack" labelledBy="seen">
      <div>
        <h2 id="seen">{t("seen")}</h2>
        <p className="muted">{t("seenText")}</p>
      </div>
      <RecordAccesses own={own} first={FIRST_SEEN} />
    </Card>
  );
}

function Consents() {
  const t = usePrivacy();
  const format = useFormat();
  const explain = useErrorText();
  const say = useToast();
  const { language } = useLanguage();
  const texts = useResource(`consent texts ${language}`, () => api.consentTexts(language));
  const said = useResource("consents", api.consents);
  const latest = (kind: ConsentKind) => said.data?.items.find((each) => each.kind === kind);
  const put = async (text: ConsentText, given: boolean) => {
    await api.sayConsent(text.kind, { given, version: text.version, language: text.language });
    await said.reload();
    say(t("saved"));
  };
  return (
    <Card as="section" className="stack" labelledBy="consents">
      <div>
        <h2 id="consents">{t("consents")}</h2>
        <p className="muted">{t("consentsText")}</p>
      </div>
      <Loaded of={texts}>
        {(page) => (
          <ul className="list">
            {page.items.map((text) => {
              const word = latest(text.kind);
              const state = !word ? t("never") : t(word.given ? "agreed" : "withdrawn", { time: format.dayAndClock(word.said_at) });
              return (
                <li key={text.kind} className="list-item roomy-item" data-testid={`consent-${text.kind}`}>
                  <Icon name={word?.stands ? "check" : "lock"} />
                  <div className="grow">
                    <p className="strong">{text.title}</p>
                    <p>{text.body}</p>
                    <p className="muted small">{word?.given && !word.stands ? t("outdated") : state}</p>
                  </div>
                  <ActionButton
                    size="small"
                    variant={word?.stands ? "plain" : "primary"}
                    act={() => put(text, !word?.stands)}
                    onFailed={(error) => say(explain(error))}
                  >
                    {word?.stands ? t("withdraw") : t("agree")}
                  </ActionButton>
                </li>
              );
            })}
          </ul>
        )}
      </Loaded>
    </Card>
  );
}

function Copy() {
  const t = usePrivacy();
  const format = useFormat();
  const explain = useErrorText();
  const say = useToast();
  const exports = useResource("exports", api.exports);
  const newest = exports.data?.items[0];
  const waiting = newest?.state === "waiting";
  const { reload } = exports;
  useEffect(() => {
    if (!waiting) return;
    const timer = window.setInterval(() => void reload(), ASK_AGAIN_MS);
    return () => window.clearInterval(timer);
  }, [waiting, reload]);
  const download = async (id: string) => {
    save(await api.exportFile(id), "bedside.zip");
    await reload();
  };
  return (
    <Card as="section" className="stack" labelledBy="copy">
      <div>
        <h2 id="copy">{t("copy")}</h2>
        <p className="muted">{t("copyText")}</p>
      </div>
      {newest?.state === "failed" ? <Banner tone="problem">{t("copyFailed")}</Banner> : null}
      {waiting ? <Banner>{t("copyWaiting")}</Banner> : null}
      {newest?.state === "ready" && newest.expires_at ? (
        <Banner
          tone="good"
          action={
            <ActionButton size="small" variant="primary" act={() => download(newest.id)} onFailed={(error) => say(explain(error))}>
              {t("copyGet")}
            </ActionButton>
          }
        >
          {t("copyReady", { size: `${Math.max(1, Math.round((newest.size ?? 0) / 1024))} kB`, time: format.dayAndClock(newest.expires_at) })}
        </Banner>
      ) : null}
      {!waiting && newest?.state !== "ready" ? (
        <div>
          <ActionButton
            act={async () => {
              await api.askExport();
              await reload();
            }}
            onFailed={(error) => say(explain(error))}
          >
            {t("copyAsk")}
          </ActionButton>
        </div>
      ) : null}
    </Card>
  );
}

function Forget() {
  const t = usePrivacy();
  const format = useFormat();
  const explain = useErrorText();
  const state = useResource("erasure", api.erasure);
  const [asking, setAsking] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  const tell = (error: unknown) => {
    const reason = error instanceof ApiError && error.code === "erasure_hindered" ? error.problem.reason : null;
    setFailure(reason === "visits_ahead" || reason === "works_here" ? t(`hindered.${reason}`) : explain(error));
  };
  const after = async (act: Promise<unknown>) => {
    setFailure(null);
    await act;
    await state.reload();
  };
  return (
    <Card as="section" className="stack" labelledBy="forget">
      <div>
        <h2 id="forget">{t("forget")}</h2>
        <p className="muted">{t("forgetText")}</p>
      </div>
      <Loaded of={state}>
        {({ request, would_keep: kept }) => (
          <>
            {kept.length > 0 ? (
              <div>
                <p>{t("forgetKept")}</p>
                <ul>
                  {kept.map((each) => (
                    <li key={each.kind}>{t(`kept.${each.kind}`, { day: format.day(each.until, "short") })}</li>
                  ))}
                </ul>
              </div>
            ) : null}
            {failure ? <Banner tone="problem">{failure}</Banner> : null}
            {request ? <Request request={request} onConfirm={() => setAsking(true)} onWithdraw={() => after(api.withdrawErasure())} onFailed={tell} /> : null}
            {!request ? (
              <div>
                <ActionButton variant="danger-quiet" act={() => after(api.askErasure())} onFailed={tell}>
                  {t("forgetAsk")}
                </ActionButton>
              </div>
            ) : null}
          </>
        )}
      </Loaded>
      <Confirm title={t("forgetSure")} isOpen={asking} onClose={() => setAsking(false)} action={t("forgetYes")} danger act={() => after(api.confirmErasure())}>
        <p>{t("forgetSureText")}</p>
      </Confirm>
    </Card>
  );
}

function Request({ request, onConfirm, onWithdraw, onFailed }: {
  request: Erasure; onConfirm: () => void; onWithdraw: () => Promise<unknown>; onFailed: (error: unknown) => void;
}) {
  const t = usePrivacy();
  const format = useFormat();
  const confirmed = request.state === "confirmed";
  return (
    <>
      <Banner tone="attention">
        {confirmed ? t("forgetConfirmed", { time: format.dayAndClock(request.due_at ?? request.requested_at) }) : t("forgetRequested", { time: format.dayAndClock(request.requested_at) })}
      </Banner>
      <div className="row-tight">
        {confirmed ? null : (
          <Button variant="danger" onPress={onConfirm}>
            {t("forgetConfirm")}
          </Button>
        )}
        <ActionButton act={onWithdraw} onFailed={onFailed}>
          {t("forgetWithdraw")}
        </ActionButton>
      </div>
    </>
  );
}
