import { common } from "./common";
import { patient } from "./patient";

/** Every sentence of the application, apart from the live visit's own. */
export const en = { ...common, ...patient };
