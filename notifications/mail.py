"""Handing emails to the mail server (SMTP, RFC 5321)."""

from __future__ import annotations

from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from types import TracebackType
from uuid import UUID

import aiosmtplib

from core.clock import Clock
from core.ics import Method
from core.settings import Mail

TIMEOUT_S = 20.0


class MailServerAway(Exception):
    """No connection: no mail is to blame, and none is tried. The message names the server."""


class MailRefused(Exception):
    """The server answered no to this mail; ``permanent`` when trying again is useless (RFC 5321, section 4.2.1)."""

    def __init__(self, code: int, permanent: bool) -> None:
        super().__init__(f"refused with {code}")
        self.permanent = permanent


@dataclass(frozen=True, slots=True)
class Letter:
    """What one email says. ``calendar`` is an iTIP message (RFC 5546): its method and its iCalendar text."""

    subject: str
    text: str
    calendar: tuple[Method, bytes] | None = None


class Mailer:
    """One connection for a handful of mails: ``async with mailer.connect() as connection``."""

    def __init__(self, settings: Mail, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock

    def connect(self) -> Connection:
        return Connection(self._settings, self._clock)

    @property
    def address(self) -> str:
        """The bare address that mails come from."""
        return parseaddr(self._settings.sender)[1]

    async def check(self) -> str | None:
        """None when the server answers, else what is wrong, for the health page."""
        try:
            async with self.connect():
                return None
        except MailServerAway as error:
            return str(error)


class Connection:
    def __init__(self, settings: Mail, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._client = aiosmtplib.SMTP(
            hostname=settings.host,
            port=settings.port,
            timeout=TIMEOUT_S,
            start_tls=settings.starttls,
            use_tls=False,
            username=settings.username or None,
            password=settings.password.get_secret_value() or None,
        )

    async def __aenter__(self) -> Connection:
        try:
            await self._client.connect()
        except (aiosmtplib.SMTPException, OSError) as error:
            where = f"{self._settings.host}:{self._settings.port}"
            raise MailServerAway(f"the mail server {where} can't be reached ({type(error).__name__})") from None
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        try:
            await self._client.quit()
        except (aiosmtplib.SMTPException, OSError):
            self._client.close()

    async def send(self, delivery_id: UUID, to: str, letter: Letter) -> None:
        """The Message-ID is the delivery's, so that the same mail sent again after a crash is known as the same.

        Raises MailRefused or MailServerAway.
        """
        message = EmailMessage()
        message["From"] = self._settings.sender
        message["To"] = to
        message["Subject"] = letter.subject
        message["Date"] = format_datetime(self._clock.now())
        message["Message-ID"] = f"<{delivery_id}@bedside.invalid>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(letter.text)
        if letter.calendar is not None:
            _add_calendar(message, *letter.calendar)
        try:
            await self._client.send_message(message)
        except aiosmtplib.SMTPRecipientsRefused as error:
            code = error.recipients[0].code if error.recipients else 550
            raise MailRefused(code, 500 <= code < 600) from None
        except aiosmtplib.SMTPResponseException as error:
            raise MailRefused(error.code, 500 <= error.code < 600) from None
        except (aiosmtplib.SMTPException, OSError) as error:
            raise MailServerAway(f"the mail server hung up ({type(error).__name__})") from None


def _add_calendar(message: EmailMessage, method: Method, content: bytes) -> None:
    """RFC 6047: an alternative body that mail programs act on, and the same as a file for those that do not."""
    message.add_alternative(content.decode(), subtype="calendar", params={"method": method})
    message.add_attachment(
        content, "application", "ics", filename="cancellation.ics" if method == "CANCEL" else "visit.ics"
    )
