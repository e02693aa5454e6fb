"""The client's half of a conversation, from hello to goodbye, without I/O and without a clock.

A driver opens connections and moves bytes; everything else is decided here: login (challenge, proof, password),
resuming (from which place of which log), numbering and the window, what became of a message that was cut off, the
server's pings and its silence. One peer lives for many connections:

    peer = Peer(m.Hello("duck", label="script"), Record("device id"))
    peer.connected(now)                      # a connection is open
    write(peer.data_to_send())
    for event in peer.receive(data, now):    # the server's events, and those of tcpchat.client.outcomes
        ...
    peer.say(Item("#all", "quack"), now)
    write(peer.data_to_send())
    peer.next_timer                          # call peer.tick(now) then
    peer.lost()                              # the connection is gone; connected() begins the next one

``now`` is in seconds, of any clock that only goes forward.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from msgspec.structs import replace

from tcpchat.client.cursor import Cursor
from tcpchat.client.errors import ConnectionFailed, Refused
from tcpchat.client.numbering import Numbering
from tcpchat.client.outcomes import Ended, LogReplaced, Opened
from tcpchat.client.record import Item, Record
from tcpchat.core import model as m
from tcpchat.core.errors import CODES
from tcpchat.core.rules import challenge_text
from tcpchat.core.text import fold
from tcpchat.doors.native import ClientSide

PING_AFTER = 10.0  # seconds without a byte until the server is asked for a sign of life
DEAD_AFTER = 20.0  # seconds without a byte until the connection counts as cut
FINAL = ("replaced", "banned", "revoked", "deleted")  # goodbyes after which coming back would not help


class Signer(Protocol):
    """A private key: tcpchat.trust.keys.Key, or one that lives elsewhere."""

    @property
    def public(self) -> str:
        """The public key as text, "ed25519:..."."""

    def sign(self, text: str) -> str:
        """The signature over the UTF-8 of ``text``, base64url."""


Prove = Callable[[m.Challenge, str, Signer, str], m.Proof]  # of which login, by which key, the server's fingerprint


def prove(challenge: m.Challenge, login: str, signer: Signer, fingerprint: str) -> m.Proof:
    """A proof that names no server but by its certificate: a driver that knows whom it means gives a better one."""
    return m.Proof(signer.sign(challenge_text(challenge.nonce, login, fingerprint)), signer.public)


class Peer:
    """See the module. ``hello`` says who speaks; its device, key, log and seen are filled in for each connection.

    ``signer`` and ``password`` prove the login: the key first, the password (called when it is needed, None = there is
    none) where that does not do. ``prove`` makes the proof by the key, and may raise instead. ``connected`` says
    whether the connection is fit for a password.
    """

    def __init__(
        self,
        hello: m.Hello,
        record: Record,
        *,
        signer: Signer | None = None,
        password: Callable[[], str | None] = lambda: None,
        prove: Prove = prove,
    ) -> None:
        self._hello = hello
        self.login = hello.login
        self.signer, self.password, self._prove = signer, password, prove
        self.record = record
        self.cursor = Cursor(record, hello.after, hello.log)
        self.numbers = Numbering(record, self.send)
        self.state = "lost"  # opening, online, ended
        self.latency: float | None = None  # seconds there and back, when last measured
        self._wire = ClientSide()
        self._asked: int | None = None  # what this connection's hello said
        self._asked_log = ""
        self._challenge: m.Challenge | None = None
        self._fingerprint, self._private = "", True
        self._heard = 0.0  # when the last byte came
        self._pinged: float | None = None  # when a ping left that nothing came behind
        self._paused = False

    @property
    def online(self) -> bool:
        """Is the session open right now?"""
        return self.state == "online"

    @property
    def welcome(self) -> m.Welcome | None:
        """What the server said last when it let this peer in."""
        return self.numbers.welcome

    @property
    def strange(self) -> bool:
        """Does the other side speak something else?"""
        return bool(self._wire.fault)

    # -- connections -------------------------------------------------------------------------------------------------

    def connected(self, now: float, *, fingerprint: str = "", private: bool = True) -> None:
        """A connection is open: say hello. ``fingerprint``: of the server's key, "" without TLS. ``private``: nobody
        can read along, so that a password may be said."""
        self._wire = ClientSide()
        self.state, self._challenge, self._paused = "opening", None, False
        self._fingerprint, self._private = fingerprint, private
        self._heard, self._pinged = now, None
        hello = self._hello
        # A quiet session that did not ask for a feed must not get one because the connection was lost.
        self._asked = None if hello.quiet and hello.after is None else self.cursor.behind()
        self._asked_log = self.cursor.of_log()
        self.send(
            replace(
                hello,
                login=self.login,
                device=self.record.device,
                after=self._asked,
                key=self.signer.public if self.signer is not None else "",
                claim=hello.claim and self.signer is not None,
                log=self._asked_log,
                seen=self.cursor.known() if self._asked_log == self.record.log else 0,
            )
        )

    def lost(self) -> None:
        """The connection is gone. What was sent and not answered goes out again on the next."""
        self.state, self.numbers.open = "lost", False

    def send(self, command: m.Command) -> None:
        """Put one command behind those that wait in data_to_send()."""
        self._wire.send(command)

    def data_to_send(self) -> bytes:
        """The bytes that wait for the server, once."""
        cursor = self.cursor
        if cursor.to_confirm > cursor.confirmed and self.online:
            cursor.confirmed = cursor.to_confirm
            self.send(m.Confirm(cursor.confirmed))
        return self._wire.data_to_send()

    def say(self, item: Item, now: float) -> None:
        """Send a message: at once, or as soon as its turn comes. Raises OutboxError: it could not be kept, and does not
        go out."""
        self.numbers.say(item)

    # -- time --------------------------------------------------------------------------------------------------------

    @property
    def next_timer(self) -> float | None:
        """The moment of the next tick(); None while there is nothing to wait for."""
        moments = []
        if self.state in ("opening", "online"):
            moments.append(self._quiet_until())
        if self.numbers.held_until is not None:
            moments.append(self.numbers.held_until)
        return min(moments, default=None)

    def _quiet_until(self) -> float:
        if self._pinged is not None:
            return self._pinged + DEAD_AFTER - PING_AFTER
        return self._heard + (PING_AFTER if self.online else DEAD_AFTER)

    def tick(self, now: float) -> list[Any]:
        """Time has passed. Returns events, as receive()."""
        self.numbers.tick(now)
        if self.state not in ("opening", "online") or now < self._quiet_until():
            return []
        if self._paused:  # nothing is read, so nothing is heard: let the server know that somebody is there
            self._heard = now
            self.send(m.Pong())
        elif self.online and self._pinged is None:
            self._pinged = now
            self.send(m.Ping("alive"))
        else:
            return [self._end(ConnectionFailed("The server gives no sign of life."))]
        return []

    def pause(self, now: float) -> None:
        """Nothing is read for a while: the program is slower than the chat. Silence means nothing meanwhile."""
        self._paused, self._heard, self._pinged = True, now, None

    def resume(self, now: float) -> None:
        """It is read again."""
        self._paused, self._heard = False, now

    # -- what comes --------------------------------------------------------------------------------------------------

    def receive(self, data: bytes, now: float) -> list[Any]:
        """What these bytes tell, in order: events of the server (tcpchat.model) that are new here, and outcomes
        (tcpchat.client.outcomes). Behind Ended nothing more comes of this connection."""
        told: list[Any] = []
        self._heard = now
        for event in self._wire.receive(data):
            self._take(event, now, told)
            if self.state == "ended":
                return told
        if self._wire.fault:
            told.append(self._end(ConnectionFailed(self._wire.fault)))
        self._pinged = None
        return told

    def _take(self, event: m.AnyEvent, now: float, told: list[Any]) -> None:
        handler = _TAKE.get(type(event))
        ref: int | str = getattr(event, "ref", 0)
        if handler is None or ref:  # an answer is for who asked
            told.append(event)
        else:
            told.extend(one for one in handler(self, event, now) if one is not None)

    def _end(self, error: ConnectionFailed | Refused, goodbye: m.Goodbye | None = None) -> Ended:
        self.lost()
        self.state = "ended"
        return Ended(error, goodbye)

    # -- login -------------------------------------------------------------------------------------------------------

    def _on_challenge(self, event: m.Challenge, now: float) -> Iterator[Any]:
        self._challenge = event
        if self.signer is not None and "key" in event.methods:
            self.send(self._prove(event, self.login, self.signer, self._fingerprint))
        elif (ended := self._say_password(event)) is not None:
            yield ended

    def _say_password(self, event: m.Challenge) -> Ended | None:
        """Prove it by the password; what stands in the way."""
        if "password" in event.methods and not self._private:
            return self._end(Refused("insecure", CODES["insecure"].text))
        password = self.password() if "password" in event.methods else None
        if not password:
            return self._end(Refused("claimed", CODES["claimed"].text, about=event.methods))
        self.send(m.Password(password))
        return None

    def _on_welcome(self, event: m.Welcome, now: float) -> Iterator[Any]:
        self.login, self._challenge = event.login, None
        lost = self.cursor.begin(event, self._asked)
        if lost:
            yield LogReplaced(lost)
        for seq in event.recent:
            self.cursor.is_own(seq)
        yield from self.numbers.welcomed(event, self._asked_log)
        self.state = "online"
        yield Opened(event)
        self.numbers.pump(now)

    def _on_refused(self, event: m.Refused, now: float) -> Iterator[Any]:
        if event.n:
            yield self.numbers.refused(event, now)
        elif event.fatal or not self.online:
            yield self._turned_away(event)
        else:
            yield event

    def _turned_away(self, event: m.Refused) -> Ended | None:
        """The login is not had; where the key did not fit, it may be by the password."""
        challenge, self._challenge = self._challenge, None
        about = event.about
        if event.code == "wrong_proof" and challenge is not None and not event.fatal:
            about = about or challenge.methods
            if "password" in challenge.methods and self._say_password(challenge) is None:
                return None
        return self._end(Refused(event.code, event.text, event.after, about))

    def _on_bye(self, event: m.Goodbye, now: float) -> Iterator[Any]:
        if event.code in FINAL:
            yield self._end(Refused(event.code, event.why), event)
        else:
            yield self._end(ConnectionFailed(event.why or "The server said goodbye."), event)

    def _on_forked(self, event: m.Forked, now: float) -> Iterator[Any]:
        """What this device has is of the log as it goes on from here."""
        self.record.log = event.log
        yield event

    # -- messages ----------------------------------------------------------------------------------------------------

    def _on_accepted(self, event: m.Accepted, now: float) -> Iterator[Any]:
        settled = self.numbers.accepted(event, now)
        if settled is not None:
            if settled.seq:
                self.cursor.is_own(settled.seq)
            yield settled

    def _on_feed(self, event: m.Message | m.Amended | m.RoomEvent, now: float) -> Iterator[Any]:
        yield self.cursor.heard(event)

    def _on_presence(self, event: m.Presence, now: float) -> Iterator[Any]:
        if event.what == "renamed" and fold(event.login) == fold(self.login):
            self.login = event.text
            self.cursor.renamed(event.text)
        yield event

    # -- life --------------------------------------------------------------------------------------------------------

    def _on_ping(self, event: m.Pinged, now: float) -> Iterator[Any]:
        self.send(m.Pong(event.token))
        yield None

    def _on_pong(self, event: m.Ponged, now: float) -> Iterator[Any]:
        if self._pinged is not None:
            self.latency = now - self._pinged
        yield None


_TAKE: dict[type, Callable[[Peer, Any, float], Iterator[Any]]] = {
    m.Challenge: Peer._on_challenge,
    m.Welcome: Peer._on_welcome,
    m.Refused: Peer._on_refused,
    m.Goodbye: Peer._on_bye,
    m.Forked: Peer._on_forked,
    m.Accepted: Peer._on_accepted,
    m.Message: Peer._on_feed,
    m.Amended: Peer._on_feed,
    m.RoomEvent: Peer._on_feed,
    m.Presence: Peer._on_presence,
    m.Pinged: Peer._on_ping,
    m.Ponged: Peer._on_pong,
}
