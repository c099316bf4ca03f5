import { useEffect, useRef, type RefObject } from "react";

/** Sizes that change on the way (a dragged splitter, a turned phone) are not worth telling. */
const SETTLED_MS = 300;

/**
 * Tells how high a picture is shown, in device pixels, and 0 while nobody can see it: scrolled
 * away, gone, or the page in the background and `floating` false. Told once at the beginning of a
 * track, whenever it has settled on another height, and at the end.
 */
export function useShownHeight(
  element: RefObject<HTMLElement | null>,
  told: ((pixels: number) => void) | undefined,
  floating = false,
  trackId?: string | undefined,
): void {
  const latest = useRef(told);
  latest.current = told;
  const wanted = told !== undefined;
  useEffect(() => {
    const watched = element.current;
    if (!watched || !wanted || !("IntersectionObserver" in window)) return undefined;
    const tellOf = latest.current;
    let inView = true;
    let timer = 0;
    let last = -1;
    const tell = () => {
      const seen = inView && (floating || document.visibilityState === "visible");
      const pixels = seen ? Math.round(watched.clientHeight * window.devicePixelRatio) : 0;
      if (pixels === last) return;
      last = pixels;
      tellOf?.(pixels);
    };
    const changed = () => {
      window.clearTimeout(timer);
      timer = window.setTimeout(tell, SETTLED_MS);
    };
    const size = new ResizeObserver(changed);
    size.observe(watched);
    const view = new IntersectionObserver((entries) => {
      inView = entries.at(-1)?.isIntersecting ?? inView;
      changed();
    });
    view.observe(watched);
    document.addEventListener("visibilitychange", changed);
    return () => {
      window.clearTimeout(timer);
      size.disconnect();
      view.disconnect();
      document.removeEventListener("visibilitychange", changed);
      if (last > 0) tellOf?.(0);
    };
  }, [element, wanted, floating, trackId]);
}
