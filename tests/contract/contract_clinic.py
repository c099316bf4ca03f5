"""One running demonstration, and people who talk to it over HTTP and Socket.IO."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import socketio
from server_process import Demonstration

from core.migrations import ROOT

API = "/api/v1"
# Every code that is written down, in backticks, in the protocol.
DOCUMENTED = frozenset(re.findall(r"`([a-z_]+)`", (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")))
SOCKET_EVENTS_PER_SECOND = 300
# Bounds that these tests would run into; how limits work has tests of its own.
LIMITS = {
    "BEDSIDE_LIMITS_PER_ADDRESS_PER_MINUTE": "1000000",
    "BEDSIDE_LIMITS_PER_PERSON_PER_MINUTE": "1000000",
    "BEDSIDE_LIMITS_LOGIN_PER_ADDRESS_PER_MINUTE": "1000000",
    "BEDSIDE_LIMITS_WRONG_PER_ADDRESS": "1000000",
    "BEDSIDE_LIMITS_LOGIN_PER_ACCOUNT_PER_MINUTE": "1000000",
    "BEDSIDE_LIMITS_SOCKET_EVENTS_PER_SECOND": str(SOCKET_EVENTS_PER_SECOND),
}
# What the server's log says when something happened that nobody expected.
OUR_FAULT = ("unexpected failure", "event_failed", "connect_failed", "disconnect_failed", "Traceback")
PEOPLE = {
    "patient": "patient@demo.bedside",
    "other": "khady.gueye@demo.bedside",
    "doctor": "doctor@demo.bedside",
    "desk": "desk@demo.bedside",
    "admin": "admin@demo.bedside",
}


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    content_type: str
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.raw)

    @property
    def code(self) -> str | None:
        """The problem's code; None when it is no problem document."""
        return str(self.json["code"]) if self.content_type == "application/problem+json" else None


@dataclass
class Clinic:
    """``visit`` is the open visit of patient and doctor; ``others`` is a visit of somebody else with somebody else."""

    demo: Demonstration
    session: aiohttp.ClientSession
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    visit: str = ""
    log_seen: int = 0

    async def begin(self) -> None:
        for name, email in PEOPLE.items():
            self.headers[name] = await self.demo.sign_in(self.session, email)
            self.ids[name] = (await self.ask("GET", "/me", name)).json["id"]
        for each in (await self.ask("GET", "/appointments?limit=100&date=today", "patient")).json["items"]:
            if (await self.ask("GET", f"/appointments/{each['id']}/video-token", "patient")).status == 200:
                self.visit = each["id"]
        assert self.visit, "the demonstration has an open visit"

    async def ask(self, method: str, path: str, who: str | None = None, **more: Any) -> Reply:
        """One call; whatever goes wrong has to be a documented problem, and never our fault."""
        headers = {**(self.headers[who] if who else {}), **more.pop("headers", {})}
        address = path if path.startswith(("/api/", "/metrics", "/health")) else API + path
        async with self.session.request(method, address, headers=headers, **more) as answer:
            reply = Reply(answer.status, answer.content_type, await answer.read())
            what = f"{method} {path} as {who}: {reply.status} {reply.raw[:300]!r}"
            assert reply.status < 500, what
            if reply.status >= 400:
                assert reply.content_type == "application/problem+json", what
                document = reply.json
                assert {"type", "title", "status", "code", "detail", "request_id"} <= document.keys(), what
                assert document["status"] == reply.status, what
                assert document["code"] in DOCUMENTED, what
                assert document["request_id"] == answer.headers["X-Request-Id"], what
            return reply

    async def token(self, who: str, kind: str) -> str:
        """A token of another kind than access: ``visit``, ``probe`` or ``practice``."""
        method, path = {
            "visit": ("GET", f"/appointments/{self.visit}/video-token"),
            "probe": ("POST", f"/appointments/{self.visit}/probe-token"),
            "practice": ("POST", "/practice/token"),
        }[kind]
        reply = await self.ask(method, path, who)
        assert reply.status == 200, reply
        return str(reply.json["token"])

    @asynccontextmanager
    async def connected(self, namespace: str, token: str) -> AsyncIterator[Line]:
        client = socketio.AsyncClient(reconnection=False)
        await client.connect(
            self.demo.url, namespaces=[namespace], auth={"token": token}, transports=["websocket"], wait_timeout=10
        )
        line = Line(client, namespace)
        try:
            if namespace == "/consultation":
                # A connection of an earlier test may still be on its way out.
                await line.call("seat.take_over", {})
            yield line
        finally:
            await client.disconnect()

    async def refused(self, namespace: str, auth: Any) -> str:
        """The code of a refused connection."""
        client, refusals = socketio.AsyncClient(reconnection=False), []
        client.on("connect_error", refusals.append, namespace=namespace)
        try:
            await client.connect(
                self.demo.url, namespaces=[namespace], auth=auth, transports=["websocket"], wait_timeout=10
            )
        except socketio.exceptions.ConnectionError:
            await client.disconnect()
            return str(refusals[0]["message"] if isinstance(refusals[0], dict) else refusals[0])
        await client.disconnect()
        raise AssertionError(f"{namespace} let {auth!r} in")

    def server_log(self) -> str:
        return (self.demo.data_dir / "logs" / "server.log").read_text(encoding="utf-8", errors="replace")

    async def is_well(self) -> None:
        """The process answers, is ready, and had no unexpected failure since this was asked last."""
        assert await self.demo.ready()
        log, seen = self.server_log(), self.log_seen
        self.log_seen = len(log)
        bad = [line for line in log[seen:].splitlines() if any(word in line for word in OUR_FAULT)]
        assert bad == [], "\n".join(bad[:5])


@dataclass
class Line:
    """One Socket.IO connection."""

    client: Any
    namespace: str

    async def call(self, event: str, payload: Any = None) -> dict[str, Any]:
        """The acknowledgement; too many at once are sent again, since the limit is no subject here."""
        async with asyncio.timeout(30):
            while True:
                answer = await self.client.call(event, payload, namespace=self.namespace, timeout=15)
                assert isinstance(answer, dict), (event, answer)
                if answer.get("ok") or answer["error"]["code"] != "too_many_requests":
                    return dict(answer)
                await asyncio.sleep(0.1)

    async def ok(self, event: str, payload: Any = None) -> dict[str, Any]:
        answer = await self.call(event, payload)
        assert answer["ok"], (event, answer)
        return answer

    async def code(self, event: str, payload: Any = None) -> str:
        """The code of a refusal, which is documented."""
        answer = await self.call(event, payload)
        assert not answer["ok"], (event, payload, answer)
        code = str(answer["error"]["code"])
        assert code in DOCUMENTED, (event, code)
        assert code != "internal", (event, payload)
        return code
