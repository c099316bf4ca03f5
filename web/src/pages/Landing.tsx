import { PageHeader } from "../design";
import { useText } from "../i18n";

export default function Landing() {
  const t = useText();
  return <PageHeader title={t("app.tagline")} />;
}
