import type { en } from "../en";
import { common } from "./common";

export const fr: Record<keyof typeof en, string> = { ...common };
