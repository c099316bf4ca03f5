"""An account outside the demonstration: its address is proved by a letter before any visit."""

from __future__ import annotations

import asyncio
import email
import email.policy
import json
import re
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiosmtpd.smtp import SMTP
from harness import MASTER_KEY, ROLE_SECRET

from core.context import Context
from core.database import Database
from core.settings import load
from identity.people import Person
from server.provision import PROFILE
from server.services import Modules
from server.serving import open_server

pytestmark = pytest.mark.integration

PASSWORD = "nine-slow-tortoises-swim"


@dataclass
class House:
    """A server in development mode, its mails, and a client."""

    context: Context
    modules: Modules
    client: TestClient[Any, Any]
    mails: list[Any]
    doctor: Person = field(init=False)

    async def register(self, language: str) -> tuple[str, dict[str, str], str]:
        """A new patient: address, headers of their session, id."""
        address = f"{secrets.token_hex(6)}@example.org"
        sent = {"email": address, "password": PASSWORD, "name": "Awa Sanou", "language": language}
        answer = await self.client.post("/api/v1/auth/register", json=sent)
        assert answer.status == 201, await answer.text()
        user = (await answer.json())["user"]
        assert user["email_verified"] is False
        answer = await self.client.post("/api/v1/auth/login", json={"email": address, "password": PASSWORD})
        token = (await answer.json())["access_token"]
        return address, {"Authorization": f"Bearer {token}"}, user["id"]

    async def letters(self, address: str, count: int = 1) -> list[Any]:
        async with asyncio.timeout(20):
            while len(found := self._letters(address)) < count:
                await asyncio.sleep(0.05)
        return found

    def _letters(self, address: str) -> list[Any]:
        return [
            mail
            for mail in self.mails
            if mail["To"] == address and "/verify" in mail.get_body(("plain",)).get_content()
        ]

    async def verify(self, secret: str) -> int:
        return (await self.client.post("/api/v1/auth/verify-email", json={"secret": secret})).status


@pytest.fixture
async def house(databases: dict[str, Database], postgres: str, valkey: str, tmp_path: Path) -> AsyncIterator[House]:
    mails: list[Any] = []

    class Catcher:
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
            mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
            return "250 kept"

    loop = asyncio.get_running_loop()
    catcher = await loop.create_server(lambda: SMTP(Catcher(), hostname="test", loop=loop), "127.0.0.1", 0)
    settings = load(
        environ={
            "BEDSIDE_MODE": "development",
            "BEDSIDE_DATA_DIR": str(tmp_path),
            "BEDSIDE_HTTP_PUBLIC_URL": "https://clinic.example",
            "BEDSIDE_DATABASE_URL": postgres,
            "BEDSIDE_DATABASE_ROLE_SECRET": ROLE_SECRET,
            "BEDSIDE_REDIS_URL": valkey,
            "BEDSIDE_SECURITY_MASTER_KEY": MASTER_KEY,
            "BEDSIDE_MEDIA_CONTROL_SECRET": "media-control-secret",
            "BEDSIDE_MAIL_PORT": str(catcher.sockets[0].getsockname()[1]),
        }
    )
    roles = frozenset({"gateway", "api", "signaling", "worker"})
    async with (
        open_server(settings, roles) as (context, modules, application),
        TestClient(TestServer(application)) as client,
    ):
        made = House(context, modules, client, mails)
        made.doctor = await modules.identity.accounts.create_person(
            email=f"{secrets.token_hex(6)}@example.org",
            password=PASSWORD,
            name="Paul Ky",
            roles=("practitioner",),
            practitioner=PROFILE,
        )
        yield made
    catcher.close()


def link_in(mail: Any) -> tuple[str, str]:
    """The address of the page and the secret of its fragment."""
    text = mail.get_body(("plain",)).get_content().replace("\n", " ")
    [(page, secret)] = re.findall(r"(https://clinic\.example/verify)#(\S+)", text)
    return page, secret


async def test_a_letter_verifies_the_address_and_opens_visits(house: House) -> None:
    address, headers, person_id = await house.register("fr")
    appointment = await house.modules.scheduling.arranging.ensure_open_visit(house.doctor.id, UUID(person_id), "Fièvre")
    video = f"/api/v1/appointments/{appointment.id}/video-token"
    answer = await house.client.get(video, headers=headers)
    assert (answer.status, (await answer.json())["code"]) == (403, "account_not_verified")

    [letter] = await house.letters(address)
    assert letter["Subject"] == "Confirmez votre adresse email"
    assert "Awa" not in letter["Subject"]
    _, secret = link_in(letter)
    assert await house.verify(secret[:-3] + "AAA") == 410
    assert await house.verify(secret) == 204
    assert await house.verify(secret) == 410, "a link is used once"
    me = await (await house.client.get("/api/v1/me", headers=headers)).json()
    assert me["email_verified"] is True
    assert (await house.client.get(video, headers=headers)).status == 200


async def test_the_letter_comes_again_when_asked_for_and_only_by_mail(house: House) -> None:
    address, headers, _ = await house.register("en")
    [first] = await house.letters(address)
    assert first["Subject"] == "Confirm your email address"
    assert (await house.client.post("/api/v1/me/verification", json={}, headers=headers)).status == 204
    first, second = await house.letters(address, 2)
    secrets_sent = [link_in(letter)[1] for letter in (first, second)]
    assert len(set(secrets_sent)) == 2
    notices = await (await house.client.get("/api/v1/notifications", headers=headers)).json()
    assert notices["items"] == [], "whoever reads notices has not thereby proved the mailbox"
    async with house.context.database("notifications").reading() as tx:
        rows = await tx.fetch("SELECT d::text AS line FROM deliveries d WHERE kind = 'account.verification_requested'")
    stored = json.dumps([row["line"] for row in rows])
    assert rows
    for secret in secrets_sent:
        assert secret.partition(".")[2] not in stored
    assert await house.verify(secrets_sent[1]) == 204
    # Verified: nothing more is sent.
    assert (await house.client.post("/api/v1/me/verification", json={}, headers=headers)).status == 204
