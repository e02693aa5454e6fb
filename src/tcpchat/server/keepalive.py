"""Signs of life: every connection is looked at once a second, asked when it is silent, and given up when it is dead."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tcpchat.core.model import Pinged
from tcpchat.server.clock import TICKS_PER_SECOND
from tcpchat.server.sockets import machine_lost

if TYPE_CHECKING:
    from tcpchat.server.connection import Connection

logger = logging.getLogger("tcpchat.server")

NO_FIRST_BYTES = b"tcpchat: no first bytes in time.\r\n"
STALLED_SECONDS = 300  # a peer whose machine answers but whose program reads nothing: then its cursor must do


def look(peer: Connection, now: float) -> None:
    """Look at a connection; called once a second for each."""
    ticks, config = peer.server.ticks, peer.server.config
    silent = (ticks - peer.heard) / TICKS_PER_SECOND
    if peer.closing:
        if ticks >= peer.end:
            peer.transport.abort()
    elif peer.first is not None:
        if silent >= config.first_bytes_seconds:
            peer.polite(NO_FIRST_BYTES if peer.first[:1] != b"\x16" else b"")  # half a TLS record: nothing plain
    elif peer.pinged and silent > patience(peer) - 1 and dead(peer, silent):  # 1: the next look is too late
        logger.info("! %s gave no sign of life", peer.peer.address)
        peer.hang_up("timeout")
    else:
        _tick_door(peer, silent, now)


def patience(peer: Connection) -> float:
    """Seconds without a sign of life until this peer is dead."""
    own = peer.door.patience
    return peer.server.config.dead_after if own is None else own


def _tick_door(peer: Connection, silent: float, now: float) -> None:
    commands = peer.door.tick(now)
    if peer.session is not None:
        for command in commands:
            peer.pipe.run(peer.server.chat.receive(peer.session, command, now))
    if silent >= patience(peer) / 2 and not peer.pinged and not peer.door.pingless:
        peer.pinged = True
        peer.tell(Pinged(token=str(int(now))))
    peer.wake()


def dead(peer: Connection, silent: float) -> bool:
    """A silent peer is dead, but one that is not read because its pipe is full must be asked another way: does its
    machine still answer?"""
    if not peer.held:
        return True
    return silent >= STALLED_SECONDS or machine_lost(peer.transport)
