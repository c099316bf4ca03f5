import { lazy, type ComponentType, type LazyExoticComponent } from "react";
import type { Role } from "../api/types";

/** `id` is the `:id` of the path, empty where it has none. */
type PageProps = { id: string };
type Entry = { path: string; Page: LazyExoticComponent<ComponentType<PageProps>>; roles?: Role[]; open?: boolean };

/** The pages inside the shell. `open` is for everybody; otherwise one signs in first, and has one of `roles` if given. */
export const routes: Entry[] = [
  { path: "/", open: true, Page: lazy(() => import("../pages/Landing")) },
];
