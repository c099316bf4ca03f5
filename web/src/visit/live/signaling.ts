/**
 * The two live namespaces as a program sees them: `/consultation`, whose events arrive in order
 * and once across lost connections and reloads, and `/practice`, which always tells the whole.
 */
import type { Socket } from "socket.io-client";
import { Link, type LinkState, SignalingError } from "./link";
import {
  SERVER_EVENT_NAMES,
  type ClientCallName,
  type ClientCalls,
  type PracticeCalls,
  type PracticeMessage,
  type ServerEvent,
  type SessionReady,
  type Snapshot,
  type VisitToken,
  type WaitingItem,
} from "./protocol";
import { resumePosition, Sequencer } from "./sequence";

/** How long a missing event may come late by itself before a replay is asked for. */
const GAP_PATIENCE_MS = 1_500;

interface Resume {
  resume_token: string;
  last_seq: number;
}

export interface VisitListener {
  /**
   * The session stands. `seatTaken`: this person also sits in the visit on another device.
   * `fresh`: it began with a visit token and knows nothing of an earlier connection.
   */
  onReady: (ready: SessionReady, is: { seatTaken: boolean; fresh: boolean }) => void;
  /** Too much was missed: this replaces everything known. */
  onSnapshot: (snapshot: Snapshot) => void;
  onEvent: (event: ServerEvent) => void;
  onConnection: (state: LinkState, error: SignalingError | null) => void;
}

/** What keeps the resume token over a reload. `sessionStorage` fits. */
export type ResumeStorage = Pick<Storage, "getItem" | "setItem" | "removeItem">;

export class VisitSignaling {
  private readonly link: Link;
  private readonly storageKey: string;
  private sequencer: Sequencer<ServerEvent>;
  private resume: Resume | null;
  private gapTimer: number | undefined;

  constructor(
    appointmentId: string,
    private readonly fetchToken: () => Promise<VisitToken>,
    private readonly listener: VisitListener,
    private readonly storage: ResumeStorage = window.sessionStorage,
  ) {
    this.storageKey = `bedside.visit.${appointmentId}`;
    this.resume = readResume(storage.getItem(this.storageKey));
    this.sequencer = new Sequencer(this.resume?.last_seq ?? null);
    this.link = new Link({
      namespace: "/consultation",
      credentials: () => this.credentials(),
      refused: (code) => this.refused(code),
      listen: (socket) => this.listen(socket),
      connected: () => undefined,
      changed: (state, error) => listener.onConnection(state, error),
    });
  }

  connect(): void {
    this.link.connect();
  }

  /** The network is another, or was away: begin a new connection at once. */
  renew(): void {
    this.link.renew();
  }

  /** Ends the connection. The seat stays resumable from this tab until `forget`. */
  close(): void {
    window.clearTimeout(this.gapTimer);
    this.link.close();
  }

  /** Gives up the right to resume: after leaving for good. */
  forget(): void {
    this.resume = null;
    this.storage.removeItem(this.storageKey);
  }

  async call<Name extends ClientCallName>(
    name: Name,
    payload: ClientCalls[Name]["send"],
    options: { timeoutMs?: number; retryForMs?: number } = {},
  ): Promise<ClientCalls[Name]["answer"]> {
    return (await this.link.call(name, payload, options)) as ClientCalls[Name]["answer"];
  }

  private async credentials(): Promise<object> {
    // A gap is closed by the replay; what waits behind it comes again with the rest.
    this.sequencer.forgetHeld();
    if (this.resume) return this.resume;
    const { token } = await this.fetchToken();
    return { token };
  }

  private refused(code: string): "again" | "stop" {
    if (code === "resume_expired" || code === "invalid_token") {
      const held = this.resume !== null;
      this.forget();
      this.sequencer = new Sequencer();
      // A fresh token that is refused too will not get better by asking again at once, but a
      // server that has just restarted accepts the next one: the link waits longer each time.
      return held || code === "invalid_token" ? "again" : "stop";
    }
    return code === "unavailable" || code === "internal" || code === "too_many_requests"
      ? "again"
      : "stop";
  }

  private listen(socket: Socket): void {
    socket.on("session.ready", (ready: SessionReady) => this.handleReady(ready));
    socket.on("session.snapshot", ({ snapshot, seq }: { snapshot: Snapshot; seq: number }) => {
      this.listener.onSnapshot(snapshot);
      this.deliver(this.sequencer.reset(seq));
    });
    for (const name of SERVER_EVENT_NAMES) {
      socket.on(name, ({ seq, ...payload }: { seq: number }) => {
        const item = { name, payload } as unknown as ServerEvent;
        this.deliver(this.sequencer.accept({ seq, item }));
      });
    }
  }

  private handleReady(ready: SessionReady): void {
    const own = this.resume?.last_seq ?? null;
    const start = own === null ? ready.seq : resumePosition(own, ready);
    if (ready.resume_token) {
      this.resume = { resume_token: ready.resume_token, last_seq: start };
      this.store();
    }
    this.listener.onReady(ready, {
      seatTaken: ready.seat === "seat_taken",
      fresh: own === null,
    });
    this.link.ready();
    this.deliver(this.sequencer.reset(start));
  }

  private deliver(events: { seq: number; item: ServerEvent }[]): void {
    for (const { item } of events) this.listener.onEvent(item);
    const { position } = this.sequencer;
    if (this.resume && position !== null && position !== this.resume.last_seq) {
      this.resume = { ...this.resume, last_seq: position };
      this.store();
    }
    this.watchGap();
  }

  private watchGap(): void {
    if (!this.sequencer.waiting || this.resume === null) {
      window.clearTimeout(this.gapTimer);
      this.gapTimer = undefined;
    } else if (this.gapTimer === undefined) {
      this.gapTimer = window.setTimeout(() => {
        this.gapTimer = undefined;
        if (this.sequencer.waiting) this.link.renew();
      }, GAP_PATIENCE_MS);
    }
  }

  private store(): void {
    if (this.resume) this.storage.setItem(this.storageKey, JSON.stringify(this.resume));
  }
}

function readResume(text: string | null): Resume | null {
  if (text === null) return null;
  try {
    const value = JSON.parse(text) as Partial<Resume>;
    return typeof value.resume_token === "string" && typeof value.last_seq === "number"
      ? { resume_token: value.resume_token, last_seq: value.last_seq }
      : null;
  } catch {
    return null;
  }
}

export interface PracticeListener {
  onList: (items: WaitingItem[], lateS: number | null) => void;
  onMessage: (message: PracticeMessage) => void;
  onConnection: (state: LinkState, error: SignalingError | null) => void;
}

/** `/practice`: who waits, over all visits of the practice. Each list replaces the last. */
export class PracticeSignaling {
  private readonly link: Link;

  constructor(fetchToken: () => Promise<{ token: string }>, listener: PracticeListener) {
    this.link = new Link({
      namespace: "/practice",
      credentials: async () => ({ token: (await fetchToken()).token }),
      refused: (code) => (code === "forbidden" ? "stop" : "again"),
      listen: (socket) => {
        socket.on("waiting.list", ({ items, late_s }: { items: WaitingItem[]; late_s: number | null }) => listener.onList(items, late_s));
        socket.on("practice.chat", ({ message }: { message: PracticeMessage }) =>
          listener.onMessage(message),
        );
      },
      connected: () => this.link.ready(),
      changed: (state, error) => listener.onConnection(state, error),
    });
  }

  connect(): void {
    this.link.connect();
  }

  close(): void {
    this.link.close();
  }

  async call<Name extends keyof PracticeCalls>(
    name: Name,
    payload: PracticeCalls[Name]["send"],
  ): Promise<PracticeCalls[Name]["answer"]> {
    return (await this.link.call(name, payload)) as PracticeCalls[Name]["answer"];
  }
}
