import { defineText } from "../../i18n";
import { privacyEn } from "./en";
import { privacyFr } from "./fr";

/** `const t = usePrivacy(); t("seen")`. */
export const usePrivacy = defineText(privacyEn, privacyFr);
