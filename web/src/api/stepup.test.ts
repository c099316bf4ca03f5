import { expect, it, vi } from "vitest";
import { Http } from "./http";

const json = (status: number, body: object) => new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/json" } });
const signedIn = (token: string) => ({ access_token: token, expires_in: 600, user: {} as never });

function house(answers: Response[]) {
  const send = vi.fn<typeof fetch>(() => Promise.resolve(answers.shift() ?? json(500, {})));
  const http = new Http(send);
  http.accept(signedIn("first"));
  return { http, send, headers: (call: number) => send.mock.calls[call]?.[1]?.headers as Record<string, string> };
}

it("asks for a proof and goes on, with the new token and another key", async () => {
  const { http, headers } = house([json(403, { code: "step_up_required" }), json(200, { done: true })]);
  http.onStepUp(() => {
    http.accept(signedIn("second"));
    return Promise.resolve(true);
  });
  await expect(http.request("/me/password", { method: "PUT", body: {} })).resolves.toEqual({ done: true });
  expect(headers(1).Authorization).toBe("Bearer second");
  expect(headers(1)["Idempotency-Key"]).not.toBe(headers(0)["Idempotency-Key"]);
});

it("does nothing more when the person closes the question", async () => {
  const { http, send } = house([json(403, { code: "step_up_required" })]);
  http.onStepUp(() => Promise.resolve(false));
  await expect(http.request("/me/password", { method: "PUT", body: {} })).rejects.toMatchObject({ code: "step_up_required" });
  expect(send).toHaveBeenCalledTimes(1);
});

it("does not try a wrong code twice", async () => {
  const { http, send } = house([json(401, { code: "wrong_code" })]);
  await expect(http.request("/me/factors/totp/confirm", { method: "POST", body: {} })).rejects.toMatchObject({ code: "wrong_code" });
  expect(send).toHaveBeenCalledTimes(1);
});
