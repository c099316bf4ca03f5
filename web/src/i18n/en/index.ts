import { common } from "./common";

/** Every sentence of the application, apart from the live visit's own. */
export const en = { ...common };
