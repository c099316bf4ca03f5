import { beforeEach, describe, expect, it } from "vitest";
import { ApiError, Http, queryString } from "./http";
import type { SignedIn, User } from "./types";

type Call = { path: string; init: RequestInit };
const user = { id: "u", name: "Awa" } as User;
const signedIn = (token: string): SignedIn => ({ access_token: token, expires_in: 600, user });
const json = (status: number, body: unknown) => new Response(JSON.stringify(body), { status });

let calls: Call[];
let answers: ((call: Call) => Response | Promise<Response>)[];
let now: number;

function client(): Http {
  return new Http(
    async (input, init) => {
      const call = { path: String(input), init: init ?? {} };
      calls.push(call);
      const answer = answers.shift();
      if (!answer) throw new Error(`unexpected call of ${call.path}`);
      return answer(call);
    },
    () => now,
  );
}

const header = (call: Call | undefined, name: string) => (call?.init.headers as Record<string, string> | undefined)?.[name];

beforeEach(() => {
  calls = [];
  answers = [];
  now = 0;
});

describe("errors", () => {
  it("turns a problem into a typed error with its code and fields", async () => {
    answers = [() => json(409, { code: "visit_not_open", detail: "Not yet.", request_id: "r1", opens_at: "2026-11-21T08:00:00Z" })];
    const error = await client().request("/x").catch((e: unknown) => e);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ status: 409, code: "visit_not_open", detail: "Not yet.", requestId: "r1", problem: { opens_at: "2026-11-21T08:00:00Z" } });
  });
  it("survives an answer that is no JSON", async () => {
    answers = [() => new Response("<html>", { status: 502 })];
    await expect(client().request("/x")).rejects.toMatchObject({ status: 502, code: "internal" });
  });
  it("calls an unreachable server offline", async () => {
    answers = [() => Promise.reject(new TypeError("failed"))];
    await expect(client().request("/x")).rejects.toMatchObject({ status: 0, code: "offline" });
  });
});

describe("the clock", () => {
  const dated = (ms: number) => new Response("{}", { headers: { Date: new Date(ms).toUTCString() } });
  it("goes by the server's when this device's is wrong by hours", async () => {
    now = 5 * 3_600_000;
    const http = client();
    expect(http.time()).toBe(now);
    answers = [() => dated(3_600_000)];
    await http.request("/x");
    now += 60_000;
    expect(http.time()).toBe(3_660_000);
  });
  it("takes a small difference for the way there and back", async () => {
    now = 10_000;
    const http = client();
    answers = [() => dated(12_000), () => json(200, {})];
    await http.request("/x");
    await http.request("/x");
    expect(http.time()).toBe(10_000);
  });
});

describe("the session", () => {
  it("sends the access token", async () => {
    const http = client();
    http.accept(signedIn("a"));
    answers = [() => json(200, {})];
    await http.request("/x");
    expect(header(calls[0], "Authorization")).toBe("Bearer a");
  });
  it("renews a token that is about to end, once for all who wait", async () => {
    const http = client();
    http.accept(signedIn("a"));
    now = 590_000;
    answers = [() => json(200, signedIn("b")), () => json(200, 1), () => json(200, 2)];
    await Promise.all([http.request("/x"), http.request("/y")]);
    expect(calls.map((call) => call.path)).toEqual(["/api/v1/auth/refresh", "/api/v1/x", "/api/v1/y"]);
    expect(header(calls[1], "Authorization")).toBe("Bearer b");
  });
  it("tries a refused call once more, under the same idempotency key", async () => {
    const http = client();
    http.accept(signedIn("a"));
    answers = [() => json(401, { code: "invalid_token" }), () => json(200, signedIn("b")), () => json(201, { id: "1" })];
    await expect(http.request("/appointments", { method: "POST", body: {} })).resolves.toEqual({ id: "1" });
    expect(header(calls[0], "Idempotency-Key")).toBeTruthy();
    expect(header(calls[2], "Idempotency-Key")).toBe(header(calls[0], "Idempotency-Key"));
  });
  it("forgets the person when the cookie has ended", async () => {
    const http = client();
    const told: (SignedIn | null)[] = [];
    http.accept(signedIn("a"));
    http.onSession((each) => told.push(each));
    answers = [() => json(401, { code: "invalid_token" }), () => json(401, { code: "refresh_reused" })];
    await expect(http.request("/x")).rejects.toMatchObject({ code: "invalid_token" });
    expect(told).toEqual([null]);
    expect(await http.accessToken()).toBeNull();
  });
  it("keeps the session when the renewal meets a dead line", async () => {
    const http = client();
    http.accept(signedIn("a"));
    now = 590_000;
    answers = [() => Promise.reject(new TypeError("failed"))];
    await expect(http.request("/x")).rejects.toMatchObject({ code: "offline" });
    now = 0;
    expect(await http.accessToken()).toBe("a");
  });
});

describe("queries", () => {
  it("leaves out what is empty and escapes the rest", () => {
    expect(queryString({ a: "", b: undefined, c: "é &", d: 0 })).toBe("?c=%C3%A9+%26&d=0");
    expect(queryString({})).toBe("");
  });
});
