/**
 * One Socket.IO namespace that stays connected: fresh credentials at each attempt, refusals told
 * apart from lost networks, and acknowledged calls that either answer or fail with a code.
 */
import { io, type Socket } from "socket.io-client";

/** Why a call or a connection failed: the server's stable code, or one of our own below. */
export class SignalingError extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
    this.name = "SignalingError";
  }

  /** True when the same call may succeed once the connection is back. */
  get transient(): boolean {
    return TRANSIENT_CODES.has(this.code);
  }
}

const TRANSIENT_CODES = new Set([
  "timeout",
  "connection_lost",
  "unavailable",
  "media_unavailable",
  "too_many_requests",
  "internal",
]);

/** `connecting` until the first success, `reconnecting` after a loss, `closed` for good. */
export type LinkState = "connecting" | "ready" | "reconnecting" | "closed";

export interface LinkOptions {
  namespace: string;
  /** Credentials for the CONNECT packet, asked for at every attempt. May fetch. */
  credentials: () => Promise<object>;
  /** What to do when the server refused the connection with this code. */
  refused: (code: string) => "again" | "stop";
  /** Attaches the listeners of the namespace, once. */
  listen: (socket: Socket) => void;
  /** A connection was accepted by the server. The owner calls `ready()` when it is usable. */
  connected: () => void;
  changed: (state: LinkState, error: SignalingError | null) => void;
}

interface CallOptions {
  /** How long to wait for the acknowledgement. */
  timeoutMs?: number;
  /** Ask again after transient failures for this long. Only for calls that may be repeated. */
  retryForMs?: number;
}

/** An acknowledgement normally takes a few milliseconds; on a bad mobile link up to seconds. */
const ANSWER_TIMEOUT_MS = 8_000;
const FIRST_BACKOFF_MS = 300;
const MAX_BACKOFF_MS = 5_000;
/** These say that asking again will not help. */
const FINAL_STATUSES = new Set([400, 401, 403, 404, 409, 410]);

export class Link {
  private readonly socket: Socket;
  private state: LinkState = "connecting";
  private waiters = new Set<() => void>();
  private readonly pauses = new Set<() => void>();
  private failures = 0;
  private retryTimer: number | undefined;
  private readonly unlisten: () => void;

  constructor(private readonly options: LinkOptions) {
    this.socket = io(options.namespace, {
      path: "/socket.io",
      autoConnect: false,
      forceNew: true,
      transports: ["websocket", "polling"],
      tryAllTransports: true,
      reconnectionDelay: FIRST_BACKOFF_MS,
      reconnectionDelayMax: MAX_BACKOFF_MS,
      timeout: 8_000,
      auth: (provide) => void this.provideCredentials(provide),
    });
    this.socket.on("connect", () => {
      this.failures = 0;
      options.connected();
    });
    this.socket.on("disconnect", (reason) => {
      if (reason === "io client disconnect") return;
      this.lost();
      // The server ended this connection itself (a restart, a rolling deploy): come back.
      if (reason === "io server disconnect") this.connectLater();
    });
    this.socket.on("connect_error", (error) => {
      if (this.socket.active) {
        this.lost();
        return;
      }
      this.handleRefusal(error);
    });
    options.listen(this.socket);
    this.unlisten = onNetworkChange(() => this.renew());
  }

  connect(): void {
    if (this.state !== "closed") this.socket.connect();
  }

  /** The owner says that the connection is usable: waiting calls go out now. */
  ready(): void {
    if (this.state === "closed") return;
    this.move("ready", null);
    const waiters = [...this.waiters];
    this.waiters.clear();
    for (const wake of [...waiters, ...this.pauses]) wake();
  }

  /** Drops the connection and comes back at once, with whatever credentials hold then. */
  renew(): void {
    if (this.state === "closed") return;
    this.lost();
    window.clearTimeout(this.retryTimer);
    this.socket.disconnect();
    this.socket.connect();
  }

  close(error: SignalingError | null = null): void {
    if (this.state === "closed") return;
    window.clearTimeout(this.retryTimer);
    this.unlisten();
    this.socket.disconnect();
    this.move("closed", error);
    const waiters = [...this.waiters];
    this.waiters.clear();
    for (const wake of waiters) wake();
  }

  /** Sends an event and resolves with its acknowledgement, or rejects with a SignalingError. */
  async call(name: string, payload: object, options: CallOptions = {}): Promise<unknown> {
    const { timeoutMs = ANSWER_TIMEOUT_MS, retryForMs = 0 } = options;
    const giveUpAt = performance.now() + retryForMs;
    for (let attempt = 0; ; attempt += 1) {
      try {
        await this.whenReady(Math.max(timeoutMs, giveUpAt - performance.now()));
        return await this.ask(name, payload, timeoutMs);
      } catch (error) {
        if (!(error instanceof SignalingError) || !error.transient) throw error;
        if (this.state === "closed" || performance.now() >= giveUpAt) throw error;
        // `whenReady` waits for the connection; nothing else has to be spared.
        if (error.code !== "connection_lost") await this.pause(backoff(attempt));
      }
    }
  }

  private async ask(name: string, payload: object, timeoutMs: number): Promise<unknown> {
    let answer: unknown;
    try {
      answer = await this.socket.timeout(timeoutMs).emitWithAck(name, payload);
    } catch {
      throw this.socket.connected
        ? new SignalingError("timeout", `${name} was not answered in time`)
        : new SignalingError("connection_lost", `the connection was lost during ${name}`);
    }
    if (isAnswer(answer) && answer.ok) return answer;
    const { code, message } = isAnswer(answer) ? (answer.error ?? NO_REASON) : NO_REASON;
    throw new SignalingError(code, message);
  }

  private whenReady(timeoutMs: number): Promise<void> {
    if (this.state === "ready") return Promise.resolve();
    if (this.state === "closed") {
      return Promise.reject(new SignalingError("closed", "the visit is closed"));
    }
    return new Promise((resolve, reject) => {
      const wake = () => {
        window.clearTimeout(timer);
        if (this.state === "closed") reject(new SignalingError("closed", "the visit is closed"));
        else resolve();
      };
      const timer = window.setTimeout(() => {
        this.waiters.delete(wake);
        reject(new SignalingError("connection_lost", "there is no connection"));
      }, timeoutMs);
      this.waiters.add(wake);
    });
  }

  /** Shorter where the connection comes anew meanwhile: what was asked before may have been lost with the old one. */
  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        window.clearTimeout(timer);
        this.pauses.delete(end);
        resolve();
      };
      const timer = window.setTimeout(end, ms);
      this.pauses.add(end);
    });
  }

  private async provideCredentials(provide: (auth: object) => void): Promise<void> {
    try {
      provide(await this.options.credentials());
    } catch (error) {
      this.socket.disconnect();
      const { status, code, message } = describe(error);
      if (status !== null && FINAL_STATUSES.has(status)) {
        this.close(new SignalingError(code, message));
      } else {
        this.lost();
        this.connectLater();
      }
    }
  }

  private handleRefusal(error: Error): void {
    const code = refusalCode(error);
    if (this.options.refused(code) === "stop") {
      this.close(new SignalingError(code, error.message));
      return;
    }
    this.lost();
    this.connectLater();
  }

  private connectLater(): void {
    window.clearTimeout(this.retryTimer);
    this.retryTimer = window.setTimeout(() => this.connect(), backoff(this.failures));
    this.failures += 1;
  }

  private lost(): void {
    if (this.state === "ready") this.move("reconnecting", null);
  }

  private move(state: LinkState, error: SignalingError | null): void {
    if (this.state === state && error === null) return;
    this.state = state;
    this.options.changed(state, error);
  }
}

/**
 * Calls back when this device probably changed networks: it came online, or moved between Wi-Fi
 * and mobile data. Sockets and media paths of the old network are dead without having said so.
 */
export function onNetworkChange(changed: () => void): () => void {
  const connection = (navigator as { connection?: EventTarget & { type?: string } }).connection;
  let type = connection?.type;
  const moved = () => {
    // The event also reports new speed estimates of the same network, which change nothing.
    if (connection?.type === type) return;
    type = connection?.type;
    changed();
  };
  window.addEventListener("online", changed);
  connection?.addEventListener("change", moved);
  return () => {
    window.removeEventListener("online", changed);
    connection?.removeEventListener("change", moved);
  };
}

const NO_REASON = { code: "internal", message: "the server gave no reason" };

interface Answer {
  ok: boolean;
  error?: { code: string; message: string };
}

function isAnswer(value: unknown): value is Answer {
  return typeof value === "object" && value !== null && "ok" in value;
}

function refusalCode(error: Error): string {
  const { data } = error as { data?: { code?: unknown } };
  return typeof data?.code === "string" ? data.code : error.message;
}

function describe(error: unknown): { status: number | null; code: string; message: string } {
  const fields = error as { status?: unknown; code?: unknown; message?: unknown };
  return {
    status: typeof fields.status === "number" ? fields.status : null,
    code: typeof fields.code === "string" ? fields.code : "unavailable",
    message: typeof fields.message === "string" ? fields.message : "",
  };
}

function backoff(attempt: number): number {
  return Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** attempt) * (0.75 + Math.random() / 2);
}
