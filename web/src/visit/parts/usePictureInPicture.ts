import { useCallback, useEffect, useRef, useState, type RefObject } from "react";

/** The part of the Document Picture-in-Picture API that is used; browsers differ in having it. */
interface FloatingWindows {
  requestWindow: (size: { width: number; height: number }) => Promise<Window>;
}

const SIZE = { width: 360, height: 270 };

export interface PictureInPicture {
  supported: boolean;
  /** Where the page draws into the floating window; null while there is none, or it shows a bare video. */
  room: HTMLElement | null;
  open: boolean;
  toggle: () => Promise<void>;
}

function floatingWindows(): FloatingWindows | null {
  return (window as { documentPictureInPicture?: FloatingWindows }).documentPictureInPicture ?? null;
}

/**
 * The call in a small window above all others: a whole document where the browser has that, the
 * largest video inside `stage` where it has not.
 */
export function usePictureInPicture(stage: RefObject<HTMLElement | null>): PictureInPicture {
  const [room, setRoom] = useState<HTMLElement | null>(null);
  const [video, setVideo] = useState<HTMLVideoElement | null>(null);
  const supported = floatingWindows() !== null || document.pictureInPictureEnabled === true;

  const shown = useRef({ room, video });
  shown.current = { room, video };
  const close = useCallback(() => {
    const { room: floated, video: played } = shown.current;
    floated?.ownerDocument.defaultView?.close();
    if (played && document.pictureInPictureElement === played) {
      void document.exitPictureInPicture().catch(() => undefined);
    }
    setRoom(null);
    setVideo(null);
  }, []);

  // Whoever leaves the call leaves no window behind.
  useEffect(() => close, [close]);

  const toggle = async () => {
    if (room || video) {
      close();
      return;
    }
    const floating = floatingWindows();
    if (floating) {
      const opened = await floating.requestWindow(SIZE);
      takeLooksAlong(opened.document);
      opened.addEventListener("pagehide", () => setRoom(null));
      setRoom(opened.document.body);
      return;
    }
    const largest = [...(stage.current?.querySelectorAll("video") ?? [])].sort(
      (a, b) => b.clientWidth * b.clientHeight - a.clientWidth * a.clientHeight,
    )[0];
    if (!largest) return;
    await largest.requestPictureInPicture();
    largest.addEventListener("leavepictureinpicture", () => setVideo(null), { once: true });
    setVideo(largest);
  };
  return { supported, room, open: room !== null || video !== null, toggle };
}

/** The floating document has the page's styles and theme. Linked, because the page allows no inline ones. */
function takeLooksAlong(other: Document): void {
  other.documentElement.lang = document.documentElement.lang;
  other.documentElement.dir = document.documentElement.dir;
  const { theme } = document.documentElement.dataset;
  if (theme) other.documentElement.dataset.theme = theme;
  other.title = document.title;
  other.body.className = "v-floating";
  for (const link of document.querySelectorAll<HTMLLinkElement>("link[rel=stylesheet]")) {
    const copy = other.createElement("link");
    copy.rel = "stylesheet";
    copy.href = link.href;
    other.head.append(copy);
  }
  // While developing, styles are elements.
  for (const style of document.querySelectorAll("style")) other.head.append(style.cloneNode(true));
}
