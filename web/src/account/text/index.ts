import { defineText } from "../../i18n";
import { accountEn } from "./en";
import { accountFr } from "./fr";

/** `const t = useAccountText(); t("security.title")`. */
export const useAccountText = defineText(accountEn, accountFr);
