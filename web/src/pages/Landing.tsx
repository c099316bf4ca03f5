import { Link } from "react-aria-components";
import { Redirect } from "wouter";
import { api } from "../api/client";
import { useResource } from "../api/useResource";
import { homeOf } from "../app/Shell";
import { Banner, ButtonLink, Card, EmptyState, Loaded, PageHeader, Skeleton, SkeletonList, useNow } from "../design";
import { familyVisits } from "../family/useFamily";
import { useText, type Key } from "../i18n";
import { VisitCard } from "../parts/VisitCard";
import { isComing } from "../parts/visits";
import { useSession } from "../session";
import { HeroPicture } from "../parts/HeroPicture";

const steps: [Key, Key][] = [
  ["landing.step1", "landing.step1Text"],
  ["landing.step2", "landing.step2Text"],
  ["landing.step3", "landing.step3Text"],
];

export default function Landing() {
  const { status, user } = useSession();
  if (status === "loading") return <SkeletonList rows={2} />;
  if (user && user.role !== "patient") return <Redirect to={homeOf(user.role)} replace />;
  return user ? <Home name={user.name} /> : <Welcome />;
}

function Welcome() {
  const t = useText();
  return (
    <div className="stack-loose">
      <section className="hero">
        <div className="stack">
          <h1>{t("landing.title")}</h1>
          <p className="hero-lead">{t("landing.lead")}</p>
          <div className="row">
            <ButtonLink href="/find" variant="primary" size="large" icon="search">
              {t("nav.find")}
            </ButtonLink>
            <ButtonLink href="/register" size="large">
              {t("nav.register")}
            </ButtonLink>
          </div>
        </div>
        <HeroPicture />
      </section>
      <Specialties />
      <section className="stack" aria-labelledby="how">
        <h2 id="how">{t("landing.how")}</h2>
        <ol className="columns">
          {steps.map(([title, text], index) => (
            <Card as="li" key={title} className="stack-tight">
              <span className="step-number" aria-hidden="true">
                {index + 1}
              </span>
              <h3>{t(title)}</h3>
              <p className="muted">{t(text)}</p>
            </Card>
          ))}
        </ol>
      </section>
      <Banner tone="attention">{t("landing.emergency")}</Banner>
    </div>
  );
}

function Home({ name }: { name: string }) {
  const t = useText();
  const now = useNow();
  const visits = useResource("home visits", () => familyVisits({ from: new Date(Date.now() - 86_400_000).toISOString(), limit: 20 }));
  return (
    <div className="stack-loose">
      <div>
        <PageHeader title={t("landing.hello", { name: name.split(" ")[0] ?? name })} />
        <section className="stack" aria-labelledby="next">
          <h2 id="next">{t("landing.next")}</h2>
          <Loaded of={visits} loading={<SkeletonList rows={1} />}>
            {({ items }) => {
              const next = items.filter((each) => isComing(each, now)).sort((a, b) => a.start.localeCompare(b.start))[0];
              return next ? (
                <VisitCard visit={next} onChanged={() => void visits.reload()} raised />
              ) : (
                <Card>
                  <EmptyState
                    icon="calendar"
                    title={t("landing.noNext")}
                    action={
                      <ButtonLink href="/find" variant="primary" icon="search">
                        {t("nav.find")}
                      </ButtonLink>
                    }
                  >
                    {t("landing.noNextText")}
                  </EmptyState>
                </Card>
              );
            }}
          </Loaded>
        </section>
      </div>
      <Specialties />
      <Banner tone="attention">{t("landing.emergency")}</Banner>
    </div>
  );
}

function Specialties() {
  const t = useText();
  const specialties = useResource("specialties", api.specialties);
  return (
    <section className="stack" aria-labelledby="who">
      <h2 id="who">{t("landing.specialties")}</h2>
      <Loaded of={specialties} loading={<Skeleton shape="block" />}>
        {({ items }) => (
          <ul className="tiles">
            {items.map((each) => (
              <li key={each.code}>
                <Link href={`/find?specialty=${encodeURIComponent(each.code)}`} className="tile">
                  <span className="strong">{each.name}</span>
                  <span className="muted small">{t("landing.doctors", { count: each.providers })}</span>
                </Link>
              </li>
            ))}
          </ul>
        )}
      </Loaded>
    </section>
  );
}
