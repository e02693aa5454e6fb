"""What original clients share on one server: how they are refused."""

from __future__ import annotations

from tcpchat.doors import Peer, Realm
from tcpchat.doors.original.door import SeedDoor
from tcpchat.doors.original.wire import pack


class OriginalRealm(Realm):
    """The protocol of the original clients."""

    def door(self, peer: Peer) -> SeedDoor:
        return SeedDoor(address=peer.address, secure=peer.secure, local=peer.local)

    def refuse_plain(self, data: bytes) -> bytes:
        """See Realm.refuse_plain; the original has no words for a reason."""
        return pack("BYE", False)
