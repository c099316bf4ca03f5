import type { ReactNode } from "react";
import type { Proxy } from "../api/types";
import { Avatar, Badge } from "../design";
import { useFormat } from "../format/useFormat";
import { useSession } from "../session";
import { useFamilyText } from "./text";
import "./family.css";

/** Who acts for whom, by what right, what they may, since when and until when. */
export function ProxyRow({ proxy, about, children }: { proxy: Proxy; about: "patient" | "proxy"; children?: ReactNode }) {
  const t = useFamilyText();
  const format = useFormat();
  const { user } = useSession();
  const other = proxy.patient_id === user?.id ? null : proxy.patient_name;
  const name = about === "patient" ? proxy.patient_name : other ? t("for", { name: proxy.proxy_name, other }) : proxy.proxy_name;
  const day = (time: string) => format.day(time, "short");
  const facts = [t(`as.${proxy.kind}`)];
  if (proxy.ended_at && proxy.end_reason) facts.push(`${t("ended", { day: day(proxy.ended_at) })} (${t(`ended.${proxy.end_reason}`)})`);
  else {
    facts.push(t(proxy.state === "to_come" ? "from" : "since", { day: day(proxy.since) }));
    if (proxy.ends_at) facts.push(t("endsAt", { day: day(proxy.ends_at) }));
  }
  return (
    <li className="list-item proxy-row">
      <Avatar name={about === "patient" ? proxy.patient_name : proxy.proxy_name} />
      <div>
        <p className="strong">{name}</p>
        <p className="muted small">{facts.join(" · ")}</p>
        {proxy.end_note ? <p className="small">{proxy.end_note}</p> : null}
        {proxy.state === "ended" ? null : (
          <div className="proxy-scopes">
            {proxy.scopes.map((scope) => (
              <Badge key={scope}>{t(`scope.${scope}`)}</Badge>
            ))}
            {proxy.verified_at ? (
              <Badge tone="good" icon="shield">
                {t("verified")}
              </Badge>
            ) : null}
          </div>
        )}
      </div>
      {children ? <div className="proxy-acts">{children}</div> : null}
    </li>
  );
}
