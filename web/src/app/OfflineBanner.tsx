import { useSyncExternalStore } from "react";
import { Banner } from "../design";
import { useText } from "../i18n";

function subscribe(changed: () => void): () => void {
  window.addEventListener("online", changed);
  window.addEventListener("offline", changed);
  return () => {
    window.removeEventListener("online", changed);
    window.removeEventListener("offline", changed);
  };
}

export function OfflineBanner() {
  const t = useText();
  const online = useSyncExternalStore(subscribe, () => navigator.onLine);
  if (online) return null;
  return (
    <div className="offline">
      <Banner tone="attention">{t("app.offline")}</Banner>
    </div>
  );
}
