"""What can go wrong with accounts, as people see it."""

from __future__ import annotations

from core.errors import BedsideError, Conflict, InvalidToken


class InvalidCredentials(BedsideError):
    """The same answer for an unknown address and a wrong password."""

    status = 401
    code = "invalid_credentials"
    title = "The email address or the password is wrong"


class SecondFactorRequired(BedsideError):
    """The password was right: a second factor is needed beside it.

    Carries ``pending_token`` for ``POST /auth/login/factor`` and ``methods`` (totp, recovery_code, passkey).
    """

    status = 401
    code = "second_factor_required"
    title = "Enter the code of your second factor"


class WrongCode(BedsideError):
    status = 401
    code = "wrong_code"
    title = "This code is wrong or has been used"


class PasskeyRefused(BedsideError):
    """Whatever did not fit: unknown, removed, another site's, another challenge's, or without verification."""

    status = 401
    code = "passkey_refused"
    title = "This passkey could not be accepted"


class PasskeysUnavailable(BedsideError):
    """Passkeys belong to a name: pages reached by a bare address can't have them (Web Authentication, 5.1.3)."""

    status = 409
    code = "passkeys_unavailable"
    title = "Passkeys do not work at this address of the server"


class FactorExists(Conflict):
    code = "factor_exists"
    title = "This second factor is set up already: remove it first"


class EmailTaken(Conflict):
    code = "email_taken"
    title = "There is already an account with this email address"


class RefreshReused(InvalidToken):
    """A retired refresh token came back: somebody has a copy, so the whole session has been ended."""

    code = "refresh_reused"
    title = "This session was ended because its token was used twice: sign in again"


class LinkGone(BedsideError):
    status = 410
    code = "link_gone"
    title = "This link has been used or has expired"
