import { Badge, Button, ButtonLink, Card, EmptyState, PageHeader } from "../design";
import { useNotices } from "../app/notices";
import { useFormat } from "../format/useFormat";
import { useText } from "../i18n";

export default function Notices() {
  const t = useText();
  const format = useFormat();
  const { notices, unread, read } = useNotices();
  const readAll = () => notices.filter((notice) => !notice.read_at).forEach((notice) => void read(notice.id).catch(() => undefined));
  return (
    <div className="reading">
      <PageHeader title={t("notices.title")} actions={unread > 0 ? <Button onPress={readAll}>{t("notices.readAll")}</Button> : null} />
      <Card flush>
        {notices.length === 0 ? (
          <EmptyState icon="bell" title={t("notices.none")}>
            {t("notices.noneText")}
          </EmptyState>
        ) : (
          <ul className="list">
            {notices.map((notice) => (
              <li key={notice.id} className="list-item">
                <div className="grow">
                  <p className="row-tight">
                    <span className="strong">{notice.title}</span>
                    {notice.read_at ? null : <Badge tone="accent">{t("notices.new")}</Badge>}
                  </p>
                  <p>{notice.body}</p>
                  <p className="muted small">{format.relative(notice.created_at)}</p>
                </div>
                {notice.link?.startsWith("/") ? (
                  <ButtonLink href={notice.link} size="small" onPress={() => void read(notice.id).catch(() => undefined)}>
                    {t("notices.open")}
                  </ButtonLink>
                ) : notice.read_at ? null : (
                  <Button size="small" icon="check" label={t("common.dismiss")} variant="quiet" onPress={() => void read(notice.id).catch(() => undefined)} />
                )}
              </li>
            ))}
          </ul>
        )}
      </Card>
    </div>
  );
}
