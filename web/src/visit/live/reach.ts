/**
 * Notices that a network which was away is back, sooner than its sockets do: those wait for timers
 * of their own, up to several seconds, that grew while nothing got through.
 *
 * Asked only while media does not get through: small requests, one after another without waiting
 * for the one before, because a request into a dead network says nothing.
 */
const ASK_EVERY_MS = 300;
/** Browsers have six requests to a server at once under way: these must not wait for each other. */
const PATIENCE_MS = 1_500;
/** A network so slow that answers are often late would otherwise be restarted over and over. */
export const CALM_MS = 6_000;

export type Ask = (signal: AbortSignal) => Promise<unknown>;

const askServer: Ask = (signal) => fetch("/health/live", { cache: "no-store", signal });

export class Reach {
  private timer: number | undefined;
  private away = false;
  private toldAt = -Infinity;

  constructor(
    private readonly returned: () => void,
    private readonly ask: Ask = askServer,
  ) {}

  /** Media does not get through: look until `rest`. */
  watch(): void {
    if (this.timer !== undefined) return;
    this.away = false;
    this.timer = window.setInterval(() => void this.look(), ASK_EVERY_MS);
    void this.look();
  }

  /** Media gets through again. */
  rest(): void {
    window.clearInterval(this.timer);
    this.timer = undefined;
  }

  private async look(): Promise<void> {
    try {
      await this.ask(AbortSignal.timeout(PATIENCE_MS));
    } catch {
      this.away = true;
      return;
    }
    if (this.away) this.found();
  }

  /**
   * The network is there: asked, or seen otherwise. (Chromium lets a new request wait for a connection
   * that was begun in the dead network, and counts failed WebSockets against new ones: what media
   * itself shows comes first.)
   */
  found(): void {
    if (this.timer === undefined || performance.now() - this.toldAt < CALM_MS) return;
    this.away = false;
    this.toldAt = performance.now();
    this.returned();
  }
}
