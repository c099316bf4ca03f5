import type { en } from "../en";
import { common } from "./common";
import { patient } from "./patient";
import { work } from "./work";

export const fr: Record<keyof typeof en, string> = { ...common, ...patient, ...work };
