"""Socket.IO for locust's users: the synchronous client, since gevent and asyncio don't mix.

An event is measured from sending to its acknowledgement; ``emit`` alone would measure nothing. An acknowledgement
with ``ok: false`` is a failure of its row.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import gevent
import socketio
from gevent.event import Event
from locust.exception import RescheduleTask

NAMESPACE = "/consultation"
TIMEOUT_S = 15.0
Hears = Callable[[str, dict[str, Any]], None]


class RefusedError(Exception):
    """The server acknowledged with an error; the message begins with its code."""


class MissingEventError(Exception):
    """What should have come has not come."""


@contextmanager
def measured(request_event: Any, kind: str, row: str) -> Iterator[None]:
    """Time what is inside as a request of locust's; when it fails the row has the failure and the task ends."""
    with request_event.measure(kind, row) as request:
        yield
    if request["exception"] is not None:
        raise RescheduleTask(row) from request["exception"]


class VisitSocket:
    """One person's connection to a visit. ``hears(event, payload)`` gets every event in order."""

    def __init__(self, request_event: Any, url: str, token: str, hears: Hears | None = None) -> None:
        self._request_event = request_event
        self._url = url
        self._token = token
        self._hears = hears
        self._resume_token = ""
        self._seq = 0
        self._ready = Event()
        self._client: Any = None
        self.snapshot: dict[str, Any] = {}
        self.gaps = 0
        """Events whose number was not the next one: lost, doubled or out of order."""

    def connect(self) -> None:
        """Come with the visit token; measured until ``session.ready``."""
        self._open("connect", {"token": self._token})

    def resume(self) -> None:
        """Cut the connection and come back to the seat; measured until ``session.ready``."""
        self.close()
        self._open("connect again (resume)", {"resume_token": self._resume_token, "last_seq": self._seq})

    def _open(self, row: str, authentication: dict[str, Any]) -> None:
        client = socketio.Client(reconnection=False, handle_sigint=False)
        client.on("*", self._on_event, namespace=NAMESPACE)
        self._ready.clear()
        with measured(self._request_event, "WS", row):
            client.connect(
                self._url,
                namespaces=[NAMESPACE],
                auth=authentication,
                transports=["websocket"],
                wait_timeout=TIMEOUT_S,
            )
            if not self._ready.wait(TIMEOUT_S):
                raise MissingEventError("session.ready has not come")
        self._client = client

    def _on_event(self, event: str, payload: dict[str, Any]) -> None:
        if event == "session.ready":
            self._resume_token = payload["resume_token"]
            self._seq = payload["seq"]
            self.snapshot = payload["snapshot"]
            self._ready.set()
        elif event == "session.snapshot":
            self._seq = payload["seq"]
            self.snapshot = payload["snapshot"]
        elif "seq" in payload:
            if payload["seq"] != self._seq + 1:
                self.gaps += 1
                self.failure("order of events", f"{event} has another number than the next one")
            self._seq = payload["seq"]
        if self._hears is not None:
            self._hears(event, payload)

    def call(self, event: str, **data: Any) -> dict[str, Any]:
        """Send and wait for the acknowledgement. Ends the task when it is refused."""
        with measured(self._request_event, "WS", event):
            answer = self._client.call(event, data, namespace=NAMESPACE, timeout=TIMEOUT_S)
            if not answer["ok"]:
                raise RefusedError(f"{answer['error']['code']}: {answer['error']['message']}")
        return dict(answer)

    def event(self, row: str, since: float) -> None:
        """Count something that came from the server, by the time since ``since`` (``time.perf_counter``)."""
        self._fire(row, (time.perf_counter() - since) * 1000, None)

    def failure(self, row: str, why: str) -> None:
        """Count something that did not come, or came wrong."""
        self._fire(row, 0.0, MissingEventError(why))

    def _fire(self, row: str, milliseconds: float, exception: Exception | None) -> None:
        self._request_event.fire(
            request_type="EVENT",
            name=row,
            response_time=milliseconds,
            response_length=0,
            exception=exception,
            context={},
        )

    def close(self) -> None:
        """As a closed browser does."""
        if self._client is not None:
            # In a greenlet of its own: while it closes, websocket-client swallows every exception, and with it the
            # one by which locust ends a user, who would then go on for ever.
            gevent.spawn(self._client.disconnect).join()
