"""What can go wrong with accounts, as people see it."""

from __future__ import annotations

from core.errors import BedsideError, Conflict, Forbidden, InvalidToken


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


class ProviderFailed(BedsideError):
    """The provider could not be asked, or what it said does not hold. The reason is in the log alone."""

    status = 502
    code = "provider_failed"
    title = "The sign-in service could not be used: try again, or sign in another way"


class SignInGone(BedsideError):
    """A return from a provider that this browser did not begin, or began too long ago."""

    status = 410
    code = "sign_in_gone"
    title = "This sign-in is over: begin again"


class LinkRequired(BedsideError):
    """The provider knows the person, no account is linked yet: with ``link_token`` and the own password it will be."""

    status = 401
    code = "link_required"
    title = "Prove once that this account is yours"


class NotLinked(Forbidden):
    code = "not_linked"
    title = "No account is linked to this sign-in: sign in with your password and link it under Security"


class AlreadyLinked(Conflict):
    code = "already_linked"
    title = "This sign-in belongs to another account"


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


class AlreadyActs(Conflict):
    code = "already_acts"
    title = "This person may act for them already"


class AuthorityEnded(Conflict):
    code = "authority_ended"
    title = "This authority is over already"


class TooManyDependants(Conflict):
    code = "too_many_dependants"
    title = "You have added as many people as one account may have: ask the practice"
