"""STUN for an ICE-lite agent (RFC 8489, RFC 8445): read checks, prove them, answer. No sockets.

A message is parsed only as far as an ICE check needs; nothing in it is believed before
``authentic`` said yes.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import ipaddress
import struct
from typing import NamedTuple

MAGIC = 0x2112A442
MAGIC_BYTES = MAGIC.to_bytes(4, "big")
HEADER_LENGTH = 20
BINDING_REQUEST = 0x0001
BINDING_RESPONSE = 0x0101
BINDING_ERROR = 0x0111

USERNAME, MESSAGE_INTEGRITY, ERROR_CODE = 0x0006, 0x0008, 0x0009
XOR_MAPPED_ADDRESS, PRIORITY, USE_CANDIDATE, FINGERPRINT = 0x0020, 0x0024, 0x0025, 0x8028
ICE_CONTROLLED, ICE_CONTROLLING = 0x8029, 0x802A

MAX_MESSAGE = 548  # an ICE check is about 120 bytes
MAX_ATTRIBUTES = 24
MAX_USERNAME = 256 * 2 + 1  # two fragments and a colon (RFC 8445, 5.3)


class Check(NamedTuple):
    """A binding request that is well formed; not yet proven."""

    transaction: bytes
    local_ufrag: str  # whom it asks for
    remote_ufrag: str
    use_candidate: bool
    priority: int  # of the candidate it came from, as the peer would rank it; 0 when it does not say
    controlled: bool  # the peer says it is controlled: a role conflict with us, who are lite
    integrity_at: int  # offset of MESSAGE-INTEGRITY
    data: bytes


def parse_check(data: bytes) -> Check | None:
    """Read a binding request. None for anything that is not a well-formed ICE check."""
    size = len(data)
    if not HEADER_LENGTH <= size <= MAX_MESSAGE or size % 4:
        return None
    kind, length, cookie = struct.unpack_from("!HHI", data)
    if kind != BINDING_REQUEST or cookie != MAGIC or length + HEADER_LENGTH != size:
        return None
    username: bytes | None = None
    use_candidate = controlled = False
    priority, integrity_at = 0, -1
    at = HEADER_LENGTH
    for _ in range(MAX_ATTRIBUTES):
        if at == size:
            break
        if at + 4 > size:
            return None
        name, length = struct.unpack_from("!HH", data, at)
        value = at + 4
        following = value + (length + 3 & ~3)
        if following > size:
            return None
        if name == FINGERPRINT:
            # The last attribute, covering all before it (RFC 8489, 14.7).
            if following != size or length != 4:
                return None
            told = struct.unpack_from("!I", data, value)[0]
            if told != binascii.crc32(data[:at]) ^ 0x5354554E:
                return None
        elif integrity_at >= 0:
            pass  # attributes after MESSAGE-INTEGRITY are not covered by it: ignored (RFC 8489, 14.5)
        elif name == MESSAGE_INTEGRITY:
            if length != 20:
                return None
            integrity_at = at
        elif name == USERNAME:
            if length > MAX_USERNAME:
                return None
            username = data[value : value + length]
        elif name == PRIORITY:
            if length != 4:
                return None
            priority = struct.unpack_from("!I", data, value)[0]
        elif name == USE_CANDIDATE:
            use_candidate = True
        elif name == ICE_CONTROLLED:
            controlled = True
        at = following
    if at != size or username is None or integrity_at < 0:
        return None
    try:
        local, colon, remote = username.decode("ascii").partition(":")
    except UnicodeDecodeError:
        return None
    if not colon or not local or not remote:
        return None
    return Check(data[8:20], local, remote, use_candidate, priority, controlled, integrity_at, data)


def authentic(check: Check, password: bytes) -> bool:
    """Whether MESSAGE-INTEGRITY was made with this password (short-term credentials)."""
    at = check.integrity_at
    # The length field counts up to and including the integrity attribute (RFC 8489, 14.5).
    covered = check.data[:2] + struct.pack("!H", at + 24 - HEADER_LENGTH) + check.data[4:at]
    digest = hmac.new(password, covered, hashlib.sha1).digest()
    return hmac.compare_digest(digest, check.data[at + 4 : at + 24])


class Transactions:
    """The transaction ids of proven checks, so that a captured one can't be used a second time.

    STUN has no time stamps: a recorded check stays authentic as long as its password. A client gives every
    check an id of its own (RFC 8489, 6) and repeats it only towards the same place; consent needs a new one
    each time (RFC 7675, 5.1). ``KEPT`` is over an hour of a client that checks every two seconds; an ICE
    restart changes the password and with it what a recording is good for.
    """

    KEPT = 2048
    _SIZE = 12

    __slots__ = ("_at", "_ids")

    def __init__(self) -> None:
        self._ids = bytearray()
        self._at = 0

    def fresh(self, transaction: bytes) -> bool:
        """Whether this id is new; it is remembered."""
        ids, size = self._ids, self._SIZE
        at = ids.find(transaction)
        while at >= 0 and at % size:  # across the border of two ids
            at = ids.find(transaction, at + 1)
        if at >= 0:
            return False
        ids[self._at : self._at + size] = transaction
        self._at = (self._at + size) % (self.KEPT * size)
        return True


def success(check: Check, password: bytes, host: str, port: int) -> bytes:
    """The answer to a proven check, telling the address it came from."""
    return _seal(BINDING_RESPONSE, check.transaction, _mapped(check.transaction, host, port), password)


def role_conflict(check: Check, password: bytes) -> bytes:
    """487: the peer must be controlling, for we are lite (RFC 8445, 7.3.1.1)."""
    reason = b"Role Conflict"
    value = struct.pack("!HBB", 0, 4, 87) + reason
    return _seal(BINDING_ERROR, check.transaction, _attribute(ERROR_CODE, value), password)


def _mapped(transaction: bytes, host: str, port: int) -> bytes:
    address = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped  # as a socket of both families tells it; the client knows of IPv4 alone
    mask = MAGIC_BYTES + transaction
    packed = bytes(a ^ b for a, b in zip(address.packed, mask, strict=False))
    family = 1 if address.version == 4 else 2
    return _attribute(XOR_MAPPED_ADDRESS, struct.pack("!BBH", 0, family, port ^ (MAGIC >> 16)) + packed)


def _attribute(name: int, value: bytes) -> bytes:
    return struct.pack("!HH", name, len(value)) + value + bytes(-len(value) % 4)


def _seal(kind: int, transaction: bytes, attributes: bytes, password: bytes) -> bytes:
    """Header, attributes, MESSAGE-INTEGRITY, FINGERPRINT; each covers a length that includes itself."""

    def header(length: int) -> bytes:
        return struct.pack("!HHI", kind, length, MAGIC) + transaction

    digest = hmac.new(password, header(len(attributes) + 24) + attributes, hashlib.sha1).digest()
    attributes += _attribute(MESSAGE_INTEGRITY, digest)
    body = header(len(attributes) + 8) + attributes
    return body + _attribute(FINGERPRINT, struct.pack("!I", binascii.crc32(body) ^ 0x5354554E))


def binding_request(
    transaction: bytes, local_ufrag: str, remote_ufrag: str, password: bytes, *, nominate: bool, priority: int = 1
) -> bytes:
    """A controlling agent's check, for test clients and load peers. ``remote_ufrag`` is the server's."""
    attributes = _attribute(USERNAME, f"{remote_ufrag}:{local_ufrag}".encode())
    attributes += _attribute(ICE_CONTROLLING, bytes(8)) + _attribute(PRIORITY, struct.pack("!I", priority))
    if nominate:
        attributes += _attribute(USE_CANDIDATE, b"")
    return _seal(BINDING_REQUEST, transaction, attributes, password)
