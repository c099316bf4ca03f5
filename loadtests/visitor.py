"""One person in a visit, without a browser: the signaling contract and, if wanted, real media."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import socketio

from loadtests.peer import Caller

NAMESPACE = "/consultation"
CALL_TIMEOUT_S = 10.0


class RefusedError(Exception):
    """The server acknowledged with an error."""

    def __init__(self, event: str, code: str, message: str) -> None:
        super().__init__(f"{event}: {code}: {message}")
        self.code = code


class Visitor:
    """Connects with a visit token, resumes by itself after a lost connection, keeps the events it got in order."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._token = token
        self._resume_token: str | None = None
        self._events: list[tuple[str, dict[str, Any]]] = []
        self._news = asyncio.Condition()
        self._work: set[asyncio.Task[None]] = set()
        self._client = socketio.AsyncClient(reconnection_delay=0.2, reconnection_delay_max=0.5, randomization_factor=0)
        self._client.on("*", self._on_event, namespace=NAMESPACE)
        self.caller: Caller | None = None
        self._publishes = False
        self._video = True
        self.generation = 0
        self.seq = 0
        self.snapshot: dict[str, Any] = {}

    async def connect(self) -> None:
        """Return once ``session.ready`` has come."""
        await self._client.connect(
            self._url, namespaces=[NAMESPACE], auth=self._authentication, transports=["websocket"], wait_timeout=10
        )
        await self.until(lambda event, _: event == "session.ready")

    def _authentication(self) -> dict[str, Any]:
        if self._resume_token is None:
            return {"token": self._token}
        return {"resume_token": self._resume_token, "last_seq": self.seq}

    async def _on_event(self, event: str, payload: dict[str, Any]) -> None:
        if event == "session.ready":
            self._resume_token = payload["resume_token"]
            self.snapshot = payload["snapshot"]
            self.generation = self.snapshot["generation"]
            self.seq = max(self.seq, payload["seq"]) if not payload["replayed"] else self.seq
        elif "seq" in payload:
            self.seq = payload["seq"]
        if event == "media.offer" and self.caller is not None:
            self.generation = payload["generation"]
            self._in_background(self.caller.on_offer(payload))
        if event == "media.reset" and self.caller is not None:
            self.generation = payload["generation"]
            old, self.caller = self.caller, self._make_caller()
            self._in_background(self._start_again(old))
        async with self._news:
            self._events.append((event, payload))
            self._news.notify_all()

    def _in_background(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def call(self, event: str, **data: Any) -> dict[str, Any]:
        """Send and wait for the acknowledgement. Raises RefusedError with its code."""
        answer = await self._client.call(event, data, namespace=NAMESPACE, timeout=CALL_TIMEOUT_S)
        if not answer["ok"]:
            raise RefusedError(event, answer["error"]["code"], answer["error"]["message"])
        return dict(answer)

    async def until(
        self, wanted: Callable[[str, dict[str, Any]], bool], timeout_s: float = 15.0
    ) -> tuple[str, dict[str, Any]]:
        """The first event, past or coming, for which ``wanted(name, payload)``. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s), self._news:
            while True:
                for event, payload in self._events:
                    if wanted(event, payload):
                        return event, payload
                await self._news.wait()

    def count(self, event: str) -> int:
        """How many events of this name have come."""
        return sum(1 for name, _ in self._events if name == event)

    async def join(self, *, media: bool = False, video: bool = True) -> None:
        """Enter the call; with ``media`` publish a microphone and a camera and take what the others send."""
        if media:
            # Ready before asking: the first offer may overtake the acknowledgement.
            self.caller = self._make_caller()
        answer = await self.call("call.join")
        self.generation = answer["generation"]
        if self.caller is not None:
            self._video = video
            self._publishes = True
            await self.caller.start(video=video)

    def _make_caller(self) -> Caller:
        async def publish(sdp: str, tracks: list[dict[str, str]]) -> str:
            answer = await self.call("media.publish", generation=self.generation, sdp=sdp, tracks=tracks)
            return str(answer["sdp"])

        async def answer(negotiation: int, sdp: str) -> None:
            await self.call("media.answer", generation=self.generation, negotiation=negotiation, sdp=sdp)

        return Caller(publish, answer)

    async def _start_again(self, old: Caller) -> None:
        await old.close()
        if self._publishes and self.caller is not None:
            await self.caller.start(video=self._video)

    async def close(self) -> None:
        """Leave as a closed browser does."""
        for task in tuple(self._work):
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        if self.caller is not None:
            await self.caller.close()
        await self._client.disconnect()
