"""Chat: the one gate. Commands come in through ``receive``, facts through ``applied``; effects go out.

Pure and synchronous: no sockets, no SQL, no clock. The driver carries out the effects in order. Handlers live in
modules by topic and append to ``out``; the tables at the end say which handler takes what.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

from tcpchat.core import (
    certificates,
    counting,
    feed,
    hashing,
    history,
    login,
    messages,
    operators,
    people,
    presence,
    receipts,
    rooms,
    serverwords,
    silence,
    welcome,
    who,
)
from tcpchat.core import model as m
from tcpchat.core.answers import refusal, refuse
from tcpchat.core.bounds import Bounds, Refusal, size_of
from tcpchat.core.effects import Effects
from tcpchat.core.errors import CODES
from tcpchat.core.rules import ALL, WINDOW, Limits
from tcpchat.core.sessions import CLOSED, NEW, OPEN, PLAIN, Session, Traits, User, Way
from tcpchat.core.stages import BEFORE, step
from tcpchat.core.state import State
from tcpchat.core.world import World, deaf

EARLY_MAX = WINDOW + 16  # commands that may be sent behind Hello before it is answered: a window and a little
EARLY_BYTES = 65_536  # of their texts: nobody has proved anything yet
SHOWN_SECONDS = 1.0  # what others are shown of somebody is kept: in a class that comes everybody asks for everybody


class Chat(World):
    """The chat itself. Time, ids and random values come in with the calls; the same entries give the same state."""

    def __init__(self, settings: Limits | None = None) -> None:
        super().__init__(settings)
        self.bounds = Bounds(self.limits, {do: frozenset(act.takes.split()) for do, act in operators.ACTS.items()})
        self.gate = self.receive
        self._kept: dict[int, list[tuple[str, int, int]]] = {}  # cursors of users that the log has yet to make
        self._numbers = 0

    # -- time ------------------------------------------------------------------------------------------------

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
        self.lineage.all, self.lineage.began_at = tuple(lineages), self.state.seq

    def forked(self, lineages: Sequence[tuple[str, int]], now: float) -> Effects:
        """A lineage that was asked for has begun: all of them; none, when it could not."""
        out: Effects = []
        welcome.forked(self, lineages, now, out)
        return out

    def snapshot(self) -> tuple[int, bytes]:
        """The state as of the last applied entry: (seq, bytes)."""
        return self.state.seq, self.state.dump()

    # -- sessions --------------------------------------------------------------------------------------------

    def open(
        self, now: float, *, nonce: str, device: str, door: str, dialect: Hashable, secure: bool = False,
        local: bool = False, address: str = "", trusted: bool = False, binding: str = "", certfp: str = "",
        traits: Traits = PLAIN, way: Way | None = None,
    ) -> Session:  # fmt: skip
        """A connection has come. ``device`` is the random id of a peer that gives none of its own; ``binding`` what a
        proof has to be bound to (the certificate's fingerprint), and ``way`` how it came; ``certfp`` the fingerprint
        of the peer's own; ``traits``: what its protocol is like; ``door`` is only its name."""
        self._numbers += 1
        session = Session(self._numbers, now)
        session.nonce, session.device_id, session.door, session.dialect = nonce, device, door, dialect
        session.secure, session.local, session.address = secure, local, address
        session.trusted, session.binding, session.certfp = trusted, binding, certfp
        session.traits, session.way = traits, way or Way("tls" if binding else "plain")
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
        step(session, "over")
        return out

    def redialect(self, session: Session, dialect: Hashable) -> None:
        """Its door encodes in another way from now on (capabilities of IRC)."""
        audiences = [audience for audience in self.audiences(session) if session in audience]
        for audience in audiences:
            audience.remove(session)
        session.dialect = dialect
        for audience in audiences:
            audience.add(session)

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
        if session.stage == OPEN and not session.live and not session.asking and not deaf(session):
            feed.advance(self, session, out)
        return out

    def behind(self, session: Session, seq: int) -> Effects:
        """It could not be told what stands behind this entry: it reads that from the log, entry by entry."""
        out: Effects = []
        if session.live:
            session.live, session.sent = False, seq
            feed.advance(self, session, out)
        return out

    def read_again(self, entry: m.Entry) -> Effects:
        """Nobody was told of this entry, though it is in the log: who hears its room reads it there."""
        audience = self.audience(number) if (number := getattr(entry.fact, "room", 0)) else None
        return [effect for session in list(audience or ()) for effect in self.behind(session, entry.seq - 1)]

    # -- the gate --------------------------------------------------------------------------------------------

    def receive(self, session: Session, command: m.Command, now: float) -> Effects:
        """Check a command against the state of now; propose facts, answer, or refuse."""
        out: Effects = []
        kind = type(command)
        user, spoken = session.user, kind is m.Say and session.stage == OPEN and not session.hook
        if spoken and user is not None and not user.muted and self.bounds.plain(command):  # type: ignore[arg-type]
            # So it is with nearly all messages: nothing to be cut or taken out, from somebody who may speak.
            user.seen = int((now + self.offset) * 1000)
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
            if self.shown.people and type(fact) not in QUIET:
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
                self.codes.spending.discard(fact.args["key"])
            elif origin is not None:
                step(origin.session, "failed")
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
            LOADED[type(load.command)](self, load, result, now, out)
        return out

    def checked(self, check: m.Check, answer: str, now: float) -> Effects:
        """A credential was checked (answer "ok" or "") or made (the hash)."""
        out: Effects = []
        if check.session.stage != CLOSED:
            if check.what != "key" and check.what not in login.AGAIN:
                hashing.answered(self, check.session, bool(answer))
            CHECKED[type(check.command)](self, check, answer, now, out)
        return out

    def overloaded(self, check: m.Check) -> Effects:
        """A credential was not checked: too many wait."""
        out: Effects = []
        if check.session.stage != CLOSED:
            login.overloaded(self, check, out)
        return out

    def tick(self, now: float) -> Effects:
        """About ten times a second: receipts of rooms, guests that stayed away, connections that never said hello."""
        out: Effects = []
        if now >= self.shown.until:
            self.shown.until = now + SHOWN_SECONDS
            self.reshow()
        if self.late:
            receipts.confirm_late(self, now, out)
        self.state.old_looks = None  # an older version's log is read at the start only
        receipts.tick(self, now, out)
        login.tick(self, now, out)
        presence.tick(self, now, out)
        operators.tick(self, now, out)
        return out


def _kick(chat: World, session: Session, command: m.Kick, now: float, out: Effects) -> None:
    (rooms.kick if command.room else operators.kick_from_chat)(chat, session, command, now, out)


def _status(chat: World, session: Session, command: m.Status, now: float, out: Effects) -> None:
    state = chat.status(now)
    event = m.State(
        state.state, state.online, state.head, state.server, state.version, session.secure, state.uptime, command.ref
    )
    out.append(m.Tell(session, event))


def _ping(chat: World, session: Session, command: m.Ping, now: float, out: Effects) -> None:
    out.append(m.Tell(session, m.Ponged(command.token)))


def _nothing(chat: World, session: Session, command: m.Command, now: float, out: Effects) -> None:
    pass  # its arrival was the message


def _bye(chat: World, session: Session, command: m.Bye, now: float, out: Effects) -> None:
    if session.stage != CLOSED:
        presence.leave(chat, session, now, command.why, out)
        step(session, "over")
    out.append(m.HangUp(session, command.why))


def _fault(chat: World, session: Session, command: m.Fault, now: float, out: Effects) -> None:
    code = command.code if command.code in CODES else "bad_command"
    text = f"{CODES[code].text} {command.hint}".strip()
    out.append(m.Tell(session, refusal(code, command.ref, text=text, fatal=command.fatal)))
    if command.fatal:
        out.append(m.HangUp(session, code))


def _first(result: m.Result) -> m.Row | None:
    return result.rows[0] if result.rows else None


def _amend(chat: World, load: Any, result: m.Result, now: float, out: Effects) -> None:
    messages.amend(chat, load.session, load.command, _first(result), out)


def _rooms(chat: World, load: Any, result: m.Result, now: float, out: Effects) -> None:
    counts = history.unread(chat, load.session, load.query, result)
    out.append(m.Tell(load.session, history.room_list(chat, load.session, load.command, counts)))


def _password(chat: World, check: Any, answer: str, now: float, out: Effects) -> None:
    if check.what in login.AGAIN:
        login.freshened(chat, check, answer, out)
    elif check.command.new:
        people.password_checked(chat, check.session, check, answer, now, out)
    else:
        login.password_checked(chat, check, check.command, answer, now, out)


Answered = Callable[[World, Any, m.Result, float, Effects], None]
Found = Callable[[World, Any, str, float, Effects], None]
Handler = Callable[[Any, Session, Any, float, Effects], None]
Applier = Callable[[Any, m.Entry, Any, Effects | None], None]

# What a session that came by a room's token may do.
HOOKED = {m.Say, m.History, m.Confirm, m.Status, m.Ping, m.Pong, m.Bye, m.Fault}

# Facts that change nothing that others are shown of anybody who is here.
QUIET = {m.Said, m.Arrived, m.Gone}

# What an operator at the server's machine may do, who is nobody in the chat.
BY_NOBODY = {m.Admin, m.Ping, m.Pong, m.Bye, m.Fault, m.Status}

RECEIVE: dict[type, Handler] = {
    m.Hello: login.hello,
    m.Proof: login.proof,
    m.Password: login.password,
    m.Scram: login.by_scram,
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
    m.Kick: _kick,
    m.Mode: rooms.mode,
    m.Rename: people.rename,
    m.Set: people.prefer,
    m.Away: people.away,
    m.Key: people.key,
    m.Who: who.who,
    m.Rooms: history.rooms,
    m.History: history.history,
    m.Search: history.search,
    m.Status: _status,
    m.Admin: operators.admin,
    m.Ping: _ping,
    m.Pong: _nothing,
    m.Bye: _bye,
    m.Fault: _fault,
}

APPLY: dict[type, Applier] = {
    m.Arrived: login.arrived,
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

# The log's answer to a question: what becomes of it, by the command that asked (None: a feed that catches up).
LOADED: dict[type, Answered] = {
    type(None): lambda chat, load, result, now, out: feed.fed(chat, load.session, load.query, result, out),
    m.Edit: _amend,
    m.Remove: _amend,
    m.Read: receipts.found,
    m.Receipts: lambda chat, load, result, now, out: receipts.tell_who_has(
        chat, load.session, load.command, _first(result), out
    ),
    m.History: lambda chat, load, result, now, out: history.page(
        chat, load.session, load.command, load.query, result, out
    ),
    m.Search: lambda chat, load, result, now, out: history.found(
        chat, load.session, load.command, load.query, result, out
    ),
    m.Rooms: _rooms,
    m.Hello: lambda chat, load, result, now, out: welcome.begin(
        chat, load.session, history.unread(chat, load.session, load.query, result), now, out
    ),
    m.Admin: lambda chat, load, result, now, out: operators.logged(chat, load.session, load.command, result, out),
}

# What trust has found: what becomes of it, by the command that brought the credential.
CHECKED: dict[type, Found] = {
    m.Proof: lambda chat, check, answer, now, out: login.proved(chat, check.session, check, answer, now, out),
    m.Password: _password,
    m.Key: lambda chat, check, answer, now, out: people.key_checked(chat, check.session, check.command, answer, out),
    m.Admin: lambda chat, check, answer, now, out: operators.checked(
        chat, check.session, check, check.command, answer, out
    ),
}
