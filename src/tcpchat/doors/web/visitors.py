"""Whose request this is, and by what name the server was asked: proxies, and names that a page may be loaded by.

A page of any site can have its own name point at this machine for a moment (DNS rebinding), and then its scripts talk
with the server as if they were the server's own page. The name stays theirs: it is in ``Host``, and only addresses,
localhost and the server's own names are served.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address, ip_network

# What proxies add to a request (RFC 9110 7.6.3, RFC 7239, and what is used instead of it).
FORWARDING = frozenset(
    {b"forwarded", b"via", b"x-real-ip", b"x-client-ip", b"x-cluster-client-ip", b"true-client-ip", b"cf-connecting-ip"}
)
FORWARDED = b"x-forwarded-"


def is_forwarded(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Has a proxy passed this request on?"""
    return any(name in FORWARDING or name.startswith(FORWARDED) for name, _ in headers)


def host_of(value: str) -> str:
    """The name or address in a Host header or an origin, without scheme and port, in lower case."""
    host = value.strip().lower().rpartition("://")[2]
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].rstrip(".")


def serves(host: str, names: Iterable[str]) -> bool:
    """May a page be loaded by this Host? By none (no browser leaves it out), an address, localhost, one of ``names``
    (``*.example.org``: anything before that)."""
    name = host_of(host)
    if not name or name == "localhost" or name.endswith(".localhost"):  # RFC 6761 6.3: never anybody else's
        return True
    try:
        ip_address(name.partition("%")[0])
    except ValueError:
        return any(name == own or (own.startswith("*.") and name.endswith(own[1:])) for own in map(str.lower, names))
    return True


def hop(text: str) -> str:
    """An address as proxies write it, with or without brackets and a port; "" for anything else."""
    host = text.strip()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        found = ip_address(host)
    except ValueError:
        return ""
    return str(getattr(found, "ipv4_mapped", None) or found)


def inside(address: str, networks: tuple[str, ...]) -> bool:
    """Is this address in one of these networks?"""
    try:
        place = ip_address(address.partition("%")[0])
        return any(place in ip_network(network, strict=False) for network in networks)
    except ValueError:
        return False


def loopback(address: str) -> bool:
    """Is this an address of the machine itself?"""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False
