"""Reading an address that a person gave us, without becoming a way into our own network.

Only public networks are reached: every address that a name resolves to is checked, and so is the one that is
connected to, at the moment its socket is made, so that a second answer of the name server changes nothing.
Redirects are followed here, each checked anew. Size, time and decompression are bounded.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

MOST_BYTES = 5_000_000  # of the answer, unpacked
MOST_SECONDS = 20.0
MOST_REDIRECTS = 3
LONGEST_ADDRESS = 2000
PORTS = frozenset({443, 8443})
REDIRECTS = frozenset({301, 302, 303, 307, 308})

Problem = Literal["address_refused", "unreachable", "too_slow", "too_large", "not_found", "refused", "failed"]

# Networks that lead to others, or that ``is_global`` takes for public: addresses of IPv4 within IPv6, and the
# address at which one large cloud serves its machines' secrets.
_LEADS_ELSEWHERE = tuple(
    ipaddress.ip_network(each)
    for each in ("::/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16", "192.88.99.0/24", "168.63.129.16")
)


class OutsideError(Exception):
    """The address could not be read. ``problem`` says why, without repeating what was sent or received."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Fetched:
    """``body`` is None when nothing has changed since ``etag`` or ``modified``."""

    body: bytes | None
    etag: str | None
    modified: str | None


@dataclass(frozen=True, slots=True)
class Reach:
    """What may be reached beside public addresses over HTTPS; both are for tests and development."""

    http: bool = False
    private: bool = False


def is_public(address: str) -> bool:
    """True for an address of the public internet; pure."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if not ip.is_global or ip.is_multicast or ip.is_reserved or ip.is_unspecified:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip.is_site_local:
        return False
    return not any(ip in network for network in _LEADS_ELSEWHERE if network.version == ip.version)


def parse_address(text: str, reach: Reach) -> URL:
    """An address that may be asked, as far as its text tells. Raises OutsideError.

    ``webcal:`` is what calendar programs write for ``https:``.
    """
    text = text.strip()
    if not text or len(text) > LONGEST_ADDRESS or any(ord(letter) < 33 for letter in text):
        raise OutsideError("address_refused")
    if text.lower().startswith("webcal://"):
        text = f"https://{text[9:]}"
    try:
        url = URL(text).with_fragment(None)
        port = url.port
    except ValueError:
        raise OutsideError("address_refused") from None
    if url.scheme not in (("https", "http") if reach.http else ("https",)) or not url.host:
        raise OutsideError("address_refused")
    if url.user is not None or url.password is not None:
        raise OutsideError("address_refused")
    if not reach.private and (port not in (PORTS | {80} if reach.http else PORTS) or _is_inside(url.host)):
        raise OutsideError("address_refused")
    return url


def _is_inside(host: str) -> bool:
    """An address written out that is not public; a name is looked at when it is resolved."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return not is_public(host)


class Outside:
    """Reads addresses within these bounds; ``resolver`` is the machine's unless a test gives another."""

    def __init__(
        self, reach: Reach, resolver: AbstractResolver | None = None, *, most_seconds: float = MOST_SECONDS
    ) -> None:
        self._reach = reach
        self._resolver = resolver
        self._most_seconds = most_seconds

    async def get(self, address: str, *, etag: str | None = None, modified: str | None = None) -> Fetched:
        """The body at an address. Raises OutsideError."""
        url = parse_address(address, self._reach)
        headers = {"User-Agent": "Bedside", "Accept": "text/calendar, */*;q=0.1", "Accept-Encoding": "gzip"}
        if etag:
            headers["If-None-Match"] = etag
        if modified:
            headers["If-Modified-Since"] = modified
        try:
            async with asyncio.timeout(self._most_seconds), self._session() as session:
                for _ in range(MOST_REDIRECTS + 1):
                    async with session.get(url, headers=headers, allow_redirects=False) as response:
                        if response.status not in REDIRECTS:
                            return await _read(response)
                        url = _redirected(response, self._reach)
        except TimeoutError:
            raise OutsideError("too_slow") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise OutsideError("address_refused" if _was_refused(error) else "unreachable") from None
        raise OutsideError("failed")

    def _session(self) -> aiohttp.ClientSession:
        reach = self._reach
        connector = aiohttp.TCPConnector(
            resolver=_PublicOnly(self._resolver or ThreadedResolver(), reach),
            use_dns_cache=False,
            force_close=True,
            socket_factory=lambda info: _socket(info, reach),
        )
        return aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False, auto_decompress=False
        )


class _NotPublic(OSError):
    """The connection would leave the public internet."""


class _PublicOnly(AbstractResolver):
    """A name with any address that is not public is refused as a whole."""

    def __init__(self, inner: AbstractResolver, reach: Reach) -> None:
        self._inner = inner
        self._reach = reach

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        if not self._reach.private and not all(is_public(each["host"]) for each in found):
            raise _NotPublic()
        return found

    async def close(self) -> None:
        await self._inner.close()


def _socket(info: tuple[Any, ...], reach: Reach) -> socket.socket:
    """The socket for exactly this address. Raises when it is not public: nothing else decides where we connect."""
    family, kind, protocol, _, address = info
    if not reach.private and not is_public(str(address[0]).partition("%")[0]):
        raise _NotPublic()
    return socket.socket(family=family, type=kind, proto=protocol)


def _was_refused(error: BaseException | None) -> bool:
    """Whether our own refusal is somewhere behind what the client library raised."""
    while error is not None:
        if isinstance(error, _NotPublic) or isinstance(getattr(error, "os_error", None), _NotPublic):
            return True
        error = error.__cause__ or error.__context__
    return False


def _redirected(response: aiohttp.ClientResponse, reach: Reach) -> URL:
    target = response.headers.get("Location", "")
    try:
        joined = response.url.join(URL(target))
    except ValueError:
        raise OutsideError("failed") from None
    return parse_address(str(joined), reach)


async def _read(response: aiohttp.ClientResponse) -> Fetched:
    etag, modified = response.headers.get("ETag"), response.headers.get("Last-Modified")
    match response.status:
        case 200:
            pass
        case 304:
            return Fetched(None, etag, modified)
        case 404 | 410:
            raise OutsideError("not_found")
        case 401 | 403:
            raise OutsideError("refused")
        case _:
            raise OutsideError("failed")
    unpack = _unpacker(response.headers.get("Content-Encoding", "identity").strip().lower())
    body, taken = bytearray(), 0
    async for chunk in response.content.iter_chunked(65536):
        taken += len(chunk)
        body += unpack(chunk, MOST_BYTES + 1 - len(body))
        if max(taken, len(body)) > MOST_BYTES:
            raise OutsideError("too_large")
    return Fetched(bytes(body), etag, modified)


def _unpacker(encoding: str) -> Callable[[bytes, int], bytes]:
    """``(chunk, most) -> bytes``, never more than ``most`` at once: a bomb is noticed before it unfolds."""
    if encoding in ("", "identity"):
        return lambda chunk, most: chunk[:most]
    if encoding not in ("gzip", "x-gzip"):
        raise OutsideError("failed")
    stream = zlib.decompressobj(wbits=31)

    def unpack(chunk: bytes, most: int) -> bytes:
        try:
            return stream.decompress(chunk, most)
        except zlib.error:
            raise OutsideError("failed") from None

    return unpack
