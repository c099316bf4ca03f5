import { defineText } from "../../i18n";
import { schedulingEn } from "./en";
import { schedulingFr } from "./fr";

/** `const t = useScheduling(); t("week.choose")`. */
export const useScheduling = defineText(schedulingEn, schedulingFr);
export type SchedulingKey = Parameters<ReturnType<typeof useScheduling>>[0];
