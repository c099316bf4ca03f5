const key = "bedside.linking";

/** Leaves for a provider. What was begun is remembered in this tab: its answer comes back to one page for both. */
export function leaveFor(url: string, linking: boolean): void {
  try {
    if (linking) sessionStorage.setItem(key, "1");
    else sessionStorage.removeItem(key);
  } catch {
    // Without storage the server still tells the two apart, and refuses.
  }
  window.location.assign(url);
}

export function takeLinking(): boolean {
  try {
    const linking = sessionStorage.getItem(key) === "1";
    sessionStorage.removeItem(key);
    return linking;
  } catch {
    return false;
  }
}
