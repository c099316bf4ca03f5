"""The demonstration's mail server: takes every mail, delivers none, shows them on a page."""

from __future__ import annotations

import asyncio
import email
import email.policy
import signal
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from uuid import UUID

from aiosmtpd.smtp import SMTP, Envelope, Session

from core.clock import rfc3339
from core.errors import NotFound
from core.http.routes import Call, Page, Routes, Wire
from core.ids import uuid7
from core.settings import Settings
from server.processes import ProcessError

KEPT = 500  # older ones are dropped
LARGEST_BYTES = 5_000_000


class Mail(Wire):
    id: UUID
    to: str
    subject: str
    received_at: str


class MailText(Mail):
    text: str


class MailPage(Page):
    items: list[Mail]


class Mailbox:
    """Mails as files named by their UUIDv7, so that names sort by age."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, content: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = self._folder / f"{uuid7()}.eml"
        draft = file.with_suffix(".new")
        draft.write_bytes(content)
        draft.rename(file)
        for old in self._files()[KEPT:]:
            old.unlink(missing_ok=True)

    def newest(self, limit: int = 100) -> list[Mail]:
        return [_mail(file, _read(file)) for file in self._files()[:limit]]

    def get(self, mail_id: UUID) -> MailText:
        file = self._folder / f"{mail_id}.eml"
        if not file.exists():
            raise NotFound()
        message = _read(file)
        body = message.get_body(("plain", "html"))
        text = "" if body is None else str(body.get_content())
        return MailText(**_mail(file, message).model_dump(), text=text)

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("*.eml"), reverse=True)


def _read(file: Path) -> EmailMessage:
    message = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
    assert isinstance(message, EmailMessage), "what the default policy makes"
    return message


def _mail(file: Path, message: EmailMessage) -> Mail:
    mail_id = UUID(file.stem)
    received = datetime.fromtimestamp((mail_id.int >> 80) / 1000, UTC)
    return Mail(
        id=mail_id, to=str(message["to"] or ""), subject=str(message["subject"] or ""), received_at=rfc3339(received)
    )


class _Handler:
    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes), "decode_data is off"
        await asyncio.to_thread(self._mailbox.put, content)
        return "250 kept"


def mail_folder(settings: Settings) -> Path:
    return settings.data_dir / "mail"


async def run_catcher(settings: Settings) -> None:
    """Listen on ``mail.host`` and ``mail.port`` until told to stop."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    handler = _Handler(Mailbox(mail_folder(settings)))
    try:
        server = await loop.create_server(
            lambda: SMTP(handler, hostname="bedside", ident="Bedside", data_size_limit=LARGEST_BYTES, loop=loop),
            settings.mail.host,
            settings.mail.port,
        )
    except OSError as error:
        raise ProcessError(f"TCP port {settings.mail.port} can't be used ({error.strerror})") from None
    async with server:
        await stopping.wait()


def mail_routes(settings: Settings) -> Routes:
    """``/demo/mail``: added in the demonstration only."""
    routes = Routes("demonstration")
    mailbox = Mailbox(mail_folder(settings))

    @routes.get("/demo/mail", action="account.own", returns=MailPage)
    async def mails(call: Call[None, None]) -> MailPage:
        """The mails that the demonstration has sent, newest first."""
        return MailPage(items=await asyncio.to_thread(mailbox.newest))

    @routes.get("/demo/mail/{id}", action="account.own", returns=MailText)
    async def mail(call: Call[None, None]) -> MailText:
        """One mail with its text."""
        return await asyncio.to_thread(mailbox.get, call.id())

    return routes
