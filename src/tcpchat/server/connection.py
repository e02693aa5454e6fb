"""One connection: bytes from the transport to its door, the door's commands to the chat, and back.

The first bytes choose the door, once. A connection knows when its peer is silent, when its pipe is full, and how to
end; it knows nothing of any protocol.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tcpchat.core.errors import CODES
from tcpchat.core.model import (
    Amended,
    AnyEvent,
    Append,
    Command,
    Confirm,
    Goodbye,
    Keep,
    Load,
    Message,
    Refused,
    RoomEvent,
    Welcome,
)
from tcpchat.core.sessions import Way
from tcpchat.doors import Door, Handover, Peer
from tcpchat.doors.choose import FIRST_BYTES_MAX, choose
from tcpchat.doors.registry import KINDS
from tcpchat.server import clock
from tcpchat.server.clock import TICKS_PER_SECOND
from tcpchat.server.fanout import faulty
from tcpchat.server.layer import TLS_REFUSED, Layer
from tcpchat.server.sockets import keep_alive, peer_address, why_lost
from tcpchat.server.turns import BYTES_A_UNIT, FREE, cut
from tcpchat.trust.client_hello import whole

if TYPE_CHECKING:
    from tcpchat.core.sessions import Session, User
    from tcpchat.server import Server
    from tcpchat.server.fanout import Parcel

logger = logging.getLogger("tcpchat.server")

COPIED_MAX = 16_384  # bytes: bigger pieces, which many others get too, are not copied for each
ANSWERS_MAX = 32_768  # bytes of answers gathered before they are written, so that a full pipe is noticed
COUNTED = frozenset({Append, Keep})  # what the chat or others' messages bound: all else is counted here
LOADS_MAX = 16  # unanswered questions (pages, searches) of one peer; it is not read until they are fewer
LINGER_SECONDS = 1  # a peer that was told that it has to go has this long to go itself
KEPT = frozenset({Message, Amended, RoomEvent})  # events of entries: a reader must not be held up for good by one
CLOSE_SECONDS = 5  # a peer has this long to take what is left before the connection is cut


class Connection(asyncio.BufferedProtocol):
    """One peer on the port."""

    __slots__ = (
        "backlog", "closed", "closing", "commands", "counted", "door", "end", "ended", "entering", "first",
        "full", "heard", "held", "last", "layer", "loading", "loads", "out", "parcels", "peer", "pinged",
        "pipe", "queued", "server", "session", "spent", "spent_at", "told", "touched", "transport", "unsent", "user",
        "visitor", "waiting",
    )  # fmt: skip

    def __init__(self, server: Server) -> None:
        self.server, self.pipe = server, server.pipe
        self.transport: asyncio.Transport
        self.door: Door
        self.session: Session | None = None
        self.layer: Layer | None = None
        self.peer = Peer()  # who is there, by an address that is counted
        self.visitor: Peer | None = None  # what the door has learnt about that
        self.first: bytes | None = b""  # first bytes until the door is chosen; None from then on
        # Lists while there is something in them: an empty tuple costs a connection nothing.
        self.out: list[bytes | memoryview] | tuple[()] = ()  # what leaves at the end of this turn
        self.parcels: list[Parcel] | tuple[()] = ()  # used by the pipe during a fan-out
        self.last = 0  # last entry among the shared events of this turn
        self.told = self.touched = False  # the door has bytes; the pipe will flush this connection
        self.full = self.waiting = False  # transport above its high-water mark; door not ready
        # Mostly empty, too.
        self.held: tuple[str, ...] = ()  # why this peer is not read just now
        self.loads: tuple[Load, ...] = ()  # its questions that wait
        self.loading = False
        self.backlog = b""  # read, and not handled before the others' turn
        self.commands: Sequence[Command] = ()  # the same, of a piece that was begun
        self.queued = self.ended = False  # it stands in a line of turns; its last byte has been read
        self.counted = 0  # commands of this piece that the chat counts
        self.spent = self.spent_at = 0.0  # work that it has made and nobody else counts (turns.charge)
        self.unsent = 0  # bytes of answers gathered in this turn
        self.user: User | None = None  # who has been welcomed here, quiet sessions aside
        self.entering = False  # its door still shows the rooms: answers may come, messages not yet
        self.heard = server.ticks
        self.pinged = self.closed = self.closing = False
        self.end = 0  # tick at which a closing connection is cut

    # -- transport -------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "set_write_buffer_limits")
        self.transport = transport  # type: ignore[assignment]
        self.transport.set_write_buffer_limits(high=self.server.config.write_buffer)
        address, local = peer_address(transport)
        self.peer = Peer(address, False, local)
        refusal = self.server.admit(self)
        if refusal:
            self.polite(refusal)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go: one place for all, they are taken out of it at once."""
        return self.server.view

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(bytes(self.server.view[:nbytes]))

    def data_received(self, data: bytes) -> None:
        if self.closing:
            return
        if self.first is None:  # before that time runs from the start: bytes that drip are no sign of life
            self.heard, self.pinged = self.server.ticks, False
        try:
            if self.layer is not None:
                self._decrypt(self.layer, data)
            elif self.first is None:
                self._received(data)
            else:
                self._first(data)
        except Exception:
            self.bug()

    def eof_received(self) -> bool:
        """The peer has said all it wants to say: answer what is on its way, then close."""
        if self.layer is None or not self.layer.ended:
            self._ended()
        return self.layer is None and self.first is None and not self.closing

    def _ended(self) -> None:
        if self.backlog or self.commands or (self.first is None and self.door.unread):
            self.ended = True  # first what it said before
            return
        if self.first is None and not self.closing:
            try:
                self._take(b"")
            except Exception:
                self.bug()
        if self.first is not None or (self.pipe.idle and not self.loads and not self.loading):
            self.finish()
        elif not self.closing:
            self.pipe.own(self._answer_and_close(), "last answers")

    async def _answer_and_close(self) -> None:
        """Close once everything that was asked is answered. An answer may ask in turn (what came behind Hello in one
        go), hence two quiet rounds."""
        quiet = 0
        while quiet < 2 and not self.closing and await self.pipe.drained(CLOSE_SECONDS):
            quiet = 0 if self.loading else quiet + 1
            await asyncio.sleep(0.005 if self.loading else 0)
        self.finish()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = self.closing = True
        self.server.leave(self)
        self.loads, self.commands, self.backlog = (), (), b""
        session = self._end_session(why_lost(exc))
        if self.first is None:
            self.door.closed(session is not None and session.user is not None and session.user.online)

    def _end_session(self, why: str) -> Session | None:
        """The chat's session of this connection is over."""
        session, self.session = self.session, None
        if session is not None:
            self.pipe.run(self.server.chat.close(session, clock.now(), why))
            session.carrier = None
        return session

    def pause_writing(self) -> None:
        """The peer reads too slowly: its feed leaves the live set, and it is not read either (answers need room)."""
        self.full = True
        self.pause("full")
        if self.session is not None:
            self.server.chat.paused(self.session)

    def resume_writing(self) -> None:
        self.full = False
        self.unpause("full")
        self._resumed()
        if self.first is None and self.door.producing:
            self.wake()

    # -- from the peer to the chat ---------------------------------------------------------------------------

    def _first(self, data: bytes) -> None:
        """Gather the first bytes until they say which door this is."""
        assert self.first is not None
        data = self.first + data
        kind = choose(data)
        if kind == "more":
            self.first = data
            if len(data) >= FIRST_BYTES_MAX:
                self._unknown()
        elif kind == "tls" and self.layer is None:
            self._start_tls(data)
        elif kind not in KINDS:
            self._unknown()
        elif self.layer is None and self.server.config.require_tls:
            self._insist(kind, data)
        else:
            self._enter(kind, data)

    def _insist(self, kind: str, data: bytes) -> None:
        """Only TLS is taken here: say so in the peer's language."""
        refuse = self.server.site.realm(kind).refuse_plain
        answer = refuse(data)
        if answer is None and len(data) < FIRST_BYTES_MAX:
            self.first = data  # the rest of the head is on its way
        else:
            self.polite(answer or refuse(data + b"\r\n\r\n") or b"")

    def _start_tls(self, data: bytes) -> None:
        if self.server.tls is None:
            self.polite(TLS_REFUSED)
        elif not whole(data):
            self.first = data
        else:
            self.layer, self.first = self.server.tls(data), b""
            self._decrypt(self.layer, data)

    def _decrypt(self, layer: Layer, data: bytes) -> None:
        plain = layer.receive(data)
        answer = layer.data_to_send()
        if answer:
            self.transport.write(answer)
        if plain:
            (self._received if self.first is None else self._first)(plain)
        if layer.closing:
            self.finish()
        elif layer.ended and not self.closing:
            self._ended()

    def _enter(self, kind: str, data: bytes) -> None:
        layer = self.layer
        certfp = layer.certfp if layer is not None else ""
        self.peer = Peer(self.peer.address, layer is not None, self.peer.local, certfp)
        self._open(self.server.site.realm(kind).door(self.peer))
        self._received(data)

    def _open(self, door: Door) -> None:
        """This door takes the connection, as a new session of the chat."""
        self.door, self.first, self.heard = door, None, self.server.ticks
        door.wake = self.wake
        if door.pingless:
            keep_alive(self.transport)
        random = secrets.token_urlsafe(36)
        self.session = self.server.chat.open(
            clock.now(),
            nonce=random[:32],
            device=random[32:],
            door=door.name,
            dialect=door.dialect,
            secure=self.peer.secure,
            local=self.peer.local,
            address=self.peer.address,
            certfp=self.peer.certfp,
            traits=door.traits,
            binding=self.layer.fingerprint if self.layer is not None and not door.traits.proof_is_unbound else "",
            way=Way(
                "ws" if door.traits.proof_is_unbound else "tls" if self.layer is not None else "plain", self.server.port
            ),
        )
        self.session.carrier = self

    def _met(self, peer: Peer | None) -> None:
        """The door has learnt who is there, and what is spoken inside."""
        self.visitor = peer
        if peer is None:
            return
        session = self.session
        if session is not None:
            if session.traits is not self.door.traits:
                session.traits, session.opened = (
                    self.door.traits,
                    clock.now(),
                )  # a WebSocket now: it says hello, and soon
            session.door = self.door.name
            session.address, session.secure, session.local = peer.address, peer.secure, peer.local
        self.server.moved(self, peer)

    def _received(self, data: bytes) -> None:
        """A piece at once, the rest when others have had their turn."""
        if self.held or self.spent > FREE or (len(data) > self.door.piece and not self.door.streaming):
            self.backlog += data
            self.server.turns.wait(self)
        else:
            self._take(data)

    @property
    def waits_for_turn(self) -> bool:
        """Does nothing but its turn keep what waits from being handled? A door that wants no more bytes for now goes on
        with the lines that it has."""
        if self.held == ("turn",):
            return True
        return set(self.held) == {"turn", "door"} and (bool(self.commands) or self.door.unread)

    def turn(self) -> None:
        """Handle a piece of what waits."""
        now, door = clock.now(), self.door
        if self.commands:
            commands, self.commands = self.commands, ()
            self._handle(commands, door.units, 0, now)
        elif door.unread:
            before = door.units
            self._handle(door.more(now), before, 0, now)
        elif self.backlog and "door" not in self.held:
            size = len(self.backlog) if self.door.streaming else cut(self.backlog, self.door.piece)
            piece, self.backlog = self.backlog[:size], self.backlog[size:]
            self._take(piece)
        if not (self.commands or self.backlog or self.door.unread):
            self.unpause("turn")
            if self.ended:
                self._ended()

    def _take(self, data: bytes) -> None:
        now, door = clock.now(), self.door
        before = door.units
        self._handle(door.receive(data, now), before, len(data), now)

    def _handle(self, commands: Sequence[Command], before: int, size: int, now: float) -> None:
        """Handle commands, and count the work that the chat does not. ``before``: of the door's units, before it made
        them of ``size`` bytes."""
        door, session = self.door, self.session
        self.counted = 0
        if door.visitor is not self.visitor:
            self._met(door.visitor)
        self.told = True
        if not self.touched:
            self.touched = True
            self.pipe.touch(self)
        if session is not None:
            self._ask(commands, now)
        units = door.units - before - self.counted
        if not self.counted and size >= BYTES_A_UNIT and not door.streaming:
            units += size // BYTES_A_UNIT
        if units:
            self.server.turns.charge(self, units, now)
        if door.busy:
            self.pause("door")
        if door.leaving:
            self.pause("handover")
        if self.commands or door.unread:
            self.server.turns.wait(self)

    def _ask(self, commands: Sequence[Command], now: float) -> None:
        """Hand commands to the chat, in order, as far as limits let it."""
        session, pipe = self.session, self.pipe
        assert session is not None
        if self.door.dialect != session.dialect:  # capabilities of IRC, a page that became a WebSocket
            self.server.chat.redialect(session, self.door.dialect)
        if not commands:
            return
        receive, audit, counted = self.server.chat.receive, pipe.audit, 0
        for place, command in enumerate(commands, 1):
            if audit is not None:
                audit.command(session, command)
            effects = receive(session, command, now)
            pipe.run(effects)
            if effects and type(effects[0]) in COUNTED:
                counted += 1
                if audit is not None and type(command) is Confirm:
                    audit.confirmed(session)  # it has moved a cursor: others write nothing
                continue
            if self.closing:
                break
            if self.told and place < len(commands) and self._crowded():
                self.commands = commands[place:]
                break
        self.counted += counted
        if len(pipe.pending) > self.server.pending_max:
            pipe.throttle(self)
        if len(self.loads) > LOADS_MAX:
            self.pause("loads")

    def _crowded(self) -> bool:
        """Do so many answers wait, here or in the transport, that the next command had better wait too?"""
        self._gather()
        if self.unsent > ANSWERS_MAX:
            self._write_out()
        return self.full or len(self.loads) > LOADS_MAX

    def _may_proceed(self, door: Door) -> bool:
        """May what was told let waiting lines go on, or have changed how this peer is told and read?"""
        session = self.session
        if door.may_proceed or self.held or self.commands or door.entering != self.entering:
            return True
        return session is not None and door.dialect is not session.dialect

    def _go_on(self) -> None:
        """Lines that waited for an answer may go on now, and this peer may perhaps be read again."""
        now, door = clock.now(), self.door
        self.counted, before = 0, door.units
        try:
            while not self.full and (commands := door.more(now)) and self.session is not None and not self.closing:
                self._ask(commands, now)
                self._crowded()
                if door.unread:
                    break  # the rest has its turn when others have had theirs
            if self.session is not None:
                self._ask([], now)
        except Exception:
            self.bug()
            return
        if door.busy:
            self.pause("door")
        else:
            self.unpause("door")
        if units := door.units - before - self.counted:
            self.server.turns.charge(self, units, now)
        if self.commands or door.unread:
            self.server.turns.wait(self)
        if self.session is not None and door.entering != self.entering:
            self.entering = not self.entering
            if self.entering:
                self.server.chat.paused(self.session)
            else:
                self._resumed()

    def wake(self) -> None:
        """The door has something to say although nobody told it anything."""
        self.told = True
        if not self.touched and not self.closing:
            self.touched = True
            self.pipe.touch(self)

    def _unknown(self) -> None:
        self.polite(b"tcpchat: " + CODES["no_protocol"].text.encode() + b"\r\n")

    def bug(self) -> None:
        """An exception is a fault of ours: a traceback in the log, a polite goodbye on this connection."""
        logger.exception("! a fault of this server, in the connection of %s", self.peer.address)
        if self.closing:
            return
        try:
            if self.first is None:
                self.door.deliver(Goodbye(why=CODES["internal"].text, code="internal"))
                self.write(self.door.data_to_send())
        except Exception:
            logger.debug("! and it could not say goodbye", exc_info=True)
        self._close()

    # -- from the chat to the peer ---------------------------------------------------------------------------

    def tell(self, event: AnyEvent) -> None:
        """Tell this peer alone."""
        if self.closing or self.first is not None:
            return
        if type(event) is Welcome or type(event) is Refused:
            self._note(event)
        try:
            self.door.deliver(event)
        except Exception:
            if type(event) not in KEPT:
                self.bug()
                return
            faulty(event)  # stepped over: what stands behind it in the log is told
        self.told = True
        if not self.touched:
            self.touched = True
            self.pipe.touch(self)

    def share(self, data: bytes | memoryview, last: int) -> None:
        """Tell this peer what others get too, already encoded."""
        if self.told:
            self._gather()
        self._add(data)
        if last > self.last:
            self.last = last
        if not self.touched:
            self.touched = True
            self.pipe.touch(self)

    def _gather(self) -> None:
        self.told = False
        data = self.door.data_to_send()
        if data:
            self.unsent += len(data)
            self._add(data)

    def _add(self, data: bytes | memoryview) -> None:
        if self.out:
            self.out.append(data)
        else:
            self.out = [data]

    def flush(self) -> None:
        """Write what this turn brought, in one piece."""
        self.touched = False
        if self.closing:
            return
        door = self.door
        if self.told:
            if (door.sequential and self._may_proceed(door)) or "door" in self.held:
                self._go_on()
                if self.closing:
                    return
            self._gather()
        if self.last:
            mark = door.mark(self.last)
            self.last = 0
            if mark:
                self._add(mark)
        self._write_out()
        if door.producing and not self.full:
            self._produce(door)
        if door.unread:
            self.server.turns.wait(self)
        if door.leaving:
            self._hand_over(door, door.hand_over())
            return
        if door.closing:
            self._close(linger=door.lingers)
        elif not door.ready and not self.waiting:
            self.waiting = True
            if self.session is not None:
                self.server.chat.paused(self.session)
        elif self.waiting and door.ready:
            self.waiting = False
            self._resumed()

    def _produce(self, door: Door) -> None:
        """One piece of a long answer; the next when others have had their turn, and when there is room for it."""
        if piece := door.produce(clock.now()):
            self.heard = self.server.ticks  # the transport had room for it: the peer takes what it is sent
            self.write(piece)
            if door.producing and not self.full:
                asyncio.get_running_loop().call_soon(self.wake)

    def _hand_over(self, door: Door, handover: Handover) -> None:
        """The door has said its last word: another one, or TLS, goes on with what was read and not understood yet."""
        rest, self.backlog = handover.rest + self.backlog, b""
        if handover.door is not door:
            self._end_session("")
            door.closed(False)
            self._open(handover.door)
        self.unpause("handover")
        if not handover.tls:
            if rest:
                self._received(rest)
        elif self.server.tls is None or self.layer is not None:
            self.finish()
        else:
            self.layer, self.peer = self.server.tls(b""), self.peer._replace(secure=True)
            if self.session is not None:
                self.session.secure = True
            self._decrypt(self.layer, rest)

    def _write_out(self) -> None:
        self.unsent = 0
        if self.out:
            out, self.out = self.out, ()
            self._write_all(out)

    def _write_all(self, out: Sequence[bytes | memoryview]) -> None:
        if len(out) == 1:
            self.write(out[0])
        elif self.layer is None and len(max(out, key=len)) > COPIED_MAX:
            self.transport.writelines(out)
        else:
            self.write(b"".join(out))

    def write(self, data: bytes | memoryview) -> None:
        if self.layer is not None:
            self.layer.send(bytes(data))
            data = self.layer.data_to_send()
        self.transport.write(data)

    def polite(self, text: bytes) -> None:
        """Say one line to a peer that has no door, and close."""
        if not self.closing:
            self.write(text)
            self.finish()

    # -- back-pressure ---------------------------------------------------------------------------------------

    @property
    def stuck(self) -> bool:
        """True while this peer cannot take another page of its feed."""
        return self.full or not self.door.ready

    def _resumed(self) -> None:
        """The peer takes events again: answer its questions, go on with its feed from the log."""
        if self.session is None or self.closed or self.stuck or self.entering:
            return
        self.pipe.run(self.server.chat.resumed(self.session, clock.now()))
        self.pipe.answer(self)

    def recheck(self) -> None:
        """After a page of the feed: it may have filled the pipe, and then the session must not be live."""
        if self.session is not None and (self.stuck or self.entering):
            self.server.chat.paused(self.session)

    def pause(self, why: str) -> None:
        """Read nothing more from this peer for now."""
        if not self.held and not self.closing:
            self.transport.pause_reading()
        if why not in self.held:
            self.held += (why,)

    def unpause(self, why: str) -> None:
        if why in self.held:
            self.held = tuple(one for one in self.held if one != why)
            if self.held == ("turn",):
                self.server.turns.join(self)
            elif not self.held and not self.closing:
                self.heard = self.server.ticks  # it could not be heard until now
                self.transport.resume_reading()

    # -- the end ---------------------------------------------------------------------------------------------

    def hang_up(self, code: str, text: str = "") -> None:
        """Say goodbye in the door's language, write what is left, close."""
        known = CODES.get(code)  # a peer that says goodbye itself gives a reason of its own
        self.tell(Goodbye(why=text or (known.text if known else code), code=code if known else ""))
        self.finish()

    def finish(self) -> None:
        """Write what is left and close."""
        if self.first is None and not self.closing:
            self.told = True  # the door may have something to say of its own
            self.flush()
        if not self.closing:
            self._close()

    def _close(self, linger: bool = False) -> None:
        """End the connection. ``linger``: the peer is in the middle of a word, and what it sends to a closed socket
        makes its machine throw away the last words that it was told; so it is the one who closes, if it does soon.
        The same when it was not read: what lies unread in a socket that is closed resets the connection."""
        linger = linger or bool(self.held)
        self.closing = True
        self.end = self.server.ticks + (LINGER_SECONDS if linger else CLOSE_SECONDS) * TICKS_PER_SECOND
        if self.layer is not None:
            self.layer.close()
            self.transport.write(self.layer.data_to_send())
        if linger:
            if self.held:
                self.transport.resume_reading()
            with contextlib.suppress(OSError):  # it has gone itself
                self.transport.write_eof()
                return
        self.transport.close()

    def _note(self, event: Welcome | Refused) -> None:
        if self.session is None:
            return
        if isinstance(event, Welcome):
            if self.user is not None and self.user is not self.session.user:  # a guest has become its account
                self.server.audit.left(self.user)
                self.user = None
            if self.user is None and not self.session.quiet:
                self.user = self.session.user
                if self.user is not None:
                    self.server.audit.came(self.user)
        elif self.pipe.audit is not None:
            self.pipe.audit.refused(self.session, event)
