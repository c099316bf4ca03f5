"""Passwords: which are too weak, and Argon2id off the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from core.errors import Unavailable
from core.settings import Security

T = TypeVar("T")

SHORTEST = 15  # NIST SP 800-63B-4, 3.1.1.2: where the password is the only factor
LONGEST = 200  # characters; more would only be a way to keep the hashing busy
HASHING_NICE = 10  # of 19
WAITING_AT_MOST = 64  # jobs; at some 30 ms each the last one waits about a second on two threads
# Long enough, yet among the first that anybody tries: compared without case, spaces, digits and signs.
_COMMON = frozenset(
    {
        *("password", "passwordpassword", "passwordpasswordpassword", "thisismypassword", "mypasswordismypassword"),
        *("qwertyuiop", "qwertyuiopasdfghjkl", "qwertyuiopasdfghjklzxcvbnm", "asdfghjkl", "abcdefghijklmno"),
        *("abcdefghijklmnop", "abcdefghijklmnopqrstuvwxyz", "letmeinletmein", "letmeinplease", "iloveyouiloveyou"),
        *("welcomewelcome", "administrator", "adminadminadmin", "changemechangeme", "correcthorsebatterystaple"),
        *("princessprincess", "sunshinesunshine", "footballfootball", "monkeymonkeymonkey", "motdepassemotdepasse"),
        *("motdepasse", "passwort", "passwortpasswort", "bedside", "bedsidedemo", "bedsidebedside"),
    }
)


def weakness(password: str, *others: str) -> str | None:
    """Why a password is refused, in words for its owner; None when it will do. ``others``: email, name. Pure.

    Length and a list of common ones, no rules of composition (NIST SP 800-63B-4, 3.1.1.2).
    """
    if len(password) < SHORTEST:
        return f"use at least {SHORTEST} characters; a few words make a good one"
    if len(password) > LONGEST:
        return f"use at most {LONGEST} characters"
    letters = "".join(character for character in password.casefold() if character.isalpha())
    repeats = len(set(password.casefold())) < 5
    if repeats or letters in _COMMON or password.isdigit():
        return "this one is among the first that are guessed; choose another"
    for other in others:
        for part in (other.casefold(), other.casefold().partition("@")[0]):
            if len(part) >= 4 and part in password.casefold() and len(password) - len(part) < 8:
                return "this is too close to your name or address"
    return None


def _step_back() -> None:
    """Hashing yields the cores to whatever answers requests: on Linux a thread has a priority of its own."""
    with contextlib.suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), HASHING_NICE)


class Passwords:
    """Argon2id in a small pool of threads (the hash releases the interpreter's lock), with a bounded queue."""

    def __init__(self, settings: Security) -> None:
        self._hasher = PasswordHasher(
            time_cost=settings.argon2_time, memory_cost=settings.argon2_memory_kib, parallelism=1
        )
        self._pool = ThreadPoolExecutor(
            min(4, os.cpu_count() or 1), thread_name_prefix="argon2", initializer=_step_back
        )
        self._waiting = 0
        # Verified for unknown accounts too, so that the time of an answer does not tell whether one exists.
        self._nobody = self._hasher.hash(secrets.token_hex())

    async def hash(self, password: str) -> str:
        return await self._run(lambda: self._hasher.hash(password))

    async def matches(self, stored: str | None, password: str) -> bool:
        """True if the password is the stored one. None takes as long and is False."""
        return await self._run(lambda: self._check(stored or self._nobody, password)) and stored is not None

    def is_outdated(self, stored: str) -> bool:
        """True when it was hashed with other costs than those now set."""
        return self._hasher.check_needs_rehash(stored)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _check(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= WAITING_AT_MOST:
            raise Unavailable("Many people are signing in: try again in a moment", headers={"Retry-After": "2"})
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._waiting -= 1
