"""What forwarding costs: our media worker and Debian's Janus under the same synthetic calls, alternating.

    python -m loadtests.media_bench
    python -m loadtests.media_bench --calls 24 --people 2 --seconds 10 --runs 3 --only bedside

Everything happens in a network namespace of its own, on an address of a virtual interface: packets cross the
kernel's loopback path, and nothing outside can be reached. (Janus gathers no candidate on ``lo`` itself.)
Needs root or user namespaces, ``unshare`` and ``ip``.

Each run starts its server fresh, lets the same peers make the same calls over loopback, and reads the
kernel's accounting of the server's process over a steady interval. How to read the tables, and figures
measured: docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from array import array
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

from loadtests import janus, media_process
from loadtests.media_servers import BedsideServer, JanusServer, MediaServer, cpu_seconds, resident_bytes

ADDRESS = "10.255.0.1"
WARM_UP_S = 2.0  # first key frames, MIDs acknowledged, estimates settled
MENDING_S = 0.6  # what was lost at the end of the interval may still be mended
AHEAD_S = 0.3  # for every process to hear of the interval before it begins
CONNECT_TIMEOUT_S = 30.0
LOSS = 0.01
INSIDE = "MEDIA_BENCH_INSIDE"  # set where the namespace has been entered
SHAPES = ((24, 2), (3, 5))


class PeerProcess:
    """A process of peers and the pipe to it."""

    def __init__(self, loss: float, seed: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe: Pipe
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=media_process.run, args=(theirs, ADDRESS, loss, seed), daemon=True)
        self._process.start()
        theirs.close()
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        asyncio.get_running_loop().add_reader(self._pipe.fileno(), self._readable)

    async def ask(self, method: str, *arguments: Any) -> Any:
        """A request and its answer; a process that died answers with EOFError."""
        number = next(self._numbers)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        self._pipe.send((method, number, *arguments))
        return await future

    def _readable(self) -> None:
        try:
            number, answer = self._pipe.recv()
        except (EOFError, OSError):
            asyncio.get_running_loop().remove_reader(self._pipe.fileno())
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(EOFError("a process of peers died"))
            return
        self._waiting.pop(number).set_result(answer)

    async def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pipe.fileno())
        self._pipe.close()
        if self._process.is_alive():
            self._process.terminate()
        await asyncio.to_thread(self._process.join, 5)


class Crowd:
    """Everybody of a run, spread over processes so that a call's people are not all in one."""

    def __init__(self, processes: int, loss: float, seed: int) -> None:
        self._processes = [PeerProcess(loss, seed + index) for index in range(processes)]

    def _of(self, person: int) -> PeerProcess:
        return self._processes[person % len(self._processes)]

    async def offer(self, person: int, receivers: int) -> str:
        return str(await self._of(person).ask("offer", person, receivers))

    async def answered(self, person: int, sdp: str) -> None:
        await self._of(person).ask("answered", person, sdp)

    async def answer(self, person: int, sdp: str) -> str:
        return str(await self._of(person).ask("answer", person, sdp))

    async def all(self, method: str, *arguments: Any) -> list[Any]:
        return await asyncio.gather(*(process.ask(method, *arguments) for process in self._processes))

    async def connected(self, links: int) -> None:
        """Wait until that many connections have keys."""
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            while sum(await self.all("connected")) < links:
                await asyncio.sleep(0.05)

    async def close(self) -> None:
        for process in self._processes:
            await process.close()


@dataclass
class Result:
    """One run."""

    server: str
    calls: int
    people: int
    network_loss: float
    cpu_us: float  # of the server, per packet it sent
    core_share: float  # of one core, in the interval
    packets_in_s: float
    packets_out_s: float
    loss: float  # of what was published, not received in the end
    p50_ms: float
    p99_ms: float
    memory_kb: float  # per participant
    setup_ms: float  # server CPU per participant
    lateness_p99_ms: float  # of the peers' own timers
    retransmitted: int
    feedback: int


def _percentile(values: array[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 if ordered else float("nan")


def _joined(results: list[dict[str, Any]], name: str) -> array[float]:
    joined = array("f")
    for result in results:
        joined.frombytes(result[name])
    return joined


async def measure(server: MediaServer, calls: int, people: int, seconds: float, loss: float, seed: int) -> Result:
    """One run against a fresh server."""
    crowd = Crowd(max(1, min(2, os.cpu_count() or 1)), loss, seed)
    try:
        await server.start()
        idle_memory, idle_cpu = resident_bytes(server.pid), cpu_seconds(server.pid)
        for call in range(calls):
            await server.call(crowd, list(range(call * people, (call + 1) * people)))
        await server.settled()
        await crowd.connected(2 * calls * people)
        setup = cpu_seconds(server.pid) - idle_cpu
        await crowd.all("media")
        await asyncio.sleep(WARM_UP_S)
        begin = time.time() + AHEAD_S
        end = begin + seconds
        await crowd.all("measure", begin, end)
        await asyncio.sleep(begin - time.time())
        before = cpu_seconds(server.pid)
        await asyncio.sleep(end - time.time())
        spent = cpu_seconds(server.pid) - before
        memory = resident_bytes(server.pid) - idle_memory
        await asyncio.sleep(MENDING_S)
        counts = await crowd.all("stop")
    finally:
        await crowd.close()
        await server.stop()
    sums = {key: sum(one[key] for one in counts) for key in counts[0] if isinstance(counts[0][key], int)}
    latencies = _joined(counts, "latencies")
    participants = calls * people
    return Result(
        server.name,
        calls,
        people,
        loss,
        cpu_us=spent * 1e6 / max(1, sums["datagrams"]),
        core_share=spent / seconds,
        packets_in_s=sums["sent"] / seconds,
        packets_out_s=sums["datagrams"] / seconds,
        loss=1 - sums["received"] / max(1, sums["expected"]),
        p50_ms=_percentile(latencies, 0.5),
        p99_ms=_percentile(latencies, 0.99),
        memory_kb=memory / 1024 / participants,
        setup_ms=setup * 1000 / participants,
        lateness_p99_ms=_percentile(_joined(counts, "lateness"), 0.99),
        retransmitted=sums["retransmitted"],
        feedback=sums["feedback"],
    )


def _server(name: str, folder: Path, event_loops: int) -> MediaServer:
    return BedsideServer(folder, ADDRESS) if name == "bedside" else JanusServer(folder, ADDRESS, event_loops)


COLUMNS = (
    ("CPU µs/packet", "cpu_us", "{:.1f}"),
    ("packets out/s", "packets_out_s", "{:.0f}"),
    ("lost", "loss", "{:.3%}"),
    ("p50 ms", "p50_ms", "{:.2f}"),
    ("p99 ms", "p99_ms", "{:.2f}"),
    ("KB/person", "memory_kb", "{:.0f}"),
    ("set-up ms/person", "setup_ms", "{:.1f}"),
    ("peers late p99 ms", "lateness_p99_ms", "{:.1f}"),
)


def table(results: list[Result]) -> str:
    """Medians, and the range of the cost; then the ratio."""
    lines = ["| load | server | " + " | ".join(title for title, _, _ in COLUMNS) + " | range of CPU | ÷ Janus |"]
    lines.append("|" + "---|" * (len(COLUMNS) + 4))
    shapes = dict.fromkeys((one.calls, one.people) for one in results)
    for calls, people in shapes:
        here = [one for one in results if (one.calls, one.people) == (calls, people)]
        costs = {
            name: statistics.median(one.cpu_us for one in here if one.server == name)
            for name in dict.fromkeys(one.server for one in here)
        }
        for name, cost in costs.items():
            runs = [one for one in here if one.server == name]
            cells = [form.format(statistics.median(getattr(one, field) for one in runs)) for _, field, form in COLUMNS]
            span = f"{min(one.cpu_us for one in runs):.1f}–{max(one.cpu_us for one in runs):.1f}, {len(runs)} runs"
            ratio = f"{cost / costs['janus']:.2f}" if "janus" in costs and name != "janus" else ""
            lines.append(f"| {calls} × {people} | {name} | {' | '.join(cells)} | {span} | {ratio} |")
    return "\n".join(lines)


async def compare(options: argparse.Namespace) -> None:
    names = ["bedside", "janus"] if options.only is None else [options.only]
    if "janus" in names and not janus.installed():
        raise SystemExit(f"media_bench: {janus.BINARY} is not installed; run with --only bedside")
    shapes = SHAPES if options.calls is None else ((options.calls, options.people),)
    losses = (0.0, LOSS) if options.loss is None else (options.loss,)
    seeds = itertools.count(1, 10)
    for loss in losses:
        results: list[Result] = []
        for calls, people in shapes:
            for _ in range(options.runs):
                for name in names:
                    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
                        server = _server(name, Path(folder), options.janus_event_loops)
                        result = await measure(server, calls, people, options.seconds, loss, next(seeds))
                    results.append(result)
                    print(json.dumps(asdict(result)), file=sys.stderr, flush=True)
        load = " ".join(f"{value:.1f}" for value in os.getloadavg())
        print(f"\n{loss:.0%} loss on both legs; {options.seconds:g} s a run; load of the machine {load}\n")
        print(table(results), flush=True)


def enter_namespace() -> None:
    """Start this program again where the address is; the second time, make it."""
    if os.environ.get(INSIDE) is None:
        user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        program = [sys.executable, "-m", "loadtests.media_bench", *sys.argv[1:]]
        os.execvpe("unshare", ["unshare", "--net", *user, *program], os.environ | {INSIDE: "1"})
    for command in (
        "link set lo up",
        "link add media0 type veth peer name media1",  # its other end carries nothing: it makes the first run
        "link set media0 addrgenmode none",
        "link set media1 addrgenmode none",
        f"address add {ADDRESS}/32 dev media0",
        "link set media0 up",
        "link set media1 up",
    ):
        subprocess.run(["ip", *command.split()], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, help="default: both 24 × 2 and 3 × 5")
    parser.add_argument("--people", type=int, default=2, help="of each call, with --calls")
    parser.add_argument("--seconds", type=float, default=10.0, help="the steady interval")
    parser.add_argument("--runs", type=int, default=3, help="of each server, alternating")
    parser.add_argument("--only", choices=("bedside", "janus"))
    parser.add_argument("--loss", type=float, help="of each leg, as 0.01; default: a table without and one with 1 %%")
    parser.add_argument("--janus-event-loops", type=int, default=0, help="0: a thread for each connection, its default")
    options = parser.parse_args()
    enter_namespace()
    asyncio.run(compare(options))


if __name__ == "__main__":
    main()
