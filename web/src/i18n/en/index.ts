import { common } from "./common";
import { patient } from "./patient";
import { work } from "./work";

/** Every sentence of the application, apart from the live visit's own. */
export const en = { ...common, ...patient, ...work };
