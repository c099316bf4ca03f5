import { api } from "../api/client";
import { OneTime } from "./OneTime";
import { useAccountText } from "./text";

/** The link that came to a new address. */
export default function NewEmail() {
  const t = useAccountText();
  const words = { title: t("email.confirmTitle"), lead: t("email.confirmLead"), press: t("email.confirm"), done: t("email.confirmed"), gone: t("email.gone") };
  return <OneTime words={words} act={api.confirmEmail} />;
}
