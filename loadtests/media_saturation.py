"""How many calls one core carries, and what happens at half as many again: the operator's numbers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from loadtests.media_crowd import Crowd
from loadtests.media_figures import Result
from loadtests.media_runs import WARM_UP_S, Place, interval
from loadtests.media_servers import MediaServer

FIRST = 16  # calls
STEP = 8
SECONDS = 3.0  # of each step
TRIES = 3
MOST = 400  # calls: as many as a worker takes people, halved
P99_MS = 10.0
LOSS = 0.001
OVERLOAD = 1.5
OVERLOAD_S = 6.0


@dataclass
class Ramp:
    """What one server did."""

    server: str
    carried: Result | None = None  # the last step within the limits
    broke: Result | None = None
    over: Result | None = None

    @property
    def reason(self) -> str:
        broke = self.broke
        if broke is None:
            return "not reached"
        if broke.faults:
            return "the peers gave out: " + "; ".join(broke.faults)
        return f"p99 {broke.p99_ms:.0f} ms, lost {broke.loss:.2%} at {broke.calls}"


def within(result: Result) -> bool:
    """Whether a step is one that callers would not notice."""
    return result.p99_ms <= P99_MS and result.loss <= LOSS and not result.faults


async def saturate(place: Place, names: list[str], people: int) -> str:
    """A table of what each server carried on its core, and one of the overload."""
    ramps = [await _ramp(place, name, people) for name in names]
    lines = [
        f"Calls of {people} on one core until p99 > {P99_MS:g} ms or loss > {LOSS:.1%}, in steps of {STEP}.\n",
        "| server | calls a core | packets out/s | CPU µs/packet | of the core | p50 ms | p99 ms | what ended it |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for ramp in ramps:
        good = ramp.carried
        figures = "less than the first step | | | | | "
        if good is not None:
            figures = (
                f"{good.calls} | {good.packets_out_s:.0f} | {good.cpu_us:.1f} | {good.core_share:.0%} "
                f"| {good.p50_ms:.1f} | {good.p99_ms:.1f}"
            )
        lines.append(f"| {ramp.server} | {figures} | {ramp.reason} |")
    lines += [
        f"\nAt {OVERLOAD:.0%} of that:\n",
        "| server | calls | packets in/s | packets out/s | lost | sound lost | p50 ms | p99 ms | of the core | peers |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for ramp in ramps:
        over = ramp.over
        if over is not None:
            lines.append(
                f"| {over.server} | {over.calls} | {over.packets_in_s:.0f} | {over.packets_out_s:.0f} "
                f"| {over.loss:.1%} | {over.sound_loss:.1%} | {over.p50_ms:.0f} | {over.p99_ms:.0f} "
                f"| {over.core_share:.0%} | {'; '.join(over.faults) or 'valid'} |"
            )
    return "\n".join(lines)


async def _ramp(place: Place, name: str, people: int) -> Ramp:
    ramp = Ramp(name)
    async with place.run(name, 0.0, 1) as (server, crowd):
        calls = 0
        while calls < MOST:
            calls = await _add(server, crowd, calls, FIRST if calls == 0 else STEP, people)
            for _ in range(TRIES):  # a moment's disturbance is not saturation
                result = await interval(server, crowd, calls, people, SECONDS, 0.0)
                if within(result):
                    break
            if not within(result):
                ramp.broke = result
                break
            ramp.carried = result
        base = ramp.carried.calls if ramp.carried is not None else FIRST
        wanted = round(base * OVERLOAD)
        if wanted > calls:
            calls = await _add(server, crowd, calls, wanted - calls, people)
        ramp.over = await interval(server, crowd, calls, people, OVERLOAD_S, 0.0)
    return ramp


async def _add(server: MediaServer, crowd: Crowd, calls: int, more: int, people: int) -> int:
    """That many more calls, with media."""
    for call in range(calls, calls + more):
        await server.call(crowd, list(range(call * people, (call + 1) * people)))
    await server.settled()
    await crowd.connected(2 * (calls + more) * people)
    await crowd.all("media")
    await asyncio.sleep(WARM_UP_S)
    return calls + more
