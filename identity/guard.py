"""Slowing down who guesses: after a few wrong tries each further one waits twice as long as the last.

Counted by account and by address, in Redis, so that all processes know. Unknown accounts are counted like known ones.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Literal

from redis.asyncio import Redis
from redis.exceptions import RedisError

from core.clock import Clock
from core.errors import TooManyRequests, Unavailable

FORGOTTEN_AFTER_S = 24 * 3600  # without a wrong try
LONGEST_WAIT_S = 900  # so at most 96 guesses a day: NIST SP 800-63B-4, 3.2.2 allows 100 in a row

# KEYS: count. ARGV: now (ms), free tries, longest wait (ms), forgotten after (s).
_FAILED = """
local tries = redis.call('HINCRBY', KEYS[1], 'tries', 1)
redis.call('EXPIRE', KEYS[1], ARGV[4])
local over = tries - tonumber(ARGV[2])
if over > 0 then
  local wait = math.min(1000 * 2 ^ math.min(over - 1, 20), tonumber(ARGV[3]))
  redis.call('HSET', KEYS[1], 'until', string.format('%d', tonumber(ARGV[1]) + wait))
end
return tries
"""
# KEYS: count. ARGV: window (s).
_TAKE = """
local taken = redis.call('INCR', KEYS[1])
if taken == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return taken
"""


Kind = Literal["password", "factor", "address"]

PASSWORD: Kind = "password"  # noqa: S105  (a name) of one account, from wherever
FACTOR: Kind = "factor"  # codes of one person
ADDRESS: Kind = "address"  # anything, from one address
FREE = 5  # wrong tries without a wait, for an account or a person; an address has its setting


class Guard:
    """Every method raises Unavailable while Redis is away."""

    def __init__(self, redis: Redis, clock: Clock, free_per_address: int) -> None:
        self._command: Callable[..., Awaitable[Any]] = redis.execute_command
        self._clock = clock
        self._free_per_address = free_per_address

    async def check(self, kind: Kind, who: str) -> None:
        """Raises TooManyRequests with Retry-After while the wait is on."""
        until = await self._do("HGET", _name(kind, who), "until")
        left = 0 if until is None else int(until) - self._now()
        if left > 0:
            seconds = math.ceil(left / 1000)
            raise TooManyRequests(
                "Too many wrong tries: wait a while, then try again", headers={"Retry-After": str(seconds)}
            )

    async def failed(self, kind: Kind, who: str) -> int:
        """Count a wrong try; their number."""
        name, free = _name(kind, who), self._free_per_address if kind == ADDRESS else FREE
        return int(
            await self._do("EVAL", _FAILED, 1, name, self._now(), free, LONGEST_WAIT_S * 1000, FORGOTTEN_AFTER_S)
        )

    async def forget(self, kind: Kind, who: str) -> None:
        await self._do("DEL", _name(kind, who))

    async def take(self, what: str, who: str, most: int, window_s: int) -> bool:
        """True for the first ``most`` times in a window."""
        return int(await self._do("EVAL", _TAKE, 1, _name(what, who), window_s)) <= most

    def _now(self) -> int:
        return int(self._clock.now().timestamp() * 1000)

    async def _do(self, *command: Any) -> Any:
        try:
            return await self._command(*command)
        except (RedisError, OSError):
            raise Unavailable() from None


def _name(kind: str, who: str) -> str:
    """A digest: addresses of people are not left lying in Redis. Of IPv6 the /64, which one person has whole."""
    with suppress(ValueError):
        ip = ipaddress.ip_address(who)
        if ip.version == 6:
            who = str(ipaddress.ip_network((ip, 64), strict=False))
    return f"identity:guard:{kind}:{hashlib.sha256(who.encode()).hexdigest()[:32]}"
