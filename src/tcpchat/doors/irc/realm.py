"""What all IRC connections share, as the driver knows it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from tcpchat.core.errors import CODES
from tcpchat.doors import Kept, Peer, Realm, Row, Site, Table
from tcpchat.doors.irc import wire
from tcpchat.doors.irc.door import IrcDoor
from tcpchat.doors.irc.network import WHOWAS_MAX, Network


class IrcRealm(Realm):
    """One IRC network."""

    keeps = (
        Table("marks", ("login", "target", "at"), keys=2),
        Table("whowas", ("login", "user", "host", "real", "at"), most=WHOWAS_MAX),
    )

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self.network = Network(site.settings)
        self.network.preferences = site.preferences
        self.network.secret = site.secret
        self.network.started = self.network.now = site.started
        self.network.motd, self.network.reload = site.motd, site.reload
        if site.tls_port:
            self.network.sts_port = self.network.sts_port or site.tls_port

    def door(self, peer: Peer) -> IrcDoor:
        door = IrcDoor(self.network, address=peer.address, secure=peer.secure, local=peer.local)
        door.certfp = peer.certfp
        return door

    def tick(self, now: float) -> Iterable[IrcDoor]:
        """See Realm.tick: those whose PING has waited for its turn."""
        self.network.now = now
        return self.network.tick()

    def refuse_plain(self, data: bytes) -> bytes:
        return wire.line(f"ERROR :{CODES['tls_required'].text}")

    def load(self, kept: Kept) -> None:
        """WHOWAS, and the exact times of read marks."""
        network = self.network
        for login, target, at in sorted(kept["marks"], key=lambda row: row[2]):
            network.marks[login, target] = at
        for login, user, host, real, at in islice(kept["whowas"], WHOWAS_MAX):
            network.gone.appendleft((login, user, host, real, at))
        network.keeping = True

    def save(self) -> Kept | None:
        network = self.network
        if not network.moved and not network.went:
            return None
        moved, network.moved = network.moved, {}
        marks: list[Row] = [(*key, at) if at else key for key, at in moved.items()]
        went: list[Row] = list(network.went)
        network.went.clear()
        return {"marks": marks, "whowas": went}
