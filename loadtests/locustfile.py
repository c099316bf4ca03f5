"""Who uses the server at the same time: patients who book, people who wait, pairs who chat, one call with media.

``--visits`` names a file with visits made by ``bedside loadtest provision`` (``loadtests/run.py`` makes it); the
numbers of waiting people and of pairs are those of the file, all other users book.
"""

from __future__ import annotations

import json
import random
import sys
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import gevent
from gevent import subprocess
from gevent.event import Event
from locust import FastHttpUser, User, between, constant, events, task
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment

from loadtests.line import Line
from loadtests.sockets import VisitSocket, measured

ROOT = Path(__file__).resolve().parent.parent
API = "/api/v1"
# Access tokens live ten minutes.
SIGN_IN_AGAIN_S = 300.0
KEPT_APPOINTMENTS = 3
DELIVERED_WITHIN_S = 10.0


class Visits:
    """The provisioned visits, each given out once."""

    def __init__(self) -> None:
        self.waiting: list[tuple[str, Line]] = []
        self.pairs: list[list[str]] = []
        self.call: dict[str, Any] = {}

    def read(self, file: Path) -> None:
        """Take the visits of a file: ``{"waiting": [call…], "pairs": [call…], "media": [call]}``."""
        found = json.loads(file.read_text(encoding="utf-8"))
        for visit in found["waiting"]:
            line = Line()
            people = [each for each in visit["participants"] if each["role"] != "practitioner"]
            self.waiting += [(each["token"], line) for each in people]
        self.pairs = [[each["token"] for each in visit["participants"]] for visit in found["pairs"]]
        self.call = found["media"][0]


visits = Visits()


def _arguments(parser: LocustArgumentParser) -> None:
    parser.add_argument("--visits", default="", help="File with the provisioned visits")
    parser.add_argument("--call-seconds", type=float, default=20.0, help="Length of each call with media")


def _begin(environment: Environment, **_: Any) -> None:
    options = environment.parsed_options
    assert options is not None
    if not options.visits:
        raise SystemExit("--visits is needed: see loadtests/run.py")
    visits.read(Path(options.visits))
    WaitingPerson.fixed_count = len(visits.waiting)
    ChattingPair.fixed_count = len(visits.pairs)


hooks: Any = events  # its methods carry no types
hooks.init_command_line_parser.add_listener(_arguments)
hooks.init.add_listener(_begin)


class BookingPatient(FastHttpUser):
    """Registers, signs in, looks for a practitioner, books, looks at the appointments, cancels older ones."""

    wait_time = between(1, 3)
    network_timeout = 20.0
    connection_timeout = 10.0

    def on_start(self) -> None:
        self._mine: list[str] = []
        self._provider = ""
        self._email = f"load-{uuid4().hex}@load.invalid"
        self._password = uuid4().hex
        self._headers: dict[str, str] = {}
        self._post("/auth/register", {"email": self._email, "password": self._password, "name": "Load Patient"})
        self._sign_in()

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        with self.client.post(API + path, json=body, headers=self._headers, name=f"POST {path}") as answer:
            return dict(answer.json()) if answer.status_code < 400 else {}

    def _get(self, path: str, row: str, **query: str) -> dict[str, Any]:
        with self.client.get(API + path, params=query, headers=self._headers, name=f"GET {row}") as answer:
            return dict(answer.json()) if answer.status_code < 400 else {}

    def _sign_in(self) -> None:
        self._headers = {}
        signed_in = self._post("/auth/login", {"email": self._email, "password": self._password})
        self._headers = {"Authorization": f"Bearer {signed_in.get('access_token', '')}"}
        self._signed_in_at = time.monotonic()

    @task(1)
    def sign_in_again(self) -> None:
        self._sign_in()

    @task(4)
    def look_around(self) -> None:
        specialties = self._get("/specialties", "/specialties").get("items", [])
        if specialties:
            chosen = random.choice(specialties)["code"]
            self._choose(self._get("/providers", "/providers?specialty", specialty=chosen))

    @task(8)
    def book(self) -> None:
        if time.monotonic() - self._signed_in_at > SIGN_IN_AGAIN_S:
            self._sign_in()
        if not self._provider:
            self._choose(self._get("/providers", "/providers"))
        day = (date.today() + timedelta(days=random.randint(1, 4))).isoformat()  # noqa: DTZ011 - any day will do
        path = "/appointments/available"
        free = self._get(path, path, practitioner_id=self._provider, date=day).get("items", [])
        if free:
            # Everybody wants one of the first times of the day and thinks it over, so that some come too late.
            gevent.sleep(random.uniform(0.3, 1.5))
            self._book(random.choice(free[:2])["start"])

    def _choose(self, providers: dict[str, Any]) -> None:
        if providers.get("items"):
            # Some practitioners are better known than others.
            self._provider = random.choice(providers["items"][:2])["id"]

    def _book(self, start: str) -> None:
        body = {"practitioner_id": self._provider, "start": start, "reason": "Load test"}
        key = uuid4().hex
        booked = self._try_to_book(body, key, "POST /appointments")
        if booked is None:
            return
        if random.random() < 0.2:
            # A client whose answer got lost.
            again = self._try_to_book(body, key, "POST /appointments (the same again)")
            if again is None or again["id"] != booked["id"]:
                self._wrong("POST /appointments (the same again)", "not the same answer")
        self._mine.append(booked["id"])

    def _try_to_book(self, body: dict[str, Any], key: str, row: str) -> dict[str, Any] | None:
        headers = {**self._headers, "Idempotency-Key": key}
        with self.client.post(
            f"{API}/appointments", json=body, headers=headers, name=row, catch_response=True
        ) as answer:
            if answer.status_code == 409 and answer.json()["code"] == "slot_taken":
                answer.request_meta["name"] = "POST /appointments: 409 slot_taken"
                answer.success()
                return None
            return dict(answer.json()) if answer.status_code == 201 else None

    @task(4)
    def look_at_mine(self) -> None:
        listed = {each["id"] for each in self._get("/appointments", "/appointments", limit="100").get("items", [])}
        if not listed.issuperset(self._mine):
            self._wrong("GET /appointments", "an appointment that was booked is missing")
        if self._mine:
            self._get(f"/appointments/{random.choice(self._mine)}", "/appointments/{id}")

    @task(2)
    def cancel_an_older_one(self) -> None:
        if len(self._mine) > KEPT_APPOINTMENTS:
            path = f"{API}/appointments/{self._mine.pop(0)}"
            self.client.delete(path, headers=self._headers, name="DELETE /appointments/{id}")

    @task(2)
    def read_notices_and_invoices(self) -> None:
        self._get("/notifications", "/notifications")
        self._get("/billing/invoices", "/billing/invoices")

    def _wrong(self, row: str, why: str) -> None:
        self.environment.events.request.fire(
            request_type="CHECK",
            name=row,
            response_time=0,
            response_length=0,
            exception=AssertionError(why),
            context={},
        )


class WaitingPerson(User):
    """Comes to the waiting room, is told the place whenever somebody before leaves, goes and comes back."""

    wait_time = between(2, 6)

    def on_start(self) -> None:
        token, self._line = visits.waiting.pop()
        self._name = uuid4().hex
        self._socket = VisitSocket(self.environment.events.request, str(self.host), token, self._hears)
        self._socket.connect()
        self._enter()

    def on_stop(self) -> None:
        self._line.leaves(self._name, time.perf_counter())
        self._socket.close()

    def _hears(self, event: str, payload: dict[str, Any]) -> None:
        if event == "waiting.updated":
            since = self._line.told(self._name, payload["position"])
            if since is not None:
                self._socket.event("waiting.updated", since)

    def _enter(self) -> None:
        self._line.entered(self._name, self._socket.call("waiting.enter")["position"])

    @task(6)
    def wait_on(self) -> None:
        if self._line.overdue(self._name, time.perf_counter()):
            self._socket.failure("waiting.updated", "a place was not told in time")

    @task(2)
    def leave_and_come_back(self) -> None:
        self._line.leaves(self._name, time.perf_counter())
        self._socket.call("waiting.leave")
        gevent.sleep(random.uniform(0.5, 3))
        self._enter()

    @task(1)
    def lose_the_connection(self) -> None:
        self._socket.resume()


class ChattingPair(User):
    """Practitioner and patient of one visit, in the call: messages are measured until the other side has them."""

    wait_time = between(0.5, 2)

    def on_start(self) -> None:
        self._awaited: dict[str, tuple[float, Event]] = {}
        request = self.environment.events.request
        self._sides = [VisitSocket(request, str(self.host), token, self._hears) for token in visits.pairs.pop()]
        for side in self._sides:
            side.connect()
        for side in self._sides:
            side.call("call.join")

    def on_stop(self) -> None:
        for side in self._sides:
            side.call("call.leave")
            side.close()

    def _hears(self, event: str, payload: dict[str, Any]) -> None:
        if event == "chat.message":
            sent, delivered = self._awaited.pop(payload["message"]["client_id"])
            self._sides[0].event("chat.message (sent to delivered)", sent)
            delivered.set()

    @task(10)
    def write(self) -> None:
        client_id = uuid4().hex
        delivered = Event()
        self._awaited[client_id] = (time.perf_counter(), delivered)
        side = random.choice(self._sides)
        side.call("chat.send", client_id=client_id, text="How are you today?", audience="all")
        if not delivered.wait(DELIVERED_WITHIN_S):
            side.failure("chat.message (sent to delivered)", "a message has not arrived")

    @task(2)
    def read_back(self) -> None:
        random.choice(self._sides).call("chat.history")

    @task(1)
    def raise_the_hand(self) -> None:
        side = random.choice(self._sides)
        for raised in (True, False):
            side.call("call.hand", raised=raised)

    @task(1)
    def lose_the_connection(self) -> None:
        random.choice(self._sides).resume()


class Call(User):
    """One call with sound and pictures at a time, in a process of its own: its client needs asyncio."""

    fixed_count = 1
    wait_time = constant(1)

    @task
    def talk(self) -> None:
        options = self.environment.parsed_options
        assert options is not None
        with measured(self.environment.events.request, "MEDIA", f"call of {options.call_seconds:.0f} s"):
            outcome = self._run(options.call_seconds)
        self.environment.events.request.fire(
            request_type="MEDIA",
            name="sound and picture at both (from joining)",
            response_time=outcome["first_ms"],
            response_length=sum(each["packets_received"] for each in outcome["people"]),
            exception=None,
            context={},
        )

    def _run(self, seconds: float) -> dict[str, Any]:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "loadtests.call", "--seconds", str(seconds)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        people = json.dumps({"url": str(self.host), "participants": visits.call["participants"]})
        out, err = self._process.communicate(people.encode(), timeout=seconds + 60)
        if not out:
            raise AssertionError(err.decode(errors="replace").strip().splitlines()[-1])
        outcome: dict[str, Any] = json.loads(out)
        if outcome["problem"]:
            raise AssertionError(outcome["problem"])
        return outcome

    def on_stop(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait()
