import type { en } from "../en";
import { common } from "./common";
import { patient } from "./patient";

export const fr: Record<keyof typeof en, string> = { ...common, ...patient };
