"""Calls of one moment made as one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from core.gathering import Gathering


class Asked:
    """Doubles numbers; keeps the batches. Odd ones are refused."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self, questions: Sequence[int]) -> Sequence[int | Exception]:
        self.batches.append(list(questions))
        await self.open.wait()
        if 13 in questions:
            raise LookupError("13")
        return [ValueError(each) if each % 2 else each * 2 for each in questions]


async def test_calls_of_one_moment_share_a_batch_and_each_gets_its_own_answer() -> None:
    asked = Asked()
    gathering = Gathering(asked)
    answers = await asyncio.gather(*(gathering.ask(each) for each in (2, 3, 4)), return_exceptions=True)
    assert asked.batches == [[2, 3, 4]]
    assert [answers[0], answers[2]] == [4, 8]
    assert isinstance(answers[1], ValueError)


async def test_what_comes_meanwhile_gathers_within_the_limits() -> None:
    asked = Asked()
    gathering = Gathering(asked, every_s=0, at_most=3, at_once=1)
    asked.open.clear()
    first = asyncio.create_task(gathering.ask(0))
    while not asked.batches:
        await asyncio.sleep(0)
    others = [asyncio.create_task(gathering.ask(each)) for each in (2, 4, 6, 8)]
    for _ in range(20):
        await asyncio.sleep(0)
    assert asked.batches == [[0]]
    asked.open.set()
    assert [await first, *(await asyncio.gather(*others))] == [0, 4, 8, 12, 16]
    assert asked.batches == [[0], [2, 4, 6], [8]]


async def test_a_batch_that_fails_fails_for_its_callers_alone() -> None:
    gathering = Gathering(Asked(), every_s=0)
    with pytest.raises(LookupError):
        await asyncio.gather(gathering.ask(2), gathering.ask(13))
    assert await gathering.ask(2) == 4


async def test_whoever_goes_away_changes_nothing_for_the_others() -> None:
    asked = Asked()
    gathering = Gathering(asked)
    asked.open.clear()
    gone, stays = asyncio.create_task(gathering.ask(2)), asyncio.create_task(gathering.ask(4))
    while not asked.batches:
        await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    asked.open.set()
    assert await stays == 8
    assert asked.batches == [[2, 4]]
