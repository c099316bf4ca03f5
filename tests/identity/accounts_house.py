"""People, a clock and what was told, for the tests of signing in."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from core.context import Context
from core.ids import uuid7
from core.security.principal import Principal, Role
from identity import Identity
from identity.errors import InvalidCredentials
from identity.guard import FREE
from identity.people import Person
from identity.signin import Device, SignedIn

PASSWORD = "a quiet harbour at dawn"


class HandClock:
    def __init__(self) -> None:
        self.at = datetime.now(UTC)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    def forward(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


def here(client: str = "browser") -> Device:
    """Each time from another address: wrong tries of one test slow no other."""
    return Device(client, "test", uuid7().hex)


@dataclass
class House:
    context: Context
    identity: Identity

    async def person(self, *roles: Role) -> Person:
        return await self.identity.accounts.create_person(
            email=f"{uuid7().hex}@example.org", password=PASSWORD, name="Awa Traoré", roles=roles or ("patient",)
        )

    async def signed_in(self, who: Person, code: str | None = None) -> SignedIn:
        return await self.identity.sign_in.login(who.email, PASSWORD, None, here(), code)

    async def acting(self, who: Person) -> Principal:
        return await self.principal(await self.signed_in(who))

    async def principal(self, signed_in: SignedIn) -> Principal:
        return await self.identity.sign_in.authenticate(signed_in.access_token)

    async def guess(self, who: Person) -> None:
        """Until the account has to wait."""
        for _ in range(FREE + 1):
            with suppress(InvalidCredentials):
                await self.identity.sign_in.login(who.email, "wrong", None, here())

    async def facts(self, name: str, order_key: UUID | None = None) -> Sequence[dict[str, Any]]:
        async with self.context.database("core").reading() as tx:
            rows = await tx.fetch(
                "SELECT payload FROM core.outbox WHERE name = $1 AND ($2::uuid IS NULL OR order_key = $2)",
                name,
                order_key,
            )
        return [row["payload"] for row in rows]
