"""Gathering: what many callers ask at the same moment is asked once, for all of them.

A round trip, and a commit above all, costs nearly the same for one row as for ten. Under load this makes the work of
a call fall as calls grow; a call that comes alone is never held.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

# How soon after one batch the next may begin: what comes in between gathers.
EVERY_S = 0.01
# More in one batch would make the first of them wait for the last.
AT_MOST = 64
# A batch that has to wait (for a lock, say) does not hold up those behind it.
AT_ONCE = 4


class Gathering(Generic[K, V]):
    """``run`` gets one or more questions and answers each, in their order, by a value or an exception.

    What ``run`` raises itself, all of its callers get.
    """

    def __init__(
        self,
        run: Callable[[Sequence[K]], Awaitable[Sequence[V | Exception]]],
        *,
        every_s: float = EVERY_S,
        at_most: int = AT_MOST,
        at_once: int = AT_ONCE,
    ) -> None:
        self._run = run
        self._every_s, self._at_most, self._at_once = every_s, at_most, at_once
        self._waiting: list[tuple[K, asyncio.Future[V]]] = []
        self._running: set[asyncio.Task[None]] = set()
        self._timer: asyncio.Handle | None = None
        self._next_at = float("-inf")

    async def ask(self, question: K) -> V:
        """The answer to this question. Whoever asks may go; what was begun is finished all the same."""
        answer: asyncio.Future[V] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, answer))
        self._arrange()
        return await answer

    def _arrange(self) -> None:
        if not self._waiting or self._timer is not None or len(self._running) >= self._at_once:
            return
        loop = asyncio.get_running_loop()
        # A context of its own: a batch belongs to no single request. Even at once, others of this turn may join.
        self._timer = loop.call_at(max(self._next_at, loop.time()), self._begin, context=contextvars.Context())

    def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        self._next_at = loop.time() + self._every_s
        batch, self._waiting = self._waiting[: self._at_most], self._waiting[self._at_most :]
        task = loop.create_task(self._answer(batch), name="gathered")
        self._running.add(task)
        task.add_done_callback(self._ended)
        self._arrange()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._arrange()

    async def _answer(self, batch: list[tuple[K, asyncio.Future[V]]]) -> None:
        try:
            answers = await self._run([question for question, _ in batch])
        except Exception as error:
            answers = [error] * len(batch)
        except BaseException:
            for _, answer in batch:
                answer.cancel()
            raise
        for (_, answer), found in zip(batch, answers, strict=True):
            if answer.done():  # whoever asked has gone
                continue
            if isinstance(found, Exception):
                answer.set_exception(found)
            else:
                answer.set_result(found)
