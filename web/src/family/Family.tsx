import type { ReactNode } from "react";
import { api } from "../api/client";
import type { Family as Mine, Proxy } from "../api/types";
import { useResource } from "../api/useResource";
import { Banner, ButtonLink, Card, EmptyState, Loaded, PageHeader } from "../design";
import { AddChild } from "./AddChild";
import { AskForHelp } from "./AskForHelp";
import { EndProxy } from "./EndProxy";
import { Invitations } from "./Invitations";
import { ProxyRow } from "./ProxyRow";
import { useFamilyText } from "./text";

/** Who acts for whom: those one acts for, those who act for oneself, and what waits for an answer. */
export default function Family() {
  const t = useFamilyText();
  const family = useResource("family", api.family);
  const reload = () => void family.reload();
  const mine = family.data?.acts_for.filter((each) => each.state === "in_force" && each.kind !== "carer" && each.how !== "recorded") ?? [];
  return (
    <div className="reading stack-loose">
      <PageHeader
        title={t("title")}
        actions={
          <>
            <AddChild onAdded={reload} />
            <AskForHelp children={mine} onAsked={reload} />
          </>
        }
      >
        {t("lead")}
      </PageHeader>
      <Loaded of={family}>{(data) => <Lists family={data} reload={reload} />}</Loaded>
    </div>
  );
}

function Lists({ family, reload }: { family: Mine; reload: () => void }) {
  const t = useFamilyText();
  const lives = (each: Proxy) => each.state !== "ended";
  const others = (proxy: Proxy) => family.acted_for_by.some((each) => each.patient_id === proxy.patient_id && lives(each));
  const over = [...family.acts_for, ...family.acted_for_by].filter((each) => !lives(each));
  return (
    <div className="stack-loose">
      {family.email_verified ? null : <Banner tone="attention">{t("unverified")}</Banner>}
      <Invitations items={family.invitations} onAnswered={reload} />
      <Section id="acts-for" title={t("actsFor")} text={t("actsForText")} empty={<EmptyState icon="people" title={t("actsForNone")}>{t("actsForNoneText")}</EmptyState>}>
        {family.acts_for.filter(lives).map((each) => (
          <ProxyRow key={each.id} proxy={each} about="patient">
            {each.scopes.includes("book") && each.state === "in_force" ? (
              <ButtonLink size="small" variant="soft" href={`/find?for=${each.patient_id}`} icon="search">
                {t("book")}
              </ButtonLink>
            ) : null}
            <EndProxy proxy={each} last={each.kind === "parent" && !others(each)} onEnded={reload} />
          </ProxyRow>
        ))}
      </Section>
      <Section id="acted-for" title={t("actedFor")} text={t("actedForText")} empty={<EmptyState icon="shield" title={t("actedForNone")}>{t("actedForNoneText")}</EmptyState>}>
        {family.acted_for_by.filter(lives).map((each) => (
          <ProxyRow key={each.id} proxy={each} about="proxy">
            <EndProxy proxy={each} onEnded={reload} />
          </ProxyRow>
        ))}
      </Section>
      {over.length > 0 ? (
        <Section id="over" title={t("over")}>
          {over.map((each) => (
            <ProxyRow key={each.id} proxy={each} about={family.acts_for.includes(each) ? "patient" : "proxy"} />
          ))}
        </Section>
      ) : null}
    </div>
  );
}

function Section({ id, title, text, empty, children }: { id: string; title: string; text?: string; empty?: ReactNode; children: ReactNode[] }) {
  return (
    <section className="stack" aria-labelledby={id}>
      <div>
        <h2 id={id}>{title}</h2>
        {text ? <p className="muted">{text}</p> : null}
      </div>
      {children.length === 0 ? <Card>{empty}</Card> : <Card flush><ul className="list">{children}</ul></Card>}
    </section>
  );
}
