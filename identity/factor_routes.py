"""HTTP of second factors, passkeys and stepping up."""

from __future__ import annotations

import io
import json
from typing import Any

import segno

from core.errors import Forbidden, InvalidInput, InvalidToken, NotFound, StepUpRequired
from core.http.routes import Answer, Call, Routes
from core.settings import Settings
from identity.errors import (
    FactorExists,
    InvalidCredentials,
    PasskeyRefused,
    PasskeysUnavailable,
    SecondFactorRequired,
    WrongCode,
)
from identity.factor_schemas import (
    ActAs,
    Answered,
    Ceremony,
    FactorAdded,
    NewPasskey,
    PasskeyLogin,
    PasskeyRow,
    RecoveryCodes,
    Rename,
    SecondFactor,
    Security,
    StepUp,
    TotpCode,
    TotpOffered,
)
from identity.relying_party import relying_party
from identity.routes import NO_STORE, device_of, signed_in_answer
from identity.schemas import Empty, Tokens
from identity.second_factors import SecondFactors
from identity.signin import SignedIn, SignIn


def add_factor_routes(routes: Routes, sign_in: SignIn, factors: SecondFactors, settings: Settings) -> None:
    def origin(call: Call[Any, Any]) -> str:
        return call.request.headers.get("Origin", "")

    def answered(call: Call[Any, Any], passkey: Answered | None) -> tuple[str, str, str] | None:
        return None if passkey is None else (passkey.ceremony, json.dumps(passkey.credential), origin(call))

    def added(signed_in: SignedIn, codes: list[str]) -> Answer:
        tokens = Tokens.of(signed_in, native=False).model_dump()
        return Answer(FactorAdded(**tokens, recovery_codes=codes), headers=NO_STORE)

    # -- signing in

    @routes.post(
        "/auth/login/factor",
        action="public",
        auth="none",
        body=SecondFactor,
        returns=Tokens,
        errors=(InvalidToken, WrongCode, PasskeyRefused),
    )
    async def second_factor(call: Call[SecondFactor, None]) -> Answer:
        """Give the second factor after ``second_factor_required``; its ``pending_token`` signs in once."""
        body = call.body
        if (body.code is None) == (body.passkey is None):
            raise InvalidInput.of("code", "send a code or a passkey's answer")
        passkey = answered(call, body.passkey)
        device = device_of(call, settings)
        signed_in = await sign_in.finish(body.pending_token, device, code=body.code, passkey=passkey)
        return signed_in_answer(signed_in, settings)

    @routes.post(
        "/auth/passkey/options",
        action="public",
        auth="none",
        body=Empty,
        returns=Ceremony,
        errors=(PasskeysUnavailable,),
    )
    async def passkey_options(call: Call[Empty, None]) -> Answer:
        """A challenge for a passkey: to sign in, as a second factor, or to prove oneself again."""
        offered = await factors.offer_sign_in(origin(call))
        return Answer(Ceremony(ceremony=offered.ceremony, options=offered.options), headers=NO_STORE)

    @routes.post(
        "/auth/passkey",
        action="public",
        auth="none",
        body=PasskeyLogin,
        returns=Tokens,
        errors=(PasskeyRefused, Forbidden),
    )
    async def passkey_login(call: Call[PasskeyLogin, None]) -> Answer:
        """Sign in with a passkey alone."""
        body = call.body
        device = device_of(call, settings, body.client)
        credential = json.dumps(body.credential)
        signed_in = await sign_in.with_passkey(body.ceremony, credential, origin(call), body.role, device)
        return signed_in_answer(signed_in, settings)

    @routes.post(
        "/auth/step-up",
        action="account.security",
        auth="enrolling",
        body=StepUp,
        returns=Tokens,
        idempotency="none",
        errors=(InvalidCredentials, SecondFactorRequired, WrongCode, PasskeyRefused),
    )
    async def step_up(call: Call[StepUp, None]) -> Answer:
        """Prove oneself again, for what answers ``step_up_required``. The refresh token stays."""
        body, passkey = call.body, answered(call, call.body.passkey)
        signed_in = await sign_in.step_up(
            call.principal, device_of(call, settings), password=body.password, code=body.code, passkey=passkey
        )
        return signed_in_answer(signed_in, settings)

    @routes.post(
        "/auth/role",
        action="account.own",
        body=ActAs,
        returns=Tokens,
        idempotency="none",
        errors=(StepUpRequired, Forbidden),
    )
    async def act_as(call: Call[ActAs, None]) -> Answer:
        """Go on in another of one's roles: a new session, in place of the one at hand."""
        signed_in = await sign_in.act_as(call.principal, call.body.role, device_of(call, settings))
        return signed_in_answer(signed_in, settings)

    # -- one's own

    @routes.get("/me/security", action="account.security", auth="enrolling", returns=Security)
    async def security(call: Call[None, None]) -> Security:
        """One's second factors."""
        kinds = await factors.kinds(call.principal.id)
        passkeys = await factors.passkeys(call.principal)
        role = call.principal.role
        # The page asks from the address it is at; a GET of the same site carries no Origin.
        site = f"{call.request.scheme}://{call.request.host}"
        return Security(
            required=role == "enrolling" or settings.needs_second_factor(role),
            totp=kinds.totp,
            recovery_codes=kinds.recovery_codes,
            passkeys=[PasskeyRow.of(each) for each in passkeys],
            passkeys_available=relying_party(settings.public_url, None) is not None
            or relying_party(settings.public_url, site) is not None,
        )

    @routes.post(
        "/me/factors/totp",
        action="account.security",
        auth="enrolling",
        body=Empty,
        returns=TotpOffered,
        idempotency="none",
        errors=(StepUpRequired, FactorExists),
    )
    async def offer_totp(call: Call[Empty, None]) -> Answer:
        """Begin with an authenticator: its secret, shown once, counts when a code has proved it."""
        offer = await factors.offer_totp(call.principal)
        image = io.BytesIO()
        segno.make(offer.uri, error="m").save(image, kind="svg", scale=4, border=4, light="#fff", xmldecl=False)
        shown = TotpOffered(secret=offer.secret, uri=offer.uri, qr=image.getvalue().decode())
        return Answer(shown, headers=NO_STORE)

    @routes.post(
        "/me/factors/totp/confirm",
        action="account.security",
        auth="enrolling",
        body=TotpCode,
        returns=FactorAdded,
        idempotency="none",
        errors=(StepUpRequired, WrongCode),
    )
    async def confirm_totp(call: Call[TotpCode, None]) -> Answer:
        """Prove the authenticator with its code."""
        codes = await factors.confirm_totp(call.principal, call.body.code, device_of(call, settings).address)
        return added(await sign_in.factor_proved(call.principal, "otp"), codes)

    @routes.delete("/me/factors/totp", action="account.own", status=204, errors=(StepUpRequired, NotFound))
    async def remove_totp(call: Call[None, None]) -> None:
        """Remove the authenticator."""
        await factors.remove_totp(call.principal)

    @routes.post(
        "/me/factors/recovery-codes",
        action="account.own",
        body=Empty,
        returns=RecoveryCodes,
        idempotency="none",
        errors=(StepUpRequired, NotFound),
    )
    async def recovery_codes(call: Call[Empty, None]) -> Answer:
        """Make ten new recovery codes in place of the old ones."""
        codes = await factors.new_recovery_codes(call.principal)
        return Answer(RecoveryCodes(recovery_codes=codes), headers=NO_STORE)

    @routes.post(
        "/me/passkeys/options",
        action="account.security",
        auth="enrolling",
        body=Empty,
        returns=Ceremony,
        idempotency="none",
        errors=(StepUpRequired, PasskeysUnavailable),
    )
    async def offer_passkey(call: Call[Empty, None]) -> Answer:
        """Begin with a new passkey."""
        offered = await factors.offer_passkey(call.principal, origin(call))
        return Answer(Ceremony(ceremony=offered.ceremony, options=offered.options), headers=NO_STORE)

    @routes.post(
        "/me/passkeys",
        action="account.security",
        auth="enrolling",
        body=NewPasskey,
        returns=FactorAdded,
        idempotency="none",
        errors=(StepUpRequired, PasskeyRefused),
    )
    async def add_passkey(call: Call[NewPasskey, None]) -> Answer:
        """Keep a new passkey."""
        body = call.body
        codes = await factors.add_passkey(call.principal, body.ceremony, json.dumps(body.credential), body.name)
        return added(await sign_in.factor_proved(call.principal, "hwk"), codes)

    @routes.patch("/me/passkeys/{id}", action="account.own", body=Rename, status=204, errors=(NotFound,))
    async def rename_passkey(call: Call[Rename, None]) -> None:
        """Give a passkey another name."""
        await factors.rename_passkey(call.principal, call.id(), call.body.name)

    @routes.delete("/me/passkeys/{id}", action="account.own", status=204, errors=(StepUpRequired, NotFound))
    async def remove_passkey(call: Call[None, None]) -> None:
        """Remove a passkey."""
        await factors.remove_passkey(call.principal, call.id())
