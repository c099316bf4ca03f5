"""One fuzz target for a while, in this process:

    python -m tests.fuzz.run packet --seconds 60                    # atheris, guided by coverage
    python -m tests.fuzz.run packet --executions 5000 --plain       # repeatable, needs nothing but Python
    python -m tests.fuzz.run worker --plain --path native --library path-asan.so
    python -m tests.fuzz.run packet --repeat finding.bin

The last line on stdout says in JSON what was done. A finding is written to ``--findings`` and ends the
process with an exit code other than 0.
"""

from __future__ import annotations

import argparse
import asyncio
import faulthandler
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path


def native_from(library: Path) -> None:
    """Let the worker load this build of the native path."""
    from media.path import native_library

    native_library.library = lambda: library  # type: ignore[assignment]  # another build of the same sources


def target(name: str, path: str) -> Callable[[bytes], None]:
    """The function of bytes. The whole worker runs on a loop of its own."""
    if name != "worker":
        from tests.fuzz.targets import TARGETS

        return TARGETS[name]
    from tests.fuzz import worker

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)

    def run(data: bytes) -> None:
        loop.run_until_complete(worker.run(data, path))

    return run


def plain(name: str, run: Callable[[bytes], None], options: argparse.Namespace) -> int:
    """Seeds and changes to them: the number of executions."""
    from tests.fuzz.mutation import inputs

    last = options.findings / f"last-{name}-{options.path}"
    end = time.monotonic() + options.seconds if options.executions is None else float("inf")
    count = 0
    for data in inputs(name, options.number):
        if count == options.executions or time.monotonic() > end:
            break
        if options.library is not None:
            last.write_bytes(data)  # a crash of native code leaves no other trace
        try:
            run(data)
        except Exception:
            (options.findings / f"finding-{name}-{count}").write_bytes(data)
            raise
        count += 1
    last.unlink(missing_ok=True)
    return count


def guided(name: str, options: argparse.Namespace) -> None:
    """Under atheris; does not return: libFuzzer ends the process, with 0 when there was no finding."""
    import atheris

    with atheris.instrument_imports(include=["media"]):
        import media.codecs
        import media.control
        import media.rtp.red
        import media.rtp.twcc
        import media.sdp  # noqa: F401  (instrumented here, used by the targets)
    run = target(name, options.path)
    from tests.fuzz.mutation import seeds

    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        for index, seed in enumerate(seeds()[name]):
            Path(folder, str(index)).write_bytes(seed)
        options.findings.mkdir(parents=True, exist_ok=True)
        arguments = [sys.argv[0], folder, f"-max_total_time={int(options.seconds)}", "-print_final_stats=1"]
        arguments += [
            "-max_len=20000" if name == "description" else "-max_len=6000" if name == "worker" else "-max_len=1500"
        ]
        # A hang, not a busy machine: the slowest input takes about 2 s.
        arguments += [f"-artifact_prefix={options.findings}/finding-{name}-", "-timeout=60", "-rss_limit_mb=2048"]
        atheris.Setup(arguments, run, enable_python_coverage=True)
        atheris.Fuzz()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--executions", type=int, help="instead of a time")
    parser.add_argument("--plain", action="store_true", help="without atheris")
    parser.add_argument("--number", type=int, default=0, help="of the plain driver's changes")
    parser.add_argument("--path", choices=("python", "native"), default="python")
    parser.add_argument("--library", type=Path, help="a build of the native path")
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"))
    parser.add_argument("--repeat", type=Path, help="run this input alone")
    options = parser.parse_args()
    faulthandler.enable()
    if options.library is not None:
        native_from(options.library.resolve())
    if options.repeat is not None:
        target(options.target, options.path)(options.repeat.read_bytes())
    elif options.plain:
        options.findings.mkdir(parents=True, exist_ok=True)
        begin = time.monotonic()
        count = plain(options.target, target(options.target, options.path), options)
        print(json.dumps({"executions": count, "seconds": round(time.monotonic() - begin, 1)}))
    else:
        guided(options.target, options)


if __name__ == "__main__":
    main()
