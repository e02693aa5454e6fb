"""Admission: who may connect, counted by address, and whose turn it is to be looked at."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterable
from typing import TYPE_CHECKING

from tcpchat.doors import Peer
from tcpchat.doors.web.visitors import inside
from tcpchat.server.clock import TICKS_PER_SECOND
from tcpchat.server.site import split

if TYPE_CHECKING:
    from tcpchat.config import Config
    from tcpchat.server.connection import Connection


class Admission:
    """The connections of one server."""

    def __init__(self) -> None:
        self.connections: set[Connection] = set()
        self.vacant: asyncio.Event | None = None  # while stopping: the last connection has gone
        self._addresses: dict[str, int] = {}
        self._wheel: list[set[Connection]] = [set() for _ in range(TICKS_PER_SECOND)]

    def admit(self, connection: Connection, config: Config) -> bytes:
        """Count a new connection; b"" lets it in, else the line it is refused with."""
        self.connections.add(connection)
        self._wheel[id(connection) // 64 % TICKS_PER_SECOND].add(connection)
        if not self._count(connection.peer.address, config):
            return b"tcpchat: too many connections from your address.\r\n"
        if len(self.connections) > config.connections:
            return b"tcpchat: this server is full.\r\n"
        return b""

    def leave(self, connection: Connection) -> None:
        """A connection is gone."""
        self.connections.discard(connection)
        self._wheel[id(connection) // 64 % TICKS_PER_SECOND].discard(connection)
        self._uncount(connection.peer.address)
        if self.vacant is not None and not self.connections:
            self.vacant.set()

    def due(self, ticks: int) -> Iterable[Connection]:
        """Those to look at in this tick: each once a second."""
        return list(self._wheel[ticks % TICKS_PER_SECOND])

    def moved(self, connection: Connection, peer: Peer, config: Config) -> bool:
        """A door has learnt by whom a connection is used: another address, if it is a proxy's. False: that address has
        too many."""
        before, connection.peer = connection.peer, peer
        if peer.address == before.address:
            return True
        self._uncount(before.address)
        return self._count(peer.address, config)

    def _count(self, address: str, config: Config) -> bool:
        """One more from this address; False when that is one too many. A proxy brings as many as it likes."""
        place = household(address)
        here = self._addresses[place] = self._addresses.get(place, 0) + 1
        if here <= config.connections_per_address:
            return True
        return bool(config.proxies) and inside(address, tuple(split(config.proxies)))

    def _uncount(self, address: str) -> None:
        place = household(address)
        left = self._addresses.get(place, 1) - 1
        if left > 0:
            self._addresses[place] = left
        else:
            self._addresses.pop(place, None)


def household(address: str) -> str:
    """Whose address this is: of IPv6 the network of 64 bits that one customer gets at least (RFC 6177)."""
    if ":" not in address:
        return address
    try:
        return str(ipaddress.ip_network((address.partition("%")[0], 64), strict=False).network_address)
    except ValueError:
        return address
