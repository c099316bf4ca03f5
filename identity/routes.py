"""HTTP of identity."""

from __future__ import annotations

from typing import Any

from core.errors import Forbidden, InvalidInput, InvalidToken, NotFound
from core.http.routes import API_PREFIX, Answer, Call, Routes
from core.security.tokens import Tokens as TokenIssuer
from core.settings import Settings
from identity.accounts import Accounts, SignedIn
from identity.directory import Directory
from identity.errors import EmailTaken, InvalidCredentials, LinkGone, RefreshReused, SecondFactorRequired
from identity.schemas import (
    ChangeMe,
    Empty,
    JwkSet,
    Login,
    Me,
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

COOKIE = "bedside_refresh"
COOKIE_PATH = f"{API_PREFIX}/auth"
NO_STORE = {"Cache-Control": "no-store"}


def build_routes(accounts: Accounts, directory: Directory, issuer: TokenIssuer, settings: Settings) -> Routes:
    routes = Routes("identity")
    cookie = {
        "path": COOKIE_PATH,
        "httponly": True,
        "samesite": "Strict",  # refresh and logout take the cookie: no other site may send it
        "secure": settings.public_url.startswith("https:"),
    }

    def answer(signed_in: SignedIn, *, native: bool) -> Answer:
        cookies: list[dict[str, Any]] = []
        if not native:
            age = settings.security.refresh_token_s
            cookies.append({"name": COOKIE, "value": signed_in.refresh_token, "max_age": age, **cookie})
        return Answer(Tokens.of(signed_in, native=native), headers=NO_STORE, set_cookies=cookies)

    @routes.post(
        "/auth/register",
        action="public",
        auth="none",
        body=Register,
        returns=Registered,
        status=201,
        limit="login",
        errors=(EmailTaken,),
    )
    async def register(call: Call[Register, None]) -> Registered:
        """Make a patient's account."""
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
        errors=(InvalidCredentials, SecondFactorRequired, Forbidden),
    )
    async def login(call: Call[Login, None]) -> Answer:
        """Sign in."""
        body = call.body
        agent = call.request.headers.get("User-Agent", "")
        signed_in = await accounts.login(body.email, body.password, body.role, body.client, agent)
        return answer(signed_in, native=body.client == "native")

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
        signed_in, session = await accounts.refresh(token)
        return answer(signed_in, native=session.client == "native")

    @routes.post("/auth/logout", action="public", auth="none", body=Refresh, status=204)
    async def logout(call: Call[Refresh, None]) -> Answer:
        """Sign out: the session of the access token, else of the refresh token, ends."""
        scheme, _, access = call.request.headers.get("Authorization", "").partition(" ")
        refresh_token = call.body.refresh_token or call.request.cookies.get(COOKIE)
        await accounts.logout(access.strip() if scheme.lower() == "bearer" else None, refresh_token)
        return Answer(status=204, delete_cookies=[{"name": COOKIE, **cookie}])

    @routes.get("/auth/jwks", action="public", auth="none", returns=JwkSet)
    async def jwks(call: Call[None, None]) -> Answer:
        """The keys that tokens are signed with."""
        return Answer(JwkSet(keys=issuer.jwks()["keys"]), headers={"Cache-Control": "public, max-age=300"})

    @routes.post("/auth/verify-email", action="public", auth="none", body=VerifyEmail, status=204, errors=(LinkGone,))
    async def verify_email(call: Call[VerifyEmail, None]) -> None:
        """Use the secret of the link in the letter, once."""
        await accounts.verify_email(call.body.secret)

    @routes.post("/me/verification", action="account.own", body=Empty, status=204)
    async def send_verification(call: Call[Empty, None]) -> None:
        """Ask for another letter to verify the address."""
        await accounts.send_verification(call.principal)

    @routes.get("/me", action="account.own", returns=Me)
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

    @routes.get("/me/sessions", action="account.own", returns=SessionPage)
    async def sessions(call: Call[None, None]) -> SessionPage:
        """Where one is signed in."""
        found = await accounts.sessions(call.principal)
        return SessionPage(items=[SessionRow.of(each, call.principal.session_id) for each in found])

    @routes.delete("/me/sessions/{id}", action="account.own", status=204, errors=(NotFound,))
    async def end_session(call: Call[None, None]) -> None:
        """Sign out another device."""
        await accounts.end_session(call.principal, call.id())

    @routes.get("/patients/{id}", action="patient.read", returns=Patient, errors=(Forbidden, NotFound))
    async def patient(call: Call[None, None]) -> Patient:
        """A patient's profile, for staff and those who care for them."""
        return Patient.of(*await directory.patient(call.principal, call.id()))

    return routes
