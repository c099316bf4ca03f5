import { defineText } from "../../i18n";
import { familyEn } from "./en";
import { familyFr } from "./fr";

/** `const t = useFamilyText(); t("title")`. */
export const useFamilyText = defineText(familyEn, familyFr);
