"""World: the floor under all topics. What there is (state, sessions, limits), and the few words that every topic says.

Topics take a World and append effects to ``out``; they know nothing of the gate above them (core.chat). What belongs to
one topic lives in that topic's own small object here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from typing import NamedTuple

from tcpchat.core import model as m
from tcpchat.core.effects import Effects
from tcpchat.core.proofs import server_id
from tcpchat.core.rules import ALL, READY, WAITING, Limits, dm_users
from tcpchat.core.sessions import Audience, Session, User
from tcpchat.core.state import Room, State
from tcpchat.core.throttle import Guesses, Newcomers

MISSED_MAX = 1_024  # receipts and the like kept for a session that is not live
RECENT = 512  # newest entries kept at hand, so that a reader that is nearly there catches up without the log
CODE_SECONDS = 600  # a code that links a device lives so long; wrong ones make an address wait as long

Gate = Callable[[Session, m.Command, float], Effects]


class Link(NamedTuple):
    """A code that is shown: until when it holds, and what the device that shows it came in by."""

    code: str
    until: float
    by: str


class Gathering:
    """Presence: comings and goings of one window, and those that wait for its end."""

    __slots__ = ("told", "until", "waiting")

    def __init__(self) -> None:
        self.told = 0  # comings and goings told in this window
        self.until = 0.0  # when the window ends
        self.waiting: list[tuple[User, m.Presence | m.Preference, Session | None]] = []


class Counting:
    """Receipts: the rooms in which cursors have moved since the last count."""

    __slots__ = ("at", "delivered", "read")

    def __init__(self) -> None:
        self.at = 0.0  # when they are counted next
        self.delivered: dict[int, Room] = {}
        self.read: dict[int, Room] = {}


class Crowd:
    """Who of a room is here, kept for all who ask soon after each other; whoever changes is looked at again."""

    __slots__ = ("answer", "people", "stale")

    def __init__(self, stale: set[int]) -> None:
        self.people: dict[int, m.Person] = {}
        self.stale = stale  # numbers of logins
        self.answer: tuple[m.Person, ...] = ()


class Shown:
    """Who: what others are shown of people, kept for all who ask soon after each other."""

    __slots__ = ("crowds", "people", "until")

    def __init__(self) -> None:
        self.people: dict[int, dict[str | None, m.Person]] = {}  # whom somebody has asked for, by role
        self.crowds: dict[int, Crowd] = {}  # who is here, by room number
        self.until = 0.0  # when both are forgotten, to save their memory


class Codes:
    """Short codes: who guesses at them, and those that are being used."""

    __slots__ = ("guesses", "spending")

    def __init__(self) -> None:
        self.guesses = Guesses(first=CODE_SECONDS, most=CODE_SECONDS)  # at those that link devices, by address
        self.spending: set[str] = set()  # invite codes whose use is on its way to the log


class Due:
    """When topics look at something again."""

    __slots__ = ("clock", "guests", "rules")

    def __init__(self) -> None:
        self.guests = 0.0  # guests that stayed away
        self.rules = 0.0  # what has run out
        self.clock = 0.0  # the time of day


class Lineage:
    """Of the log: whose entries these are."""

    __slots__ = ("all", "began_at", "proving")

    def __init__(self) -> None:
        self.all: tuple[tuple[str, int], ...] = ()  # (id, behind which seq it begins), oldest first
        self.began_at = 0  # the head when this run began
        self.proving: list[Session] = []  # those who have shown that the log went back, until a new one has begun


class World:
    """State, sessions and limits. Time, ids and random values come in with the calls."""

    def __init__(self, settings: Limits | None = None) -> None:
        self.limits = settings or Limits()
        self.state = State()
        self.sessions: dict[int, Session] = {}
        self.strangers: dict[int, Session] = {}  # sessions that are not open yet
        self.guests: dict[int, User] = {}  # guests by number
        self.guesses = Guesses()  # wrong passwords, by address
        self.newcomers = Newcomers()
        self.links: dict[int, Link] = {}  # login -> the code that links a device to it
        self.codes = Codes()
        self.recent: deque[m.Entry | m.Row] = deque(maxlen=RECENT)
        self.late: dict[Session, m.Confirm] = {}  # confirmations beyond the rate: the last one says it all
        self.gathering = Gathering()
        self.counting = Counting()
        self.shown = Shown()
        self.due = Due()
        self.lineage = Lineage()
        self.online = 0
        self.ready = WAITING
        self.started = 0.0
        self.now = 0.0  # of the batch that is being applied
        self.offset = 0.0  # seconds from `now`, which only goes forward, to the time of day
        self.salt = b""  # secret of this data folder: what nobody's SCRAM salts are made of
        self.admin_secret = ""  # of this run, in a file of the data folder; "" = nobody is an operator by it
        self.unshown: Callable[[int], None] = nothing  # the driver's: is told of an entry that could not be shown
        self.gate: Gate = closed  # the chat's: takes what was sent before a session was open

    @property
    def head(self) -> int:
        """The last seq that was applied."""
        return self.state.seq

    @property
    def server_id(self) -> str:
        """By which clients know this server; it stays when a backup of the log is restored."""
        return server_id(self.lineage.all[0][0]) if self.lineage.all else ""

    @property
    def log_id(self) -> str:
        """Of which lineage what is said now is; "" when the log has none."""
        return self.lineage.all[-1][0] if self.lineage.all else ""

    @property
    def everyone(self) -> Audience:
        """All open sessions."""
        return self.state.rooms[ALL].audience

    def ms(self, now: float) -> int:
        """The time of day at ``now``, in milliseconds since 1970: for what is shown or stored, never for how long."""
        return int((now + self.offset) * 1000)

    # -- rooms and who hears them ------------------------------------------------------------------------------

    def known_room(self, session: Session, name: str) -> Room | None:
        """The room of this name, if this session may know that there is one: of a secret room those who are in it, or
        invited, and operators do. To all others it is a room that does not exist."""
        room, user = self.state.room(name), session.user
        if room is None or user is None or "secret" not in room.modes or session.staff or session.hook == room.number:
            return room
        return room if user.uid in room.invited or self.state.is_member(user, room) else None

    def audiences(self, session: Session) -> list[Audience]:
        """What a session hears: its login's rooms and direct conversations; with a room token that room alone."""
        user = session.user
        if user is None:
            return []
        if session.hook:
            room = self.state.rooms.get(session.hook)
            return [room.audience] if room else []
        directs = [self.state.directs[number] for number in user.directs if number in self.state.directs]
        return [room.audience for room in self.state.rooms_of(user)] + directs

    def audience(self, number: int) -> Audience | None:
        """Who hears a room, or a direct conversation (made when somebody of it is online)."""
        if number > 0:
            room = self.state.rooms.get(number)
            return room.audience if room else None
        return self._direct_audience(number)

    def _direct_audience(self, number: int) -> Audience | None:
        """The sessions of both, kept while somebody is online."""
        audience = self.state.directs.get(number)
        if audience is None:
            users = [user for uid in set(dm_users(number)) if (user := self.state.users.get(uid))]
            sessions = [session for user in users for session in user.sessions if not session.hook]
            if not sessions:
                return None
            audience = self.state.directs[number] = Audience()
            for session in sessions:
                audience.add(session)
        return audience

    # -- telling -----------------------------------------------------------------------------------------------

    def tell_user(self, user: User, event: m.AnyEvent, out: Effects, but: Session | None = None) -> None:
        """Tell every session of a user; who is not live is told when it is."""
        for session in user.sessions:
            if session is but:
                continue
            # Who came by a room token hears of that room alone: what became of what it posted there.
            if session.hook and getattr(event, "to", "") != self.state.rooms[session.hook].name:
                continue
            # Scripts without a feed wait for receipts; the door of the original clients paces what it tells itself.
            if session.live or deaf(session) or session.traits.tells_itself:
                out.append(m.Tell(session, event))
            elif type(event) is not m.TypingNotice:
                _keep_for_later(session, event)

    def reshow(self, user: User | None = None) -> None:
        """Something has changed that others are shown of a login (of any, without one)."""
        if user is None:
            self.shown.people.clear()
            self.shown.crowds.clear()
        else:
            self.shown.people.pop(user.uid, None)
            for crowd in self.shown.crowds.values():
                crowd.stale.add(user.uid)

    def update_ready(self, out: Effects) -> None:
        """Push WAIT4CLIENTS or READY2SERV when it has changed."""
        ready = READY if self.online >= 2 else WAITING
        if ready != self.ready:
            self.ready = ready
            out.append(m.FanOut(self.status(0.0), self.everyone))
            for session in self.everyone:  # few: it changes between one login and two
                if session.live:
                    session.ready = ready

    def status(self, now: float) -> m.State:
        """What the server is like now, as a session is told it."""
        limits = self.limits
        uptime = int(now - self.started) if now else 0
        return m.State(self.ready, self.online, self.state.seq, limits.server_name, limits.version, uptime=uptime)


def closed(session: Session, command: m.Command, now: float) -> Effects:
    """Where no chat stands over the world."""
    return []


def nothing(seq: int) -> None:
    """Where nobody wants to know."""


def deaf(session: Session) -> bool:
    """Does it hear answers and receipts alone, and no feed?"""
    return session.sent < 0


def _keep_for_later(session: Session, event: m.AnyEvent) -> None:
    """Keep the newest event of each sort: receipts and marks are cumulative, so memory is bounded by conversations."""
    key: Hashable = (type(event), getattr(event, "to", ""), getattr(event, "state", ""))
    if type(event) is m.RoomEvent or (type(event) is m.Receipt and event.have < event.of):
        key = (key, event.seq)
    missed = session.missed
    if missed is None:
        missed = session.missed = {}
    missed.pop(key, None)
    missed[key] = event
    if len(missed) > MISSED_MAX:
        del missed[next(iter(missed))]
