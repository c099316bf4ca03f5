"""Compile the native path: ``python -m media.path.build``. Standard library only.

The result lies beside the sources under a name that holds their hash: other sources, another library.
Without a C compiler there is none, and the worker takes the path in Python.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCES = Path(__file__).resolve().parent.parent / "native"
FOLDER = SOURCES / "build"
FLAGS = ("-O2", "-std=c11", "-ffp-contract=off", "-fstack-protector-strong", "-D_FORTIFY_SOURCE=2", "-fPIC", "-shared")
COMPILERS = ("cc", "gcc", "clang")


class CannotBuild(Exception):
    """One line that says why."""


def library() -> Path:
    """Where the library of these sources is, or would be."""
    total = hashlib.sha256(" ".join(FLAGS).encode())
    for path in sorted([*SOURCES.glob("*.c"), *SOURCES.glob("*.h")]):
        total.update(path.name.encode() + b"\0" + path.read_bytes())
    return FOLDER / f"path-{total.hexdigest()[:16]}-{platform.machine()}.so"


def build() -> Path:
    """Compile if it is not there yet. Raises CannotBuild."""
    target = library()
    if target.exists():
        return target
    compiler = os.environ.get("CC") or next((name for name in COMPILERS if shutil.which(name)), None)
    if compiler is None:
        raise CannotBuild("there is no C compiler")
    FOLDER.mkdir(exist_ok=True)
    sources = [str(path) for path in sorted(SOURCES.glob("*.c"))]
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        made = Path(folder) / target.name
        try:
            done = subprocess.run(  # noqa: S603  (our own sources, the machine's compiler)
                [compiler, *FLAGS, "-o", str(made), *sources, "-lm"], capture_output=True, text=True, timeout=120
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise CannotBuild(f"{compiler}: {error}") from None
        if done.returncode:
            said = (done.stderr.strip() or "no word").splitlines()
            raise CannotBuild(f"{compiler} failed: {said[0]}")
        made.replace(target)  # whole or not at all
    for old in FOLDER.glob("path-*.so"):
        if old != target:
            old.unlink(missing_ok=True)
    return target


def main() -> int:
    try:
        print(build())  # noqa: T201  (the program's own words to its user)
    except (CannotBuild, OSError) as error:
        print(f"native media path: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
