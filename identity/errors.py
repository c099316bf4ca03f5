"""What can go wrong with accounts, as people see it."""

from __future__ import annotations

from core.errors import BedsideError, Conflict, InvalidToken


class InvalidCredentials(BedsideError):
    """The same answer for an unknown address and a wrong password."""

    status = 401
    code = "invalid_credentials"
    title = "The email address or the password is wrong"


class SecondFactorRequired(BedsideError):
    """The password was right; ``code`` is needed beside it."""

    status = 401
    code = "second_factor_required"
    title = "Enter the code of your second factor"


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
