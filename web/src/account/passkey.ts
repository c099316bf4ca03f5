import type { Ceremony } from "../api/types";

/** Passkeys need a secure page with a name; WebAuthn knows no bare addresses. */
export function passkeysWork(): boolean {
  return typeof PublicKeyCredential === "function" && window.isSecureContext && !/^[\d.]+$|^\[/.test(window.location.hostname);
}

/** The person closed the browser's question, or let it run out: nothing went wrong. */
export function isCancelled(error: unknown): boolean {
  return error instanceof DOMException && (error.name === "NotAllowedError" || error.name === "AbortError");
}

const bytes = (text: string) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
const text = (buffer: ArrayBuffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

type Described = { id: string; type: "public-key"; transports?: AuthenticatorTransport[] };
const described = (list: unknown) => ((list as Described[] | undefined) ?? []).map((each) => ({ ...each, id: bytes(each.id) }));

/** Makes a passkey for the server's options, as RegistrationResponseJSON. */
export async function createPasskey({ options }: Ceremony): Promise<object> {
  const given = options as unknown as PublicKeyCredentialCreationOptions & { challenge: string; user: { id: string; name: string; displayName: string } };
  const made = (await navigator.credentials.create({
    publicKey: {
      ...given,
      challenge: bytes(given.challenge),
      user: { ...given.user, id: bytes(given.user.id) },
      excludeCredentials: described(options.excludeCredentials),
    },
  })) as PublicKeyCredential;
  const response = made.response as AuthenticatorAttestationResponse;
  return answer(made, { clientDataJSON: text(response.clientDataJSON), attestationObject: text(response.attestationObject) });
}

/** Answers the server's challenge with a passkey, as AuthenticationResponseJSON. */
export async function askPasskey({ options }: Ceremony): Promise<object> {
  const given = options as unknown as PublicKeyCredentialRequestOptions & { challenge: string };
  const made = (await navigator.credentials.get({
    publicKey: { ...given, challenge: bytes(given.challenge), allowCredentials: described(options.allowCredentials) },
  })) as PublicKeyCredential;
  const response = made.response as AuthenticatorAssertionResponse;
  return answer(made, {
    clientDataJSON: text(response.clientDataJSON),
    authenticatorData: text(response.authenticatorData),
    signature: text(response.signature),
    userHandle: response.userHandle ? text(response.userHandle) : null,
  });
}

function answer(made: PublicKeyCredential, response: object): object {
  return { id: made.id, rawId: text(made.rawId), type: made.type, response, clientExtensionResults: made.getClientExtensionResults() };
}
