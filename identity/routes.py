"""HTTP of identity."""

from __future__ import annotations

from typing import Any

from core.errors import Forbidden, InvalidInput, InvalidToken, NotFound, StepUpRequired
from core.http.middleware import client_address
from core.http.routes import API_PREFIX, Answer, Call, Routes
from core.security.tokens import Tokens as TokenIssuer
from core.settings import Settings
from identity.accounts import Accounts
from identity.directory import Directory
from identity.errors import InvalidCredentials, LinkGone, RefreshReused, SecondFactorRequired, WrongCode
from identity.resetting import Resetting
from identity.schemas import (
    AskReset,
    ChangeMe,
    Empty,
    EndSessions,
    FinishReset,
    JwkSet,
    Login,
    Me,
    NewPassword,
    Patient,
    Refresh,
    Register,
    Registered,
    SessionPage,
    SessionRow,
    Tokens,
    User,
    VerifyEmail,
)
from identity.signin import Device, SignedIn, SignIn

COOKIE = "bedside_refresh"
COOKIE_PATH = f"{API_PREFIX}/auth"
NO_STORE = {"Cache-Control": "no-store"}


def cookie_of(settings: Settings) -> dict[str, Any]:
    """What the refresh token's cookie is made with."""
    return {
        "path": COOKIE_PATH,
        "httponly": True,
        "samesite": "Strict",  # refresh and logout take the cookie: no other site may send it
        "secure": settings.public_url.startswith("https:"),
    }


def signed_in_answer(signed_in: SignedIn, settings: Settings) -> Answer:
    """Tokens; the refresh token in a cookie for browsers, which ends with the session."""
    native = signed_in.client == "native"
    cookies: list[dict[str, Any]] = []
    if not native and signed_in.refresh_token is not None:
        value = {"value": signed_in.refresh_token, "max_age": signed_in.lives_s}
        cookies.append({"name": COOKIE, **value, **cookie_of(settings)})
    return Answer(Tokens.of(signed_in, native=native), headers=NO_STORE, set_cookies=cookies)


def device_of(call: Call[Any, Any], settings: Settings, client: str = "browser") -> Device:
    address = client_address(call.request, settings.http.trusted_proxies)
    return Device(client, call.request.headers.get("User-Agent", ""), address)


def build_routes(
    accounts: Accounts,
    directory: Directory,
    sign_in: SignIn,
    resetting: Resetting,
    issuer: TokenIssuer,
    settings: Settings,
) -> Routes:
    routes = Routes("identity")
    cookie = cookie_of(settings)

    @routes.post(
        "/auth/register",
        action="public",
        auth="none",
        body=Register,
        returns=Registered,
        status=201,
        limit="login",
    )
    async def register(call: Call[Register, None]) -> Registered:
        """Make a patient's account.

        Where the address has one the answer is the same, and its owner is told by mail.
        """
        body = call.body
        person = await accounts.register(body.email, body.password, body.name, body.language, body.time_zone)
        return Registered(user=User.of(person, person.roles[0]))

    @routes.post(
        "/auth/login",
        action="public",
        auth="none",
        body=Login,
        returns=Tokens,
        limit="login",
        errors=(InvalidCredentials, SecondFactorRequired, WrongCode, Forbidden),
    )
    async def login(call: Call[Login, None]) -> Answer:
        """Sign in."""
        body = call.body
        device = device_of(call, settings, body.client)
        signed_in = await sign_in.login(body.email, body.password, body.role, device, body.code)
        return signed_in_answer(signed_in, settings)

    @routes.post(
        "/auth/refresh",
        action="public",
        auth="none",
        body=Refresh,
        returns=Tokens,
        errors=(InvalidToken, RefreshReused),
    )
    async def refresh(call: Call[Refresh, None]) -> Answer:
        """Get the next access token; the refresh token is used once."""
        token = call.body.refresh_token or call.request.cookies.get(COOKIE)
        if not token:
            raise InvalidToken()
        return signed_in_answer(await sign_in.refresh(token), settings)

    @routes.post("/auth/logout", action="public", auth="none", body=Refresh, status=204)
    async def logout(call: Call[Refresh, None]) -> Answer:
        """Sign out: the session of the access token, else of the refresh token, ends."""
        scheme, _, access = call.request.headers.get("Authorization", "").partition(" ")
        refresh_token = call.body.refresh_token or call.request.cookies.get(COOKIE)
        await sign_in.logout(access.strip() if scheme.lower() == "bearer" else None, refresh_token)
        return Answer(status=204, delete_cookies=[{"name": COOKIE, **cookie}])

    @routes.get("/auth/jwks", action="public", auth="none", returns=JwkSet)
    async def jwks(call: Call[None, None]) -> Answer:
        """The keys that tokens are signed with."""
        return Answer(JwkSet(keys=issuer.jwks()["keys"]), headers={"Cache-Control": "public, max-age=300"})

    @routes.post("/auth/verify-email", action="public", auth="none", body=VerifyEmail, status=204, errors=(LinkGone,))
    async def verify_email(call: Call[VerifyEmail, None]) -> None:
        """Use the secret of the link in the letter, once."""
        await accounts.verify_email(call.body.secret)

    @routes.post("/auth/password-reset", action="public", auth="none", body=AskReset, status=204, limit="login")
    async def ask_reset(call: Call[AskReset, None]) -> None:
        """Ask for a letter with a link to set a new password; the answer is the same for every address."""
        await resetting.request(call.body.email)

    @routes.post(
        "/auth/password-reset/finish", action="public", auth="none", body=FinishReset, status=204, errors=(LinkGone,)
    )
    async def finish_reset(call: Call[FinishReset, None]) -> None:
        """Set a new password with the secret of the link, once. Every session ends."""
        await resetting.finish(call.body.secret, call.body.password)

    @routes.put(
        "/me/password",
        action="account.security",
        auth="enrolling",
        body=NewPassword,
        status=204,
        errors=(StepUpRequired,),
    )
    async def change_password(call: Call[NewPassword, None]) -> None:
        """Set another password. Every other session ends."""
        await resetting.change(call.principal, call.body.password)

    @routes.post("/me/verification", action="account.own", body=Empty, status=204)
    async def send_verification(call: Call[Empty, None]) -> None:
        """Ask for another letter to verify the address."""
        await accounts.send_verification(call.principal)

    @routes.get("/me", action="account.security", auth="enrolling", returns=Me)
    async def me(call: Call[None, None]) -> Me:
        """Who is signed in."""
        person, contact = await directory.me(call.principal)
        return Me.profile(person, contact, call.principal.role)

    @routes.patch("/me", action="account.own", body=ChangeMe, returns=Me)
    async def change_me(call: Call[ChangeMe, None]) -> Me:
        """Change what was sent; null clears phone and birth date."""
        changes = {field: getattr(call.body, field) for field in call.body.model_fields_set}
        for field in ("name", "language", "time_zone"):
            if field in changes and changes[field] is None:
                raise InvalidInput.of(field, "can't be cleared")
        if changes.get("birth_date") and changes["birth_date"] > call.now.date():
            raise InvalidInput.of("birth_date", "lies in the future")
        person, contact = await directory.change_me(call.principal, **changes)
        return Me.profile(person, contact, call.principal.role)

    @routes.get("/me/sessions", action="account.security", auth="enrolling", returns=SessionPage)
    async def sessions(call: Call[None, None]) -> SessionPage:
        """Where one is signed in."""
        found = await sign_in.sessions(call.principal)
        return SessionPage(items=[SessionRow.of(each, call.principal.session_id) for each in found])

    @routes.delete("/me/sessions", action="account.security", auth="enrolling", query=EndSessions, status=204)
    async def end_sessions(call: Call[None, EndSessions]) -> None:
        """Sign out everywhere, or everywhere else."""
        await sign_in.end_sessions(call.principal, others=call.query.others)

    @routes.delete("/me/sessions/{id}", action="account.security", auth="enrolling", status=204, errors=(NotFound,))
    async def end_session(call: Call[None, None]) -> None:
        """Sign out another device."""
        await sign_in.end_session(call.principal, call.id())

    @routes.get("/patients/{id}", action="patient.read", returns=Patient, errors=(Forbidden, NotFound))
    async def patient(call: Call[None, None]) -> Patient:
        """A patient's profile, for staff and those who care for them."""
        return Patient.of(*await directory.patient(call.principal, call.id()))

    return routes
