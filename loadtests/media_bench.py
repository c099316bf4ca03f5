"""What forwarding costs: our media worker and Debian's Janus under the same synthetic calls, alternating.

    python -m loadtests.media_bench                                # both loads, without and with 1 % loss
    python -m loadtests.media_bench --calls 24 --seconds 5 --runs 1 --loss 0
    python -m loadtests.media_bench --simulcast --loss 0           # cameras send three encodings each
    python -m loadtests.media_bench --joins 200                    # does memory grow?
    python -m loadtests.media_bench --saturate                     # calls a core carries

Everything happens in a network namespace of its own, on an address of a virtual interface: packets cross the
kernel's loopback path, and nothing outside can be reached. (Janus gathers no candidate on ``lo`` itself.)
Needs root or user namespaces, ``unshare``, ``ip`` and a C compiler.

Each run starts its server fresh, lets the same peers make the same calls over loopback, and reads the
kernel's accounting of the server's process over a steady interval. The server has a core of its own. How to
read the tables, and figures measured: docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from loadtests import janus, media_cores, media_figures, media_growth, media_native, media_saturation
from loadtests.media_figures import Result
from loadtests.media_peers import ENCODINGS
from loadtests.media_runs import ADDRESS, Place, measure

LOSS = 0.01
INSIDE = "MEDIA_BENCH_INSIDE"  # set where the namespace has been entered
SHAPES = ((24, 2), (3, 5))


async def compare(options: argparse.Namespace, place: Place, names: list[str], say: Callable[[str], None]) -> None:
    """Alternating runs of each load; a table for each loss."""
    shapes = SHAPES if options.calls is None else ((options.calls, options.people),)
    losses = (0.0, LOSS) if options.loss is None else (options.loss,)
    seeds = itertools.count(1, 10)
    results: list[Result] = []
    for loss in losses:
        here: list[Result] = []
        for calls, people in shapes:
            for _ in range(options.runs):
                for name in names:
                    result = await measure(place, name, calls, people, options.seconds, loss, next(seeds))
                    here.append(result)
                    print(json.dumps(asdict(result)), file=sys.stderr, flush=True)
        load = " ".join(f"{value:.1f}" for value in os.getloadavg())
        encodings = "three encodings of each camera; " if place.rids else ""
        say(f"\n{encodings}{loss:.0%} loss on both legs; {options.seconds:g} s a run; load of the machine {load}\n")
        say(media_figures.table(here))
        results += here
    say("\nEvery connection took AEAD_AES_128_GCM. Agreed:\n")
    say(media_figures.agreed(results))


def enter_namespace(module: str = "loadtests.media_bench") -> None:
    """Start this program again where the address is; the second time, make it."""
    if os.environ.get(INSIDE) is None:
        user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        program = [sys.executable, "-m", module, *sys.argv[1:]]
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


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, help="default: both 24 × 2 and 3 × 5")
    parser.add_argument("--people", type=int, default=2, help="of each call, with --calls")
    parser.add_argument("--seconds", type=float, default=8.0, help="the steady interval")
    parser.add_argument("--runs", type=int, default=3, help="of each server, alternating")
    parser.add_argument("--only", choices=("bedside", "janus"))
    parser.add_argument("--path", choices=("native", "python"), help="of our worker: BEDSIDE_MEDIA_PATH")
    parser.add_argument("--loss", type=float, help="of each leg, as 0.01; default: a table without and one with 1 %%")
    parser.add_argument("--simulcast", action="store_true", help="cameras send three encodings; the best is wanted")
    parser.add_argument("--joins", type=int, help="measure growth over so many joins and leaves instead")
    parser.add_argument("--saturate", action="store_true", help="look for the calls a core carries instead")
    parser.add_argument("--janus-event-loops", type=int, default=0, help="0: a thread for each connection, its default")
    return parser.parse_args()


async def run(options: argparse.Namespace, place: Place) -> None:
    names = ["bedside", "janus"] if options.only is None else [options.only]
    if "janus" in names and not janus.installed():
        raise SystemExit(f"media_bench: {janus.BINARY} is not installed; run with --only bedside")

    def say(text: str) -> None:
        print(text, flush=True)

    if options.joins is not None:
        say(await media_growth.growth(place, names, options.joins))
    elif options.saturate:
        say(await media_saturation.saturate(place, names, options.people))
    else:
        await compare(options, place, names, say)


def main() -> None:
    options = arguments()
    enter_namespace()
    cores = media_cores.split()
    raised = media_cores.raise_priority()
    os.sched_setaffinity(0, cores.peers)
    print(f"{cores}; priority {'raised' if raised else 'as usual'}, of both", flush=True)
    with tempfile.TemporaryDirectory(prefix="bench-peers-") as folder:
        try:
            library = media_native.build(Path(folder))
        except media_native.NoCompilerError as error:
            raise SystemExit(f"media_bench: {error}") from None
        rids = tuple(ENCODINGS) if options.simulcast else ()
        place = Place(cores, library, options.path, options.janus_event_loops, rids=rids)
        asyncio.run(run(options, place))


if __name__ == "__main__":
    main()
