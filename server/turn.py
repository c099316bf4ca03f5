"""coturn's configuration from ours: it relays to media workers and to nothing else."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from core.settings import Media

EVERYTHING = ("0.0.0.0-255.255.255.255", "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")
PLAIN_PORT, TLS_PORT = 3478, 5349
HEAD = "# coturn for people whose network lets nothing else through. Made by `bedside turn-config`."


class NotReachableByTurn(Exception):
    """The settings don't describe a relay; the message is one line a person can act on."""


def peer_ranges(peers: Iterable[str]) -> list[str]:
    """Addresses and networks as coturn's ``allowed-peer-ip`` takes them: an address, or "first-last"."""
    ranges = []
    for peer in peers:
        network = ipaddress.ip_network(peer, strict=False)
        ranges.append(f"{network[0]}-{network[-1]}" if network.num_addresses > 1 else str(network[0]))
    return ranges


def listening_ports(urls: Iterable[str]) -> tuple[int | None, int | None]:
    """The ports of turn: and turns: addresses (RFC 7065), the first of each; None where there is none."""
    plain: int | None = None
    tls: int | None = None
    for url in urls:
        scheme, _, rest = url.partition(":")
        host = rest.partition("?")[0]
        _, colon, port = host.rpartition(":") if not host.endswith("]") else ("", "", "")
        number = int(port) if colon and port.isdigit() else None
        if scheme == "turn" and plain is None:
            plain = number or PLAIN_PORT
        elif scheme == "turns" and tls is None:
            tls = number or TLS_PORT
    return plain, tls


def turn_config(media: Media, *, listen: Iterable[str] = (), external: str = "", secret: bool = True) -> str:
    """The whole file. ``external`` is the public address behind NAT ("public" or "public/private").

    Without ``secret`` the line is left out: it is then given on coturn's command line. Raises NotReachableByTurn.
    """
    peers = media.turn_peers or media.addresses
    plain, tls = listening_ports(media.turn_urls)
    if plain is None and tls is None:
        raise NotReachableByTurn("media.turn_urls names no relay")
    if tls is not None and not (media.turn_certificate and media.turn_key):
        raise NotReachableByTurn("a turns: address needs media.turn_certificate and media.turn_key")
    shared = media.turn_secret.get_secret_value()
    if secret and not shared:
        raise NotReachableByTurn("media.turn_secret is missing")
    lines = [HEAD, f"listening-port={plain}" if plain is not None else "no-udp\nno-tcp"]
    if tls is None:
        lines += ["no-tls", "no-dtls"]
    else:
        lines += [f"tls-listening-port={tls}", f"cert={media.turn_certificate}", f"pkey={media.turn_key}"]
        lines += ["no-tlsv1", "no-tlsv1_1"]
    lines += [f"listening-ip={each}" for each in listen]
    lines += [f"external-ip={external}"] if external else []
    lines += ["realm=bedside", "# Short-lived credentials, given with the visit token.", "use-auth-secret"]
    lines += [f"static-auth-secret={shared}"] if secret else []
    lines += ["fingerprint", "no-cli", "no-multicast-peers", "no-tcp-relay"]
    lines += ["# Relay to media workers only: what is allowed wins over what is denied."]
    lines += [f"denied-peer-ip={each}" for each in EVERYTHING]
    lines += [f"allowed-peer-ip={each}" for each in peer_ranges(peers)]
    if any(ipaddress.ip_network(each, strict=False).is_loopback for each in peers):
        lines.append("allow-loopback-peers")
    lines += ["# A person has two connections, each by up to three ways.", "user-quota=12", "total-quota=2000"]
    lines += ["# Bytes a second of one allocation.", "max-bps=1000000"]
    return "\n".join(lines) + "\n"
