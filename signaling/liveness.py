"""Which media workers are alive: those that answer. A stopped process keeps its connections and its registration for
a while, so neither says enough; a question over the control channel does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from core.clock import Clock
from core.rpc import RpcRefused, RpcUnavailable
from signaling.media_client import MediaClients, WorkerKey
from signaling.placement import Worker

SILENT_S = 1.4  # asked twice a second, so somebody who falls silent is noticed within two seconds
PATIENCE_S = 0.3  # one look waits this long for answers,
FIRST_PATIENCE_S = 1.0  # and this long for somebody new, whose channel has to be opened
STALL_S = 1.0  # a longer pause between two looks was ours: nobody could be heard


class Liveness:
    def __init__(self, clients: MediaClients, clock: Clock) -> None:
        self._clients = clients
        self._clock = clock
        self._heard: dict[WorkerKey, float] = {}
        self._asking: dict[WorkerKey, asyncio.Task[bool]] = {}
        self._looked = clock.monotonic()

    async def ask(self, workers: Iterable[Worker]) -> set[WorkerKey]:
        """Those who answered lately. Who can't be connected to is out at once, who is silent after ``SILENT_S``."""
        known = {worker.key: worker for worker in workers}
        self._forgive_own_stall()
        for key in self._heard.keys() - known.keys():
            del self._heard[key]
        for key in [key for key, task in self._asking.items() if key not in known and task.done()]:
            del self._asking[key]
        for key, worker in known.items():
            if key not in self._asking:
                self._asking[key] = asyncio.create_task(self._answers(worker))
        asked = {key: self._asking[key] for key in known}
        new = [task for key, task in asked.items() if key not in self._heard]
        if asked:
            await asyncio.wait(asked.values(), timeout=PATIENCE_S)
        if new:
            await asyncio.wait(new, timeout=FIRST_PATIENCE_S - PATIENCE_S)
        now = self._clock.monotonic()
        for key, task in asked.items():
            if task.done():
                if self._asking.get(key) is task:
                    del self._asking[key]
                if task.result():
                    self._heard[key] = now
                else:
                    self._heard.pop(key, None)
        return {key for key in known if now - self._heard.get(key, -SILENT_S) < SILENT_S}

    async def _answers(self, worker: Worker) -> bool:
        """True unless the channel is broken and can't be opened anew. Slow is not broken: the caller counts time."""
        for _ in range(2):
            try:
                await self._clients.call(worker.key, worker.host, worker.port, "ping", {})
                return True
            except RpcRefused:
                return True  # it answered
            except RpcUnavailable:
                if self._clients.connected(worker.key):
                    return False  # no answer in the channel's whole patience
        return False

    def _forgive_own_stall(self) -> None:
        now = self._clock.monotonic()
        pause, self._looked = now - self._looked, now
        if pause > STALL_S:
            self._heard = {key: heard + pause for key, heard in self._heard.items()}
