"""Waiting rooms, chat, resume and a rolling restart under load: ``python -m loadtests.waiting_room [part …]``.

Two signaling processes, PostgreSQL, Valkey and the people share the machine. Parts: ``many`` (250 practitioners, 20
people waiting for each), ``one`` (1,000 in one queue), ``chat`` (200 visits), ``resume``, ``restart`` (100 visits, both
processes restarted in turn), ``failures``. A figure is from the act (a click, a word sent, the network's
return) to what the other person gets.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import resource
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import asyncpg
import uvloop

from core.ids import uuid7
from loadtests.live_line import RefusedError
from loadtests.practice_house import House
from loadtests.waiting_crowd import Crowd, Lateness, Person, Times, together
from server.serving import open_context

PARTS = ("many", "one", "chat", "resume", "restart", "failures")


async def visits(house: House, practitioners: list[UUID], patients: list[UUID]) -> list[tuple[UUID, UUID, UUID]]:
    """(visit, practitioner, patient): one for each patient, about now, in turn among the practitioners."""
    now = datetime.now(UTC)
    made = [(uuid7(), practitioners[n % len(practitioners)], patient) for n, patient in enumerate(patients)]
    connection = await asyncpg.connect(house.postgres.url)
    try:
        await connection.executemany(
            "INSERT INTO scheduling.appointments (id, practitioner_id, patient_id, kind, specialty, starts_at, "
            "ends_at, blocked_from, blocked_until, time_zone, local_date, fee_minor, currency, booked_role, overlap, "
            "created_at, updated_at) VALUES ($1, $2, $3, 'drop_in', 'general-practice', $4, $5, $4, $5, 'UTC', $6, "
            "5000, 'XOF', 'system', true, $4, $4)",
            [(*each, now, now + timedelta(minutes=30), now.date()) for each in made],
        )
    finally:
        await connection.close()
    return made


def memory_kb(pids: Iterable[int]) -> int:
    """Resident memory, each process' share of what they have in common."""
    total = 0
    for pid in pids:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        total += int(next(line for line in rollup.splitlines() if line.startswith("Pss:")).split()[1])
    return total


async def waiting(name: str, house: House, crowd: Crowd, practitioners: int, each: int, admissions: int) -> None:
    """Fill the rooms, then let people in at a steady rate, spread over the practitioners."""
    doctors = house.practitioners[:practitioners]
    planned = await visits(house, doctors, house.patients[: practitioners * each])
    before = memory_kb(house.pids[:2])
    began = time.perf_counter()

    async def arrive(number: int, visit: UUID, patient: UUID) -> Person:
        person = await crowd.person(visit, patient, "patient", house.ports[number % 2])
        await person.line.call("waiting.enter")
        return person

    people = await together(arrive(n, visit, patient) for n, (visit, _, patient) in enumerate(planned))
    print(f"{name}: {len(people)} people came in {time.perf_counter() - began:.1f} s")
    await asyncio.sleep(12)
    used = memory_kb(house.pids[:2]) - before
    print(f"{name}: server memory {used / len(people):.0f} KB for each person who waits")
    practices = dict(
        zip(
            doctors,
            await together(crowd.practice(d, house.ports[(n + 1) % 2]) for n, d in enumerate(doctors)),
            strict=True,
        )
    )
    await asyncio.sleep(3)
    for person in people:
        person.told_at.clear()
    cpu = house.cpu_s()
    admitted = Times(f"{name}: admission seen by the patient")
    chosen = list(zip(planned, people, strict=True))
    if practitioners > 1:
        random.Random(1).shuffle(chosen)
    began = time.perf_counter()
    acts = []
    for number, ((visit, doctor, patient), person) in enumerate(chosen[:admissions]):
        await asyncio.sleep(max(0.0, began + number * 0.25 - time.perf_counter()))
        person.waiting_for["call.admitted"] = (time.perf_counter(), admitted)
        target = {"appointment_id": str(visit), "participant_id": str(patient)}
        acts.append(asyncio.create_task(practices[doctor].call("waiting.admit", target)))
    await asyncio.gather(*acts)
    await asyncio.sleep(3)
    took = time.perf_counter() - began
    print(admitted.line())
    spacing = [b - a for person in people for a, b in zip(person.told_at, person.told_at[1:], strict=False)]
    told = sum(len(person.told_at) for person in people)
    print(
        f"{name}: {told} places told in {took:.0f} s, to nobody twice within "
        f"{min(spacing, default=0):.2f} s; numbers out of order: {sum(p.line.out_of_order for p in people)}"
    )
    spent = house.cpu_s()
    print(f"{name}: processor time, s: " + ", ".join(f"{k} {spent[k] - cpu.get(k, 0):.1f}" for k in spent))
    await together(line.close() for line in (*practices.values(), *(person.line for person in people)))


async def settled(house: House) -> None:
    """Everything that came of the arrivals has been written and told."""
    async with asyncio.timeout(120):
        while (await house.outstanding())[0]:
            await asyncio.sleep(0.5)
    await asyncio.sleep(2)


async def meeting(house: House, crowd: Crowd, count: int, first: int) -> list[tuple[Person, Person]]:
    """So many visits with both people in the call; there is no media server, so they write."""
    doctors = house.practitioners[:count]
    planned = await visits(house, doctors, house.patients[first : first + count])

    async def meet(number: int, visit: UUID, doctor: UUID, patient: UUID) -> tuple[Person, Person]:
        one = await crowd.person(visit, patient, "patient", house.ports[number % 2])
        await one.line.call("waiting.enter")
        practice = await crowd.practice(doctor, house.ports[(number + 1) % 2])
        await practice.call("waiting.admit", {"appointment_id": str(visit), "participant_id": str(patient)})
        await practice.close()
        await one.line.call("call.join")
        other = await crowd.person(visit, doctor, "practitioner", house.ports[(number + 1) % 2])
        await other.line.call("call.join")
        return one, other

    return await together((meet(n, *each) for n, each in enumerate(planned)), 12)


async def write(sender: Person, receiver: Person, text: str, times: Times) -> None:
    """One message; sent again under its number until it is acknowledged, as a browser does."""
    receiver.waiting_for[text] = (time.perf_counter(), times)
    while True:
        try:
            await sender.line.call("chat.send", {"client_id": text, "text": text, "audience": "all"})
            return
        except (OSError, TimeoutError, aiohttp.ClientError, RefusedError):
            await asyncio.sleep(0.1)


async def chat(
    house: House, crowd: Crowd, pairs: list[tuple[Person, Person]], seconds: float = 45.0, every_s: float = 10.0
) -> None:
    """A message in each visit every ``every_s``, at random moments.

    As if all visits went on in writing: a message of seven words takes ten seconds to type at 40 words a minute, and
    of the two one writes while the other reads. Visits with sound write far less. Whoever gets a message says that it
    has come, as pages do.
    """
    times = Times("chat: delivered")
    draw = random.Random(2)
    acts = []
    for person in (each for pair in pairs for each in pair):
        person.marks = True
    print(f"chat: {len(pairs)} visits are on", flush=True)
    cpu = house.cpu_s()
    began = time.perf_counter()
    due = sorted(
        (draw.uniform(0, seconds), draw.random() < 0.5, n)
        for n in range(len(pairs))
        for _ in range(round(seconds / every_s))
    )
    async with Lateness() as late:
        for number, (at, turned, pair) in enumerate(due):
            await asyncio.sleep(max(0.0, began + at - time.perf_counter()))
            sender, receiver = pairs[pair] if turned else pairs[pair][::-1]
            acts.append(asyncio.create_task(write(sender, receiver, f"m{number}", times)))
        await asyncio.gather(*acts)
    took = time.perf_counter() - began
    await asyncio.sleep(2)
    print(times.line())
    print(
        f"chat: {len(due)} sent in {len(pairs)} visits, {len(due) / took:.1f} a second; "
        f"{len(due) - len(times.values)} not delivered"
    )
    print(late.times.line())
    spent = house.cpu_s()
    print("chat: processor time, s: " + ", ".join(f"{k} {spent[k] - cpu.get(k, 0):.1f}" for k in spent))


async def resume(house: House, crowd: Crowd, pairs: list[tuple[Person, Person]]) -> None:
    """Connections are cut without a word; each comes back after a while, to the other process."""
    times = Times("resume: after the network is back")
    draw = random.Random(3)

    async def away(person: Person) -> None:
        await asyncio.sleep(draw.uniform(0, 10))
        await person.line.cut()
        await asyncio.sleep(draw.uniform(0.5, 3))
        since = time.perf_counter()
        await crowd.resume(person, (house.ports[1 - house.ports.index(person.port)],))
        times.add(since)

    people = [person for pair in pairs for person in pair]
    await asyncio.gather(*(away(person) for person in people))
    print(times.line())


async def restart(house: House, crowd: Crowd, pairs: list[tuple[Person, Person]]) -> None:
    """Both signaling processes are ended and started in turn while everybody goes on writing."""
    away, back = Times("restart: without a connection"), Times("restart: chat delivered, over the restart too")
    over = asyncio.Event()
    sent: dict[int, list[tuple[str, str]]] = defaultdict(list)

    async def stay(person: Person) -> None:
        while not over.is_set():
            await asyncio.wait(
                [asyncio.create_task(person.line.closed.wait()), asyncio.create_task(over.wait())],
                return_when=asyncio.FIRST_COMPLETED,
            )
            if over.is_set():
                return
            since = time.perf_counter()
            other = house.ports[1 - house.ports.index(person.port)]
            while True:
                try:
                    await crowd.resume(person, (other, person.port))
                    break
                except (ConnectionError, TimeoutError):
                    await asyncio.sleep(0.2)
            away.add(since)

    async def talk(number: int, pair: tuple[Person, Person]) -> None:
        turn = 0
        while not over.is_set():
            sender, receiver = pair if turn % 2 else pair[::-1]
            text = f"r{number}-{turn}"
            sent[number].append((receiver.role, text))
            await write(sender, receiver, text, back)
            turn += 1
            await asyncio.sleep(1.0)

    for person in (each for pair in pairs for each in pair):
        person.texts.clear()
        person.events.clear()
    staying = [asyncio.create_task(stay(person)) for pair in pairs for person in pair]
    talking = [asyncio.create_task(talk(number, pair)) for number, pair in enumerate(pairs)]
    await asyncio.sleep(3)
    for number in (0, 1):
        house._processes[number].send_signal(signal.SIGTERM)
        await asyncio.to_thread(house.start_again, number)
        await house._ready(house.ports[number])
        await asyncio.sleep(5)
    over.set()
    await asyncio.gather(*talking, *staying)
    await asyncio.sleep(2)
    print(away.line())
    print(back.line())
    lost = doubled = disordered = ended = 0
    for number, pair in enumerate(pairs):
        for person in pair:
            expected = [text for role, text in sent[number] if role == person.role]
            lost += len(set(expected) - set(person.texts))
            doubled += len(person.texts) - len(set(person.texts))
            disordered += [t for t in person.texts if t in expected] != expected
            ended += person.events["call.ended"]
    left = sum(1 for pair in pairs for person in pair if person.line.closed.is_set())
    print(
        f"restart: {len(pairs)} visits, {ended} ended, {left} people not back; messages lost {lost}, "
        f"doubled {doubled}, people with messages out of order {disordered}"
    )


async def failures(house: House, crowd: Crowd) -> None:
    """What the other person sees of a lost connection, and how soon; in ten visits each."""

    def seeing(pair: tuple[Person, Person], what: str, times: Times) -> None:
        pair[1].waiting_for[what] = (time.perf_counter(), times)

    def hearing(pair: tuple[Person, Person]) -> None:
        """The practitioner's view of the patient becomes an event of its own name."""
        plain = pair[1].hears

        def hears(event: str, payload: dict[str, Any]) -> None:
            plain(event, payload)
            if event == "call.participant":
                state = "left" if payload["change"] == "left" else payload["participant"]["state"]
                plain(f"sees {state}", payload)

        pair[1].line._hears = hears

    closed, back = Times("closed: others see reconnecting"), Times("closed, then back: others see connected")
    silent, left = Times("silent: others see reconnecting"), Times("silent: others see left")
    killed, again = Times("process killed: person is back"), Times("process killed: the next message is delivered")
    pairs = await meeting(house, crowd, 10, 0)
    for pair in pairs:
        hearing(pair)
        seeing(pair, "sees reconnecting", closed)
        await pair[0].line.cut()
    await asyncio.sleep(3)
    for pair in pairs:
        seeing(pair, "sees connected", back)
        await crowd.resume(pair[0], (pair[0].port,))
    await asyncio.sleep(2)
    for pair in pairs:
        pair[0].line.silent = True
        seeing(pair, "sees reconnecting", silent)
        seeing(pair, "sees left", left)
    await asyncio.sleep(80)
    others = await meeting(house, crowd, 10, 10)
    before = [person for pair in others for person in pair if person.port == house.ports[0]]
    since = time.perf_counter()
    house._processes[0].send_signal(signal.SIGKILL)

    async def return_(person: Person) -> None:
        await person.line.closed.wait()
        await crowd.resume(person, (house.ports[1],))
        killed.add(since)

    await asyncio.gather(*(return_(person) for person in before))
    for number, pair in enumerate(others):
        await write(*pair, f"after-{number}", again)
    await asyncio.sleep(1)
    await asyncio.to_thread(house.start_again, 0)
    await house._ready(house.ports[0])
    for times in (closed, back, silent, left, killed, again):
        print(times.line())


async def main(parts: list[str]) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    most = 5000 if "many" in parts else 1000 if "one" in parts else 400
    async with House(250, most, api=2, workers=1) as house, open_context(house.settings) as context:
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        async with aiohttp.ClientSession(connector=connector) as session:
            crowd = Crowd(house, context, session)
            try:
                await play(parts, house, crowd)
            except Exception:
                for log in (house.folder / "logs").glob("*.log"):
                    print(log.name, *log.read_text(errors="replace").splitlines()[-20:], sep="\n  ")
                raise


async def play(parts: list[str], house: House, crowd: Crowd) -> None:
    """The parts, one after another."""
    if "many" in parts:
        await waiting("many", house, crowd, 250, 20, 240)
    if "one" in parts:
        await waiting("one", house, crowd, 1, 1000, 120)
    if {"chat", "resume"} & set(parts):
        pairs = await meeting(house, crowd, 200, 0)
        await settled(house)
        if "chat" in parts:
            await chat(house, crowd, pairs)
        if "resume" in parts:
            await resume(house, crowd, pairs)
        await together(person.line.close() for pair in pairs for person in pair)
    if "restart" in parts:
        await restart(house, crowd, await meeting(house, crowd, 100, 200))
    if "failures" in parts:
        await failures(house, crowd)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="all, unless named")
    chosen = parser.parse_args().parts or list(PARTS)
    uvloop.install()
    sys.exit(asyncio.run(main(chosen)))
