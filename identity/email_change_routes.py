"""HTTP of changing one's address."""

from __future__ import annotations

from pydantic import Field

from core.errors import StepUpRequired
from core.http.routes import Answer, Call, Routes, Wire
from identity.email_changes import EmailChanges
from identity.errors import EmailTaken, LinkGone
from identity.routes import NO_STORE
from identity.schemas import Email


class NewEmail(Wire):
    email: Email


class EmailChangeView(Wire):
    """The address that waits for its confirmation; null when none does."""

    email: str | None
    expires_at: str | None


class LinkSecret(Wire):
    """What follows the ``#`` in the letter's link."""

    secret: str = Field(max_length=200)


def add_email_change_routes(routes: Routes, changes: EmailChanges) -> None:
    @routes.get("/me/email-change", action="account.own", returns=EmailChangeView)
    async def waiting(call: Call[None, None]) -> Answer:
        """The new address that waits for its confirmation."""
        found = await changes.waiting(call.principal)
        email, expires_at = (None, None) if found is None else found
        return Answer(EmailChangeView(email=email, expires_at=expires_at), headers=NO_STORE)

    @routes.put("/me/email-change", action="account.own", body=NewEmail, status=204, errors=(StepUpRequired,))
    async def request(call: Call[NewEmail, None]) -> None:
        """Ask for another address: a link is sent to it. The answer is the same for an address that is taken."""
        await changes.request(call.principal, call.body.email)

    @routes.delete("/me/email-change", action="account.own", status=204)
    async def cancel(call: Call[None, None]) -> None:
        """Keep the address one has: the link counts no more."""
        await changes.cancel(call.principal)

    @routes.post(
        "/auth/email-change/confirm",
        action="public",
        auth="none",
        body=LinkSecret,
        status=204,
        errors=(LinkGone, EmailTaken),
    )
    async def confirm(call: Call[LinkSecret, None]) -> None:
        """Use the link that came to the new address, once. Everywhere else one is signed out, and the old address is
        told."""
        await changes.confirm(call.body.secret)

    @routes.post(
        "/auth/email-change/undo", action="public", auth="none", body=LinkSecret, status=204, errors=(LinkGone,)
    )
    async def undo(call: Call[LinkSecret, None]) -> None:
        """Use the link that came to the old address: it is back, every session ends, and a letter lets its owner
        choose a new password."""
        await changes.undo(call.body.secret)
