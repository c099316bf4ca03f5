import { useEffect, useRef } from "react";
import type { VisitView } from "../live/session";
import { titled } from "../live/state";
import type { VisitText } from "../text";

/** A sign on the tab that changes once a second is seen from the corner of an eye. */
const BLINK_MS = 1_000;

/**
 * For whoever waits in another tab or window: the place in the title, and when they are let in a
 * blinking title and, if they wished for one, a notice of the device.
 */
export function useWaitingTitle(view: VisitView | null, text: VisitText): void {
  const state = view?.visit?.you.state ?? null;
  const position = view?.visit?.waiting?.position ?? 0;
  const name = view?.visit ? titled(view.visit.practitioner) : "";
  const usual = useRef(document.title);
  useEffect(() => {
    const before = usual.current;
    if (state === "waiting" && position > 0) {
      document.title = position === 1 ? text("title.next") : text("title.waiting", { place: position });
    } else if (state === "admitted" && document.visibilityState === "hidden") {
      let on = false;
      const timer = window.setInterval(() => {
        on = !on;
        document.title = on ? text("title.admitted") : before;
        if (document.visibilityState === "visible") window.clearInterval(timer);
      }, BLINK_MS);
      const notice = notify(text("wait.recall.title"), text("wait.recall.body"));
      return () => {
        window.clearInterval(timer);
        notice?.close();
        document.title = before;
      };
    }
    return () => {
      document.title = before;
    };
  }, [state, position, name, text]);
}

export function mayNotify(): NotificationPermission | "unsupported" {
  return "Notification" in window ? Notification.permission : "unsupported";
}

/** A notice without anything about health: other people may see the screen. */
function notify(title: string, body: string): Notification | null {
  if (mayNotify() !== "granted") return null;
  try {
    const notice = new Notification(title, { body, icon: "/icon.svg", tag: "bedside-visit" });
    notice.onclick = () => {
      window.focus();
      notice.close();
    };
    return notice;
  } catch {
    // Some phones allow notices from a service worker alone; the sound and the title remain.
    return null;
  }
}
