"""Networks of a laboratory: hosts in network namespaces, joined by one router that can be told to do harm.

    with Laboratory() as lab:
        server, patient = lab.host("server"), lab.host("patient")
        lab.lose(patient, 5)              # % of the UDP packets on its way, each direction by itself
        lab.limit(patient, "1mbit")       # its rate, each direction
        lab.rule(patient, "udp dport 1-65535", "drop")   # anything nft can say about what passes the router
        server.run("python", "-m", "server", "demo")     # a process there; ``entered()`` takes this one along
        server.socket()                   # a socket there, for a client in this process

Every host has a link of its own to the router, so each harm hits one leg. ``nat=True`` puts a gateway with
address translation before the host. ``move`` gives a host another address while its programs run, as a phone
gets one that leaves the Wi-Fi. Nothing in a laboratory can reach the machine's own network, nor the other way.

Needs root, ``ip`` (iproute2), ``nft`` (nftables), for ``limit`` ``tc``, and for ``delay`` the TUN device:
a process of ours holds the packets of that leg (``loadtests.delay``), for not every kernel has netem.
"""

from __future__ import annotations

import contextlib
import ctypes
import ipaddress
import os
import secrets
import shlex
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from loadtests.delay import Delay, tun

CLONE_NEWNET = 0x40000000
ROOT = Path(__file__).resolve().parents[1]
NAMESPACES = Path("/run/netns")
BURST = "6k"  # what tc adds to the queue below: more would be a deep one at a low rate
QUEUE = "200ms"  # what a limited link keeps before it drops: an ordinary home router's
TABLE = "inet laboratory"
UDP = "meta l4proto udp"


class LaboratoryError(Exception):
    """It cannot be built here: what is missing, in one line; or a tool's own words."""


def missing() -> str | None:
    """Why there can be no laboratory on this machine; None when there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    lacking = [name for name in ("ip", "nft", "tc") if _tool(name) is None]
    return f"not installed: {', '.join(lacking)} (packages iproute2 and nftables)" if lacking else None


def _tool(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _run(*command: str, given: str | None = None) -> str:
    path = _tool(command[0])
    if path is None:
        raise LaboratoryError(f"{command[0]} is not installed")
    done = subprocess.run([path, *command[1:]], input=given, capture_output=True, text=True)
    if done.returncode:
        raise LaboratoryError(f"`{' '.join(command)}`: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def _enter(namespace: Path) -> None:
    """Take this thread to another network; threads and processes that it starts follow."""
    with namespace.open() as opened:
        _set_namespace(opened.fileno())


def _set_namespace(descriptor: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


@dataclass
class Host:
    """A machine of the laboratory. ``address`` is what the others see unless it sits behind a NAT."""

    name: str
    namespace: str
    address: str
    device: str  # its own end of the link
    port: str  # the router's end: the leg's name in rules
    gateway: str | None = None  # the NAT's namespace
    moves: int = 0
    names: Path | None = None
    """A file that stands in the place of /etc/hosts there."""

    @property
    def prefix(self) -> list[str]:
        """Put before a command, it runs there."""
        there = [str(_tool("ip")), "netns", "exec", self.namespace]
        if self.names is not None:  # `ip netns exec` gives each command mounts of its own
            there += ["sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', str(self.names)]
        return there

    def run(self, *command: str, **how: object) -> subprocess.Popen[bytes]:
        """Start a process there."""
        return subprocess.Popen([*self.prefix, *command], **how)  # type: ignore[call-overload, no-any-return]  # Popen's own keywords, passed through

    def wrapper(self, program: str, folder: Path) -> Path:
        """A script that runs ``program`` there, for callers that take only a path."""
        script = folder / f"{self.name}-{Path(program).name}"
        command = shlex.join([*self.prefix, program])
        script.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        script.chmod(0o755)
        return script

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """This whole process is there until the end of the ``with``. From its main thread, before it has others."""
        with Path("/proc/self/ns/net").open() as home:
            _enter(NAMESPACES / self.namespace)
            try:
                yield
            finally:
                _set_namespace(home.fileno())

    def socket(self, family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM, protocol: int = 0) -> socket.socket:
        """A socket of this process that lives in the host's network."""
        made: list[socket.socket] = []
        failed: list[BaseException] = []

        def make() -> None:
            # A thread can leave the process's namespace alone; its sockets stay where they were made.
            try:
                _enter(NAMESPACES / self.namespace)
                made.append(socket.socket(family, kind, protocol))
            except OSError as error:
                failed.append(error)

        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        if failed:
            raise failed[0]
        return made[0]


@dataclass
class Laboratory:
    """The router and its hosts; leaving the ``with`` removes all of it, and ends what still runs there."""

    hosts: dict[str, Host] = field(default_factory=dict)
    _mark: str = field(default_factory=lambda: f"lab{secrets.token_hex(3)}")
    _made: list[str] = field(default_factory=list)
    _subnets: int = 0
    _numbers: int = 0
    _holding: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __enter__(self) -> Self:
        reason = missing()
        if reason is not None:
            raise LaboratoryError(f"no network laboratory here: {reason}")
        self._add(self.router)
        _run("ip", "netns", "exec", self.router, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        self._nft(self.router, f"add table {TABLE}")
        self._nft(self.router, f"add chain {TABLE} pass {{ type filter hook forward priority 0; }}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hosts.clear()
        while self._made:
            self._remove(self._made.pop())
        while self._holding:
            self._end(self._holding.pop())

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        process.wait()

    def _add(self, namespace: str) -> None:
        _run("ip", "netns", "add", namespace)
        self._made.append(namespace)
        self._ip(namespace, "link", "set", "dev", "lo", "up")

    def _remove(self, namespace: str) -> None:
        with contextlib.suppress(LaboratoryError):
            for process in _run("ip", "netns", "pids", namespace).split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(process), 9)
            _run("ip", "netns", "del", namespace)

    @property
    def router(self) -> str:
        return f"{self._mark}-router"

    def _ip(self, namespace: str, *command: str) -> None:
        _run("ip", "-n", namespace, *command)

    def _nft(self, namespace: str, rules: str) -> None:
        _run("ip", "netns", "exec", namespace, str(_tool("nft")), "-f", "-", given=rules + "\n")

    def host(self, name: str, *, nat: bool = False, delay: Delay | None = None, names: Path | None = None) -> Host:
        """Another machine, joined to the router; ``delay`` on its leg, each direction; ``names``: its hosts file."""
        number, self._numbers = self._numbers, self._numbers + 1
        namespace, port = f"{self._mark}-{name}", f"r{number}"
        gateway = f"{namespace}-nat" if nat else None
        outermost = gateway or namespace
        for each in filter(None, (namespace, gateway)):
            self._add(each)
        address = self._join(outermost, "wan", self.router, port, delay)
        if gateway is not None:
            inner = self._join(namespace, "wan", gateway, "lan")
            _run("ip", "netns", "exec", gateway, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
            self._nft(gateway, "add table ip nat")
            self._nft(gateway, "add chain ip nat out { type nat hook postrouting priority 100; }")
            self._nft(gateway, "add rule ip nat out oif wan masquerade random")
            address = inner
        self.hosts[name] = host = Host(name, namespace, address, "wan", port, gateway, names=names)
        return host

    def leave(self, host: Host) -> None:
        """Take a host away, with all that runs there."""
        del self.hosts[host.name]
        for namespace in filter(None, (host.namespace, host.gateway)):
            self._made.remove(namespace)
            self._remove(namespace)

    def _join(self, below: str, device: str, above: str, port: str, delay: Delay | None = None) -> str:
        """A link with a network of its own; the lower end's address."""
        network = self._network()
        if delay is not None:
            ends = [tun(NAMESPACES / namespace, name) for namespace, name in ((below, device), (above, port))]
            words = [*map(str, ends), str(delay.ms), str(delay.jitter_ms), str(delay.reorder)]
            command = [sys.executable, "-m", "loadtests.delay", *words]
            self._holding.append(subprocess.Popen(command, cwd=ROOT, pass_fds=ends))
            for end in ends:
                os.close(end)
            self._address(below, device, above, port, network)
            return str(network[2])
        temporary = f"t{secrets.token_hex(4)}"
        _run("ip", "link", "add", temporary, "netns", below, "type", "veth", "peer", "name", port, "netns", above)
        self._ip(below, "link", "set", "dev", temporary, "name", device)
        self._address(below, device, above, port, network)
        return str(network[2])

    def _network(self) -> ipaddress.IPv4Network:
        self._subnets += 1
        return ipaddress.IPv4Network(f"10.77.{self._subnets}.0/24")

    def _address(self, below: str, device: str, above: str, port: str, network: ipaddress.IPv4Network) -> None:
        self._ip(above, "addr", "add", f"{network[1]}/24", "dev", port)
        self._ip(below, "addr", "add", f"{network[2]}/24", "dev", device)
        self._ip(above, "link", "set", "dev", port, "up")
        self._ip(below, "link", "set", "dev", device, "up")
        self._ip(below, "route", "replace", "default", "via", str(network[1]))

    # Harm

    def rule(self, host: Host, match: str, verdict: str, *, way: str = "both") -> None:
        """An nft rule for what passes between the host and the router; ``way``: ``from`` it, ``to`` it, or both."""
        for direction, word in (("from", "iifname"), ("to", "oifname")):
            if way in (direction, "both"):
                self._nft(self.router, f'add rule {TABLE} pass {word} "{host.port}" {match} {verdict}')

    def lose(self, host: Host, percent: float, *, way: str = "both") -> None:
        """Drop that part of the UDP packets at random, each direction by itself."""
        self.rule(host, f"{UDP} numgen random mod 1000 < {round(percent * 10)}", "counter drop", way=way)

    def heal(self) -> None:
        """Take every rule back."""
        self._nft(self.router, f"flush chain {TABLE} pass")

    def limit(self, host: Host, rate: str, *, way: str = "both") -> None:
        """Limit a host's leg, in tc's words (``500kbit``); ``way``: ``from`` it, ``to`` it, or both."""
        legs = {"to": (self.router, host.port), "from": (host.gateway or host.namespace, host.device)}
        for namespace, device in [leg for direction, leg in legs.items() if way in (direction, "both")]:
            shape = ("tbf", "rate", rate, "burst", BURST, "latency", QUEUE)
            _run("tc", "-n", namespace, "qdisc", "replace", "dev", device, "root", *shape)

    def move(self, host: Host) -> str:
        """Take the host's address away and give it one of another network, as when a phone changes its network.

        Whatever was open to the old address is dead. The new address.
        """
        below = host.gateway or host.namespace
        self._ip(below, "addr", "flush", "dev", host.device)
        self._ip(self.router, "addr", "flush", "dev", host.port)
        network = self._network()
        self._address(below, host.device, self.router, host.port, network)
        host.moves += 1
        if host.gateway is None:
            host.address = str(network[2])
        return str(network[2])

    def dropped(self) -> int:
        """Packets that counting rules have dropped so far."""
        listing = _run("ip", "netns", "exec", self.router, str(_tool("nft")), "list", "chain", *TABLE.split(), "pass")
        words = listing.split()
        return sum(int(words[at + 1]) for at, word in enumerate(words) if word == "packets")
