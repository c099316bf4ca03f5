import { api } from "../api/client";
import { http } from "../api/http";
import { OneTime } from "./OneTime";
import { useAccountText } from "./text";

/** The link that came to the address one had: it brings it back. */
export default function OldEmail() {
  const t = useAccountText();
  const words = { title: t("email.undoTitle"), lead: t("email.undoLead"), press: t("email.undo"), done: t("email.undone"), gone: t("email.undoGone") };
  const undo = async (secret: string) => {
    await api.undoEmail(secret);
    http.forget();
  };
  return <OneTime words={words} act={undo} danger />;
}
