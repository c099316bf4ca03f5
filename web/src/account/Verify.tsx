import { api } from "../api/client";
import { OneTime } from "./OneTime";
import { useAccountText } from "./text";

/** Where the link of the first mail leads. */
export default function Verify() {
  const t = useAccountText();
  const words = { title: t("verify.title"), press: t("verify.press"), done: t("verify.done"), gone: t("verify.gone") };
  return (
    <OneTime
      words={words}
      act={async (secret) => {
        await api.verifyEmail(secret);
      }}
    />
  );
}
