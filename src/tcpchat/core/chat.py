"""Chat: the one gate. Commands come in through ``receive``, facts through ``applied``; effects go out.

Pure and synchronous: no sockets, no SQL, no clock. The driver carries out the effects in order. Handlers live in
modules by topic and append to ``out``; the tables at the end say which handler takes what.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from tcpchat.core import (
    certificates,
    counting,
    entering,
    linking,
    messages,
    operators,
    people,
    presence,
    queries,
    receipts,
    resuming,
    rooms,
    scram,
    serverwords,
    silence,
    who,
)
from tcpchat.core import model as m
from tcpchat.core.bounds import Bounds, Refusal, size_of
from tcpchat.core.errors import CODES
from tcpchat.core.rules import ALL, READY, WAITING, WINDOW, Limits
from tcpchat.core.sessions import CLOSED, NEW, OPEN, PLAIN, Audience, Session, Traits
from tcpchat.core.state import Room, State, User
from tcpchat.core.throttle import Guesses, Newcomers

Effects = list[m.AnyEffect]
EARLY_MAX = WINDOW + 16  # commands that may be sent behind Hello before it is answered: a window and a little
EARLY_BYTES = 65_536  # of their texts: nobody has proved anything yet
MISSED_MAX = 1_024  # receipts and the like kept for a session that is not live
RECENT = 512  # newest entries kept at hand, so that a reader that is nearly there catches up without the log
SHOWN_SECONDS = 1.0  # what others are shown of somebody is kept: in a class that comes everybody asks for everybody


class Chat:
    """The chat itself. Time, ids and random values come in with the calls; the same entries give the same state."""

    def __init__(self, settings: Limits | None = None) -> None:
        self.limits = settings or Limits()
        self.bounds = Bounds(self.limits, {do: frozenset(act.takes.split()) for do, act in operators.ACTS.items()})
        self.late: dict[Session, m.Confirm] = {}  # confirmations beyond the rate: the last one says it all
        self.state = State()
        self.sessions: dict[int, Session] = {}
        self.strangers: dict[int, Session] = {}  # sessions that are not open yet, for tick
        self.guests: dict[int, User] = {}  # guests by number, for tick
        self.guesses = Guesses()  # wrong passwords, by address
        self.link_guesses = Guesses(first=linking.SECONDS, most=linking.SECONDS)
        self.newcomers = Newcomers()
        self.links: dict[int, linking.Link] = {}  # login -> the code that links a device to it
        self.spending: set[str] = set()  # invite codes whose use is on its way to the log
        self.recent: deque[m.Entry | m.Row] = deque(maxlen=RECENT)
        self.dirty_rooms: dict[int, Room] = {}  # rooms in which a delivered cursor has moved since the last count
        self.read_rooms: dict[int, Room] = {}  # the same for read cursors
        self._kept: dict[int, list[tuple[str, int, int]]] = {}  # cursors of users that the log has yet to make
        self.count_at = 0.0
        self.guests_at = self.rules_at = 0.0
        self.salt = b""  # secret of this data folder: what nobody's SCRAM salts are made of
        self.admin_secret = ""  # of this run, in a file of the data folder; "" = nobody is an operator by it
        self.told = 0  # comings and goings told in this window
        self.told_at = 0.0  # when the window ends
        self.untold: list[tuple[User, m.Presence | m.Preference, Session | None]] = []
        self.online = 0
        self.shown: dict[int, dict[str | None, m.Person]] = {}  # whom somebody has asked for, by role
        self.crowds: dict[int, who.Crowd] = {}  # who is here, by room number, for those who ask
        self.reshow_at = 0.0  # when both are forgotten, to save their memory
        self.started = 0.0
        self.now = 0.0  # of the batch that is being applied
        self.offset = 0.0  # seconds from `now`, which only goes forward, to the time of day
        self.clock_at = 0.0  # when the time of day is compared again
        self.ready = WAITING
        self.lineages: tuple[tuple[str, int], ...] = ()  # of the log: (id, behind which seq it begins), oldest first
        self.began_at = 0  # the head when this run began
        self.proving: list[Session] = []  # those who have shown that the log went back, until a new lineage has begun
        self.unshown: Callable[[int], None] = nothing  # the driver's: is told of an entry that could not be shown
        self._numbers = 0

    @property
    def head(self) -> int:
        """The last seq that was applied."""
        return self.state.seq

    @property
    def log_id(self) -> str:
        """Of which lineage what is said now is; "" when the log has none."""
        return self.lineages[-1][0] if self.lineages else ""

    @property
    def everyone(self) -> Audience:
        """All open sessions."""
        return self.state.rooms[ALL].audience

    # -- time ------------------------------------------------------------------------------------------------

    def ms(self, now: float) -> int:
        """The time of day at ``now``, in milliseconds since 1970: for what is shown or stored, never for how long."""
        return int((now + self.offset) * 1000)

    def set_clock(self, wall: float, now: float) -> Effects:
        """The computer's time of day is this. When it was set (by NTP, by a person), the ends of mutes, bans and codes
        move with it, so that they last as long as was said."""
        out: Effects = []
        operators.set_clock(self, wall, now, out)
        return out

    # -- from the log at the start ---------------------------------------------------------------------------

    def restore(self, seq: int, state: bytes | None, cursors: list[tuple[int, str, int, int]]) -> None:
        """Take over a snapshot and the kept cursors (user, place, seq, at). Call ``replay`` with the rest next."""
        if state is not None:
            self.state = State.load(state)
            self.state.seq = seq
        for uid, place, seq_kept, at in cursors:
            self._kept.setdefault(uid, []).append((place, seq_kept, at))
        for user in self.state.users.values():
            self._merge_cursors(user)
            receipts.await_again(self, user)
            if not user.claimed:
                self.guests[user.uid] = user

    def _merge_cursors(self, user: User) -> None:
        for place, seq, at in self._kept.pop(user.uid, ()):
            receipts.merge(user, place, seq, at)

    def replay(self, entries: list[m.Entry]) -> None:
        """Apply entries to the state alone: nobody hears of them."""
        known = self.state.next_user
        self._begun(entries)
        for entry in entries:
            self.state.seq = entry.seq
            APPLY[type(entry.fact)](self, entry, entry.fact, None)
            self.recent.append(entry)
        for uid in range(known, self.state.next_user):
            if (user := self.state.users.get(uid)) is not None:
                self._merge_cursors(user)

    def begin(self, lineages: Sequence[tuple[str, int]]) -> None:
        """All is replayed. ``lineages``: whose entries these are, as Log.lineages."""
        self.lineages, self.began_at = tuple(lineages), self.state.seq

    def forked(self, lineages: Sequence[tuple[str, int]], now: float) -> Effects:
        """A lineage that was asked for has begun: all of them; none, when it could not."""
        out: Effects = []
        resuming.forked(self, lineages, now, out)
        return out

    def snapshot(self) -> tuple[int, bytes]:
        """The state as of the last applied entry: (seq, bytes)."""
        return self.state.seq, self.state.dump()

    # -- sessions --------------------------------------------------------------------------------------------

    def open(
        self, now: float, *, nonce: str, device: str, door: str, dialect: Hashable, secure: bool = False,
        local: bool = False, address: str = "", trusted: bool = False, binding: str = "", certfp: str = "",
        traits: Traits = PLAIN,
    ) -> Session:  # fmt: skip
        """A connection has come. ``device`` is the random id of a peer that gives none of its own; ``binding`` what a
        proof has to be bound to (the certificate's fingerprint); ``certfp`` the fingerprint of the peer's own;
        ``traits``: what its protocol is like; ``door`` is only its name."""
        self._numbers += 1
        session = Session(self._numbers, now)
        session.nonce, session.device_id, session.door, session.dialect = nonce, device, door, dialect
        session.secure, session.local, session.address = secure, local, address
        session.trusted, session.binding, session.certfp = trusted, binding, certfp
        session.traits = traits
        self.sessions[session.id] = self.strangers[session.id] = session
        if not self.started:
            self.started = now
        return session

    def relimit(self, limits: Limits) -> None:
        """Other limits from now on; what is there already stays."""
        self.limits = limits
        self.bounds = Bounds(limits, {do: frozenset(act.takes.split()) for do, act in operators.ACTS.items()})

    def close(self, session: Session, now: float, why: str = "") -> Effects:
        """The connection is gone."""
        out: Effects = []
        self.sessions.pop(session.id, None)
        self.late.pop(session, None)
        self.guesses.end(session, False)
        if session.stage != CLOSED:
            presence.leave(self, session, now, why, out)
        session.stage = CLOSED
        return out

    def redialect(self, session: Session, dialect: Hashable) -> None:
        """Its door encodes in another way from now on (capabilities of IRC)."""
        audiences = [audience for audience in self.audiences(session) if session in audience]
        for audience in audiences:
            audience.remove(session)
        session.dialect = dialect
        for audience in audiences:
            audience.add(session)

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

    def paused(self, session: Session) -> None:
        """Its pipe is full: the feed stops here."""
        if session.live:
            session.live = False
            session.sent = self.state.seq
        session.stopped = True

    def resumed(self, session: Session, now: float) -> Effects:
        """Its pipe has room again: read on."""
        out: Effects = []
        session.stopped = False
        if session.stage == OPEN and not session.live and not session.asking and not _deaf(session):
            queries.advance(self, session, out)
        return out

    def behind(self, session: Session, seq: int) -> Effects:
        """It could not be told what stands behind this entry: it reads that from the log, entry by entry."""
        out: Effects = []
        if session.live:
            session.live, session.sent = False, seq
            queries.advance(self, session, out)
        return out

    def read_again(self, entry: m.Entry) -> Effects:
        """Nobody was told of this entry, though it is in the log: who hears its room reads it there."""
        audience = self.audience(number) if (number := getattr(entry.fact, "room", 0)) else None
        return [effect for session in list(audience or ()) for effect in self.behind(session, entry.seq - 1)]

    # -- the gate --------------------------------------------------------------------------------------------

    def known_room(self, session: Session, name: str) -> Room | None:
        """The room of this name, if this session may know that there is one: of a secret room those who are in it, or
        invited, and operators do. To all others it is a room that does not exist."""
        room, user = self.state.room(name), session.user
        if room is None or user is None or "secret" not in room.modes or session.staff or session.hook == room.number:
            return room
        return room if user.uid in room.invited or self.state.is_member(user, room) else None

    def receive(self, session: Session, command: m.Command, now: float) -> Effects:
        """Check a command against the state of now; propose facts, answer, or refuse."""
        out: Effects = []
        kind = type(command)
        if kind is m.Say and session.stage == OPEN and self._as_usual(session, command):  # type: ignore[arg-type]
            session.user.seen = int((now + self.offset) * 1000)  # type: ignore[union-attr]
            messages.say(self, session, command, now, out)  # type: ignore[arg-type]
            return out
        if session.stage == CLOSED:
            return out
        if kind is not m.Say:
            session.spare -= 1
            if (session.spare < 0 or kind not in counting.SIGNALS) and not counting.counted(
                self, session, command, now, out
            ):
                return out
        if kind is not m.Confirm:  # which has no text
            try:
                command = self.bounds.kept(command)
            except Refusal as refusal:
                if counting.odd(self, session, command, now, out):
                    counting.refuse_cut(session, command, refusal.code, out)
                return out
        if session.stage != OPEN and kind not in BEFORE:
            if session.stage == NEW:
                if kind is m.Say and not counting.odd(self, session, command, now, out):
                    return out
                refuse(session, command, "hello_first", out)
                return out
            self._wait(session, command, now, out)
            return out
        if session.user is not None:
            session.user.seen = int((now + self.offset) * 1000)
            if session.user.muted:
                if (hushed := silence.hush(self, session.user, command, now)) is None:
                    if kind is not m.Typing:
                        refuse(session, command, "muted", out)
                    return out
                command = hushed
        elif session.stage == OPEN and kind not in BY_NOBODY:
            refuse(session, command, "hello_first", out)
            return out
        if kind in counting.KEPT and (wait := counting.grows(self, session, size_of(command), now)):
            refuse(session, command, "too_fast", out, text=counting.QUOTA, after=wait)
            return out
        handler = RECEIVE.get(kind)
        if handler is None:
            refuse(session, command, "unsupported", out)
        elif session.hook and kind not in HOOKED:
            refuse(session, command, "not_allowed", out)
        else:
            handler(self, session, command, now, out)
        return out

    def _as_usual(self, session: Session, command: m.Say) -> bool:
        """Is this one of the messages that nearly all are: nothing to be cut or taken out, from somebody who may speak?
        All that ``receive`` looks at for a message, in one step."""
        user = session.user
        return user is not None and not user.muted and not session.hook and self.bounds.plain(command)

    def _wait(self, session: Session, command: m.Command, now: float, out: Effects) -> None:
        """Commands sent behind Hello in one go wait until the session is open (bounded by the window, and in bytes)."""
        if type(command) is m.Say and not counting.odd(self, session, command, now, out):
            return
        size = size_of(command) + sum(map(size_of, session.early))
        if len(session.early) < EARLY_MAX and size <= EARLY_BYTES:
            session.early += (command,)
        else:
            refuse(session, command, "too_many_pending", out)

    def applied(self, entries: list[m.Entry], now: float, out: Effects | None = None) -> Effects:
        """A durable batch, in order: the state changes, then everybody concerned is told.

        What is told gathers in ``out``. Should an entry fail by a fault of this chat, its number is ``head``, ``out``
        has what came before it, and the rest can be applied.
        """
        out = [] if out is None else out
        self.now = now
        state, recent = self.state, self.recent
        self._begun(entries)
        for entry in entries:
            state.seq = entry.seq
            fact = entry.fact
            if self.shown and type(fact) not in QUIET:
                self.reshow()
            recent.append(entry)
            APPLY[type(fact)](self, entry, fact, out)
        return out

    def _begun(self, entries: Sequence[m.Entry]) -> None:
        """#all needs no entry to be there: it is as old as the first one."""
        everybody = self.state.rooms[ALL]
        if not everybody.created and entries:
            everybody.created = entries[0].at

    def failed(self, batch: list[m.Append], now: float) -> Effects:
        """The log refused the batch: nothing of it happened, and those who wait are told."""
        out: Effects = []
        for append in batch:
            fact, origin = append.fact, append.origin
            if type(fact) is m.Said:
                messages.withdraw(self, fact, origin, out)
            elif type(fact) is m.Gone:
                if (user := self.state.users.get(fact.user)) is not None:
                    user.leaving = False
            elif type(fact) is m.Ruled and fact.do == "expire":
                self.spending.discard(fact.args["key"])
            elif origin is not None:
                if origin.session.stage not in (OPEN, CLOSED):
                    origin.session.stage = NEW
                out.append(m.Tell(origin.session, refusal("unavailable", origin.ref, after=1.0)))
        return out

    def kept(self, keeps: Sequence[m.Keep]) -> Effects:
        """Read cursors are durable."""
        out: Effects = []
        for keep in keeps:
            receipts.kept(self, keep, out)
        return out

    def unkept(self, keeps: Sequence[m.Keep]) -> Effects:
        """They could not be made durable: nothing was read, and who waits for the answer is told."""
        return [
            m.Tell(keep.session, refusal("unavailable", keep.ref, after=1.0))
            for keep in keeps
            if keep.session is not None and keep.ref and keep.session.stage == OPEN
        ]

    def loaded(self, load: m.Load, result: m.Result, now: float) -> Effects:
        """The log has answered."""
        out: Effects = []
        if load.session.stage != CLOSED:
            queries.loaded(self, load, result, now, out)
        return out

    def checked(self, check: m.Check, answer: str, now: float) -> Effects:
        """A credential was checked (answer "ok" or "") or made (the hash)."""
        out: Effects = []
        if check.session.stage != CLOSED:
            entering.checked(self, check, answer, now, out)
        return out

    def overloaded(self, check: m.Check) -> Effects:
        """A credential was not checked: too many wait."""
        out: Effects = []
        if check.session.stage != CLOSED:
            entering.overloaded(self, check, out)
        return out

    def tick(self, now: float) -> Effects:
        """About ten times a second: receipts of rooms, guests that stayed away, connections that never said hello."""
        out: Effects = []
        if now >= self.reshow_at:
            self.reshow_at = now + SHOWN_SECONDS
            self.reshow()
        counting.tick(self, now, out)
        self.state.old_looks = None  # an older version's log is read at the start only
        receipts.tick(self, now, out)
        entering.tick(self, now, out)
        presence.tick(self, now, out)
        operators.tick(self, now, out)
        return out

    # -- for the modules -------------------------------------------------------------------------------------

    def reshow(self, user: User | None = None) -> None:
        """Something has changed that others are shown of a login (of any, without one)."""
        if user is None:
            self.shown.clear()
            self.crowds.clear()
        else:
            self.shown.pop(user.uid, None)
            for crowd in self.crowds.values():
                crowd.stale.add(user.uid)

    def tell_user(self, user: User, event: m.AnyEvent, out: Effects, but: Session | None = None) -> None:
        """Tell every session of a user; who is not live is told when it is."""
        for session in user.sessions:
            if session is but:
                continue
            # Who came by a room token hears of that room alone: what became of what it posted there.
            if session.hook and getattr(event, "to", "") != self.state.rooms[session.hook].name:
                continue
            # Scripts without a feed wait for receipts; the door of the original clients paces what it tells itself.
            if session.live or _deaf(session) or session.traits.tells_itself:
                out.append(m.Tell(session, event))
            elif type(event) is not m.TypingNotice:
                _keep_for_later(session, event)

    def audience(self, number: int) -> Audience | None:
        """Who hears a room, or a direct conversation (made when somebody of it is online)."""
        if number > 0:
            room = self.state.rooms.get(number)
            return room.audience if room else None
        return messages.direct_audience(self, number)

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
        limits = self.limits
        uptime = int(now - self.started) if now else 0
        return m.State(self.ready, self.online, self.state.seq, limits.server_name, limits.version, uptime=uptime)


def nothing(seq: int) -> None:
    """Where nobody wants to know."""


def _deaf(session: Session) -> bool:
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


def refusal(
    code: str, ref: int | str = 0, n: int = 0, text: str = "", after: float = 0.0, expected: int = 0,
    about: tuple[str, ...] = (), fatal: bool = False,
) -> m.Refused:  # fmt: skip
    """A Refused with the code's own text unless another is given."""
    return m.Refused(code, text or CODES[code].text, ref, n, after, expected, fatal, about)


def refuse(
    session: Session, command: m.Command, code: str, out: Effects, *, text: str = "", about: tuple[str, ...] = (),
    after: float = 0.0, expected: int = 0,
) -> None:  # fmt: skip
    """Answer a command with a refusal."""
    event = refusal(code, getattr(command, "ref", 0), getattr(command, "n", 0), text, after, expected, about)
    out.append(m.Tell(session, event))


def _status(chat: Chat, session: Session, command: m.Status, now: float, out: Effects) -> None:
    state = chat.status(now)
    event = m.State(
        state.state, state.online, state.head, state.server, state.version, session.secure, state.uptime, command.ref
    )
    out.append(m.Tell(session, event))


def _ping(chat: Chat, session: Session, command: m.Ping, now: float, out: Effects) -> None:
    out.append(m.Tell(session, m.Ponged(command.token)))


def _nothing(chat: Chat, session: Session, command: m.Command, now: float, out: Effects) -> None:
    pass  # its arrival was the message


def _bye(chat: Chat, session: Session, command: m.Bye, now: float, out: Effects) -> None:
    if session.stage != CLOSED:
        presence.leave(chat, session, now, command.why, out)
        session.stage = CLOSED
    out.append(m.HangUp(session, command.why))


def _fault(chat: Chat, session: Session, command: m.Fault, now: float, out: Effects) -> None:
    code = command.code if command.code in CODES else "bad_command"
    text = f"{CODES[code].text} {command.hint}".strip()
    out.append(m.Tell(session, refusal(code, command.ref, text=text, fatal=command.fatal)))
    if command.fatal:
        out.append(m.HangUp(session, code))


Handler = Callable[[Any, Session, Any, float, Effects], None]
Applier = Callable[[Any, m.Entry, Any, Effects | None], None]

# What a session that came by a room's token may do.
HOOKED = {m.Say, m.History, m.Confirm, m.Status, m.Ping, m.Pong, m.Bye, m.Fault}

# Commands that may come before the session is open.
BEFORE = {m.Hello, m.Proof, m.Guess, m.Password, m.Scram, m.External, m.Ping, m.Pong, m.Bye, m.Fault, m.Status}

# Facts that change nothing that others are shown of anybody who is here.
QUIET = {m.Said, m.Arrived, m.Gone}

# What an operator at the server's machine may do, who is nobody in the chat.
BY_NOBODY = {m.Admin, m.Ping, m.Pong, m.Bye, m.Fault, m.Status}

RECEIVE: dict[type, Handler] = {
    m.Hello: entering.hello,
    m.Proof: entering.proof,
    m.Password: entering.password,
    m.Scram: scram.scram,
    m.External: certificates.external,
    m.Guess: serverwords.guess,
    m.Say: messages.say,
    m.Edit: messages.edit,
    m.Remove: messages.remove,
    m.Typing: messages.typing,
    m.Confirm: receipts.confirm,
    m.Read: receipts.read,
    m.Receipts: receipts.who_has,
    m.Join: rooms.join,
    m.Leave: rooms.leave,
    m.Topic: rooms.topic,
    m.Invite: rooms.invite,
    m.Kick: rooms.kick,
    m.Mode: rooms.mode,
    m.Rename: people.rename,
    m.Set: people.prefer,
    m.Away: people.away,
    m.Key: people.key,
    m.Who: who.who,
    m.Rooms: queries.rooms,
    m.History: queries.history,
    m.Search: queries.search,
    m.Status: _status,
    m.Admin: operators.admin,
    m.Ping: _ping,
    m.Pong: _nothing,
    m.Bye: _bye,
    m.Fault: _fault,
}

APPLY: dict[type, Applier] = {
    m.Arrived: entering.arrived,
    m.Gone: presence.gone,
    m.Claimed: people.claimed,
    m.KeyAdded: people.key_added,
    m.KeyRevoked: people.key_revoked,
    m.PasswordSet: people.password_set,
    m.Renamed: people.renamed,
    m.Deleted: people.deleted,
    m.Preferred: people.preferred,
    m.Ruled: operators.ruled,
    m.RoomMade: rooms.made,
    m.Joined: rooms.joined,
    m.Left: rooms.left,
    m.TopicSet: rooms.topic_set,
    m.Invited: rooms.invited,
    m.Moded: rooms.moded,
    m.RoomRenamed: rooms.renamed,
    m.RoomEnded: rooms.ended,
    m.Noted: rooms.noted,
    m.Said: messages.said,
    m.Edited: messages.edited,
    m.Removed: messages.removed,
}
