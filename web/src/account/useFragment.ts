import { useEffect, useState } from "react";

/** The one-time secret after the `#`, taken out of the address bar and the history at once. */
export function useFragment(): string {
  const [secret] = useState(() => window.location.hash.slice(1));
  useEffect(() => window.history.replaceState(null, "", window.location.pathname), []);
  return secret;
}
