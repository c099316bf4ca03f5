import "@fontsource-variable/figtree/index.css";
import "./design/tokens.css";
import "./design/base.css";
import "./design/controls.css";
import "./design/surfaces.css";
import "./parts/parts.css";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app/App";
import { applyTheme } from "./design";

applyTheme();
const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
