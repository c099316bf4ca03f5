import type { SignedIn, User } from "./types";

/** A refused or failed call. `code` is stable; `detail` is written for people. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly errors: { field: string; message: string }[];
  readonly requestId: string | null;
  /** Everything else the problem said, such as `opens_at` of `visit_not_open`. */
  readonly problem: Record<string, unknown>;

  constructor(status: number, problem: Record<string, unknown>) {
    const code = typeof problem.code === "string" ? problem.code : status === 0 ? "offline" : "internal";
    const detail = typeof problem.detail === "string" ? problem.detail : typeof problem.title === "string" ? problem.title : code;
    super(detail);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.detail = detail;
    this.errors = Array.isArray(problem.errors) ? (problem.errors as { field: string; message: string }[]) : [];
    this.requestId = typeof problem.request_id === "string" ? problem.request_id : null;
    this.problem = problem;
  }
}

export type RequestOptions = {
  method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  body?: unknown;
  form?: FormData;
  query?: Record<string, string | number | undefined | null>;
  /** One per intention: the same key for every attempt of the same act. Made anew when absent. */
  idempotencyKey?: string;
  /** Another bearer than the session's own, such as a guest token. */
  token?: string;
  signal?: AbortSignal;
};

const BASE = "/api/v1";
/** Refresh this long before the access token ends, so that no call meets an expired one. */
const EARLY_MS = 60_000;

/** Clocks that differ by less are the same. */
const CLOCK_TOLERANCE_MS = 5_000;

/** Answers 401 that speak of what was typed, not of the session. */
const WRONG_PROOF = new Set(["wrong_code", "passkey_refused"]);

type Listener = (signedIn: SignedIn | null) => void;

/** Holds the access token in memory, renews it by the HttpOnly cookie, and speaks problem+json. */
export class Http {
  private access: { token: string; expires: number } | null = null;
  private refreshing: Promise<SignedIn | null> | null = null;
  private listeners = new Set<Listener>();
  private prove: (() => Promise<boolean>) | null = null;
  /** What the server's clock is ahead of this device's, in milliseconds. */
  private ahead = 0;

  constructor(
    private readonly send: typeof fetch = (input, init) => fetch(input, init),
    private readonly now: () => number = () => Date.now(),
  ) {}

  /** Told of every sign-in, renewal and sign-out. */
  onSession(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** How a person proves again who they are, for sensitive acts: `ask` says whether they did. */
  onStepUp(ask: () => Promise<boolean>): () => void {
    this.prove = ask;
    return () => {
      this.prove = null;
    };
  }

  accept(signedIn: SignedIn): User {
    this.access = { token: signedIn.access_token, expires: this.now() + signedIn.expires_in * 1000 };
    this.listeners.forEach((tell) => tell(signedIn));
    return signedIn.user;
  }

  forget(): void {
    this.access = null;
    this.listeners.forEach((tell) => tell(null));
  }

  /** The server's time by its last answer: people's own clocks may be wrong by hours. */
  time(): number {
    return this.now() + this.ahead;
  }

  /** A token that is good for at least a moment, or null when nobody is signed in. */
  async accessToken(): Promise<string | null> {
    if (this.access && this.access.expires - EARLY_MS <= this.now()) await this.refresh();
    return this.access?.token ?? null;
  }

  /** Renews the session by its cookie; null when there is none. One at a time, across this browser's tabs too. */
  refresh(): Promise<SignedIn | null> {
    this.refreshing ??= this.exclusively(async () => {
      try {
        const signedIn = await this.call<SignedIn>("/auth/refresh", { method: "POST", body: {} }, null);
        this.accept(signedIn);
        return signedIn;
      } catch (error) {
        if (error instanceof ApiError && error.status === 401) {
          this.forget();
          return null;
        }
        throw error;
      }
    }).finally(() => {
      this.refreshing = null;
    });
    return this.refreshing;
  }

  private compare(said: string | null): void {
    const difference = Date.parse(said ?? "") - this.now();
    // The header has whole seconds, and answers take a moment: only a clock that is really wrong counts.
    if (!Number.isNaN(difference)) this.ahead = Math.abs(difference) < CLOCK_TOLERANCE_MS ? 0 : difference;
  }

  private exclusively<T>(act: () => Promise<T>): Promise<T> {
    const locks = typeof navigator === "undefined" ? undefined : navigator.locks;
    return locks ? (locks.request("bedside.refresh", act) as Promise<T>) : act();
  }

  async request<T>(path: string, options: RequestOptions = {}): Promise<T> {
    if (options.token) return this.call<T>(path, options, options.token);
    // The same key for both attempts, so that a retry can never act twice.
    const unsafe = options.method !== undefined && options.method !== "GET";
    const keyed = unsafe ? { ...options, idempotencyKey: options.idempotencyKey ?? newKey() } : options;
    const token = await this.accessToken();
    try {
      return await this.call<T>(path, keyed, token);
    } catch (error) {
      if (error instanceof ApiError && error.code === "step_up_required" && (await this.prove?.())) {
        // Another key: the refusal may be kept under the first one.
        return this.call<T>(path, unsafe ? { ...keyed, idempotencyKey: newKey() } : keyed, await this.accessToken());
      }
      const stale = error instanceof ApiError && error.status === 401 && !WRONG_PROOF.has(error.code) && token !== null && !path.startsWith("/auth/");
      if (!stale) throw error;
      const signedIn = await this.refresh();
      if (!signedIn) throw error;
      return this.call<T>(path, keyed, signedIn.access_token);
    }
  }

  /** A file behind the session, or behind another bearer, as a blob. */
  async blob(path: string, guestToken?: string): Promise<Blob> {
    const get = async () => this.fetch(path, { method: "GET" }, guestToken ?? (await this.accessToken()));
    try {
      return await (await get()).blob();
    } catch (error) {
      if (!(error instanceof ApiError && error.code === "step_up_required" && (await this.prove?.()))) throw error;
      return (await get()).blob();
    }
  }

  private async call<T>(path: string, options: RequestOptions, token: string | null): Promise<T> {
    const answer = await this.fetch(path, options, token);
    if (answer.status === 204) return undefined as T;
    return (await answer.json()) as T;
  }

  private async fetch(path: string, options: RequestOptions, token: string | null): Promise<Response> {
    const headers: Record<string, string> = { Accept: "application/json" };
    if (token) headers.Authorization = `Bearer ${token}`;
    if (options.body !== undefined) headers["Content-Type"] = "application/json";
    if (options.idempotencyKey) headers["Idempotency-Key"] = options.idempotencyKey;
    let answer: Response;
    try {
      answer = await this.send(BASE + path + queryString(options.query), {
        method: options.method ?? "GET",
        headers,
        credentials: "same-origin",
        body: options.form ?? (options.body === undefined ? undefined : JSON.stringify(options.body)),
        signal: options.signal,
      });
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") throw error;
      throw new ApiError(0, { code: "offline", detail: "The server could not be reached." });
    }
    this.compare(answer.headers.get("Date"));
    if (answer.ok) return answer;
    let problem: Record<string, unknown> = {};
    try {
      problem = (await answer.json()) as Record<string, unknown>;
    } catch {
      // Something between us and the server answered; the status says enough.
    }
    throw new ApiError(answer.status, problem);
  }
}

export function newKey(): string {
  // randomUUID is missing on plain-http addresses other than localhost.
  if (typeof crypto.randomUUID === "function") return crypto.randomUUID();
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function queryString(query: RequestOptions["query"]): string {
  if (!query) return "";
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") words.set(name, String(value));
  }
  const text = words.toString();
  return text ? `?${text}` : "";
}

export const http = new Http();
