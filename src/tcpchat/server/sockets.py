"""What the server asks of the operating system's sockets: listening, options, and whether a machine still answers."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import struct
import sys
from ipaddress import IPv6Address, ip_address
from typing import Any

BACKLOG = 1024  # connections the kernel holds while the loop is busy
FREE_TRIES = 16  # ports that are taken as free until one is free on all addresses
NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
UNSENT_MAX = 131_072  # bytes the kernel may hold unsent for one peer: memory of a stopped reader, TCP_NOTSENT_LOWAT
LOST_PROBES = 3  # retransmissions or window probes without an answer: the machine is gone
OPTION_NUMBERS = {"TCP_NOTSENT_LOWAT": 25} if sys.platform == "linux" else {}  # unnamed before Python 3.12
KEEPALIVE = (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))


class PortInUse(OSError):
    """Another program listens on this port."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(errno.EADDRINUSE, f"port {port} on {host} is in use")
        self.host, self.port = host, port


def listen(host: str, port: int) -> list[socket.socket]:
    """Listening sockets on every address of the host, all on one port; ``::`` and "" are all of this machine, IPv4 too.

    Raises PortInUse, OSError.
    """
    found = _resolved(host, port)
    for _ in range(FREE_TRIES if port == 0 else 0):
        with contextlib.suppress(PortInUse):  # a port that is free on one address may be taken on another
            return _listen(host, port, found)
    return _listen(host, port, found)


def _resolved(host: str, port: int) -> list[tuple[Any, ...]]:
    """What getaddrinfo says, without doubles. Raises OSError."""
    name = host.removeprefix("[").removesuffix("]")
    with contextlib.suppress(ValueError):
        address = ip_address(name)
        if address == IPv6Address("::"):
            name = ""
        elif address.version == 6 and address.ipv4_mapped:
            name = str(address.ipv4_mapped)
    try:
        found = socket.getaddrinfo(name or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise OSError(errno.EADDRNOTAVAIL, f"{host!r} is no address or name known here ({error.strerror})") from None
    except ValueError:  # of what cannot be a name: UnicodeError is one, too
        raise OSError(errno.EADDRNOTAVAIL, f"{host!r} cannot be the name of a machine") from None
    return list(dict.fromkeys(found))


def _listen(host: str, port: int, found: list[tuple[Any, ...]]) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    for family, kind, protocol, _, address in found:
        try:
            sockets.append(_bound(family, kind, protocol, (address[0], port, *address[2:])))
        except OSError as error:
            if error.errno in NOT_HERE and len(found) > 1:
                continue  # "localhost" may name ::1 on a machine without IPv6
            for other in sockets:
                other.close()
            if error.errno == errno.EADDRINUSE:
                raise PortInUse(host, port) from None
            raise
        port = int(sockets[-1].getsockname()[1])
    if not sockets:
        raise OSError(errno.EADDRNOTAVAIL, f"{host} is not an address of this machine")
    return sockets


def _bound(family: int, kind: int, protocol: int, address: tuple[Any, ...]) -> socket.socket:
    """One listening socket. Raises OSError."""
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


def peer_address(transport: asyncio.BaseTransport) -> tuple[str, bool]:
    """The peer's address, and whether it is this machine."""
    peer = transport.get_extra_info("peername")
    if not peer:
        return "", True
    address = str(peer[0]).removeprefix("::ffff:")
    if address.startswith("127.") or address == "::1":
        return address, True
    here = transport.get_extra_info("sockname")
    return address, bool(here and peer[0] == here[0])


def make_prompt(listener: socket.socket) -> None:
    """What is written leaves at once, and little of it waits in the kernel for a reader that has stopped. Connections
    have these options from the socket that took them: asking for each would be system calls for each."""
    _set(listener, socket.IPPROTO_TCP, "TCP_NODELAY", 1)
    _set(listener, socket.IPPROTO_TCP, "TCP_NOTSENT_LOWAT", UNSENT_MAX)


def keep_alive(transport: asyncio.BaseTransport) -> None:
    """Let the kernel find out within half a minute that a silent peer's machine is gone."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        _set(sock, socket.SOL_SOCKET, "SO_KEEPALIVE", 1)
        for name, value in KEEPALIVE:
            _set(sock, socket.IPPROTO_TCP, name, value)


def _set(sock: socket.socket, level: int, name: str, value: int) -> None:
    """Set a socket option where this system has it."""
    number = getattr(socket, name, OPTION_NUMBERS.get(name))
    if number is not None:
        try:
            sock.setsockopt(level, number, value)
        except OSError:
            pass  # not a TCP socket, or not offered here: a comfort, not a need


def machine_lost(transport: asyncio.BaseTransport) -> bool:
    """Has the peer's machine stopped answering TCP itself? (Linux tcp_info: retransmits and probes unanswered.)"""
    sock, info = transport.get_extra_info("socket"), getattr(socket, "TCP_INFO", None)
    if sock is None or info is None:
        return False
    try:
        _, _, retransmits, probes = struct.unpack_from("4B", sock.getsockopt(socket.IPPROTO_TCP, info, 8))
    except OSError:
        return True
    return bool(retransmits >= LOST_PROBES or probes >= LOST_PROBES)


def why_lost(error: Exception | None) -> str:
    """What others may be told about the end of a connection."""
    return "" if error is None else "connection lost"
