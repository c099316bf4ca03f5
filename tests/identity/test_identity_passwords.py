"""Which passwords are refused; that hashing leaves the loop free and takes as long for nobody."""

from __future__ import annotations

import asyncio

import pytest

from core.settings import Security
from identity.passwords import Passwords, weakness

CHEAP = Security(argon2_memory_kib=1024, argon2_time=1)


@pytest.mark.parametrize(
    "password",
    ["", "short", "fourteen chars", "aaaaaaaaaaaaaaaa", "1234567890123456", "PasswordPassword1!", "x" * 201],
)
def test_weak_passwords_are_refused(password: str) -> None:
    assert weakness(password)


def test_the_own_address_is_no_password() -> None:
    assert weakness("marie.dupont-2026", "marie.dupont@example.org")
    assert weakness("a quiet harbour at dawn", "marie.dupont@example.org", "Marie Dupont") is None


async def test_right_wrong_and_unknown() -> None:
    passwords = Passwords(CHEAP)
    stored = await passwords.hash("a quiet harbour at dawn")
    assert stored.startswith("$argon2id$")
    assert await passwords.matches(stored, "a quiet harbour at dawn")
    assert not await passwords.matches(stored, "a quiet harbour at dusk")
    assert not await passwords.matches(None, "a quiet harbour at dawn")
    assert not await passwords.matches("rubbish", "a quiet harbour at dawn")
    passwords.close()


async def test_costs_that_changed_are_noticed() -> None:
    stored = await Passwords(CHEAP).hash("x")
    assert not Passwords(CHEAP).is_outdated(stored)
    assert Passwords(Security(argon2_memory_kib=2048, argon2_time=1)).is_outdated(stored)


async def test_the_loop_turns_while_hashing() -> None:
    passwords = Passwords(Security())
    turns = 0
    hashing = asyncio.ensure_future(passwords.hash("x"))
    while not hashing.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns > 10
    passwords.close()
