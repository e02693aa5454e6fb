"""IrcDoor: one IRC connection. Lines in, commands of the chat out; events in, lines out; no sockets, no clock.

Lines are handled one after the other: a line whose command waits for the chat's answer holds back those behind it,
so that PONG means "all that was before is done". Messages are the exception: many may be on their way at once.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec

from tcpchat.core.model import AnyEvent, Bye, Command, Message, Pong, TypingNotice
from tcpchat.core.sessions import Traits
from tcpchat.doors import Door, nothing
from tcpchat.doors.irc import caps, encode, events, joins, messages, refusals, wire
from tcpchat.doors.irc import handlers as handlers  # fills the table of commands
from tcpchat.doors.irc.commands import COMMANDS, TURN, Spec, Steps, Wait
from tcpchat.doors.irc.labels import Answer, Tags
from tcpchat.doors.irc.network import Face, Network, nick_of
from tcpchat.doors.irc.numerics import NUMERICS
from tcpchat.doors.irc.receipts import Receipts
from tcpchat.doors.irc.wire import Line

if TYPE_CHECKING:
    from tcpchat.doors.irc.messages import Pending
    from tcpchat.doors.irc.multiline import Gathering
    from tcpchat.doors.irc.sasl import Exchange

LINES_WAITING = 512  # lines that wait for their turn; a peer that sends more is not read for a while
BLANKS_A_UNIT = 32  # blank lines that cost as much as one with words
ANSWER_A_UNIT = 512  # bytes of answers that cost as much as one line: writing ten short lines takes as long
UNITS_A_TURN = 32  # the same for what they were answered: a millisecond or two of work
LINES_A_TURN = 32  # lines handled before others have their turn, and what they were answered has been written
SAYS_WAITING = 32  # messages on their way at once; the core allows 64 per device
COUNTED = Pong()  # stands for a line that this door answers alone: the chat counts what every peer asks
NO_CAPS: frozenset[str] = frozenset()
NOTHING: Mapping[str, str] = MappingProxyType({})
BYTES_MAX = wire.MAX_TAGS + wire.MAX_LINE  # of one line with its tags


class IrcDoor(Door):
    """The codec of one IRC connection."""

    name = "irc"
    traits = Traits(
        names_no_log=True,
        guest_is_connection=True,
        guest_may_become_account=True,
        registers_first=True,
        stays_refused=True,
        gives_host=True,
        staff_needs_oper=True,
    )
    ready = sequential = True
    producing = leaving = False
    dialect: frozenset[str]
    entering: bool
    units: int

    # There are thousands of these, and most of what is in one is empty: an empty tuple or string costs it nothing.
    __slots__ = (
        "__weakref__", "account", "address", "answer", "awaiting", "away", "batches", "buffer", "caps", "certfp",
        "closing", "commands", "device", "dialect", "entering", "exchange", "gathering", "head", "heard", "local",
        "login", "me", "monitored", "negotiating", "network", "nick", "now", "out", "overlong", "password_given",
        "pre_metadata", "proved", "queue", "quits", "real", "receipts", "refs", "registered", "renaming", "replay",
        "replayed", "rooms", "running", "says", "secure", "subscribed", "units", "user", "version", "wake", "wanted",
    )  # fmt: skip

    def __init__(self, settings: Any = None, *, address: str = "", secure: bool = False, local: bool = False) -> None:
        self.network = Network.of(settings)
        self.address, self.secure, self.local = address, secure, local
        self.certfp = ""  # SHA-256 of the client's certificate, set by the driver
        self.dialect = NO_CAPS
        self.closing = False
        self.now = self.network.started
        self.buffer = b""
        self.overlong = False
        self.out: list[bytes] = []
        self.commands: list[Command] = []
        self.queue: list[Line | Any] = []  # short: its peer is not read while it is long
        self.running: Steps | None = None
        self.awaiting: int | str = 0
        self.refs = 0
        self.units = 0
        self.batches = 0
        self.answer: Answer | None = None
        self.says: dict[int, Pending] = {}
        # who this is
        self.me = Face("")  # what IRC shows of this login, from the welcome on
        self.nick = self.login = self.account = self.user = self.real = self.away = ""
        self.registered = self.entering = False
        self.version = 0  # of CAP LS
        self.caps: frozenset[str] = NO_CAPS  # one object for all doors that want the same
        self.negotiating = self.quits = False
        self.password_given = self.device = ""
        self.heard = 0.0  # when the last bytes came
        self.wanted = ""  # the nick that it was refused at the door, because it belongs to somebody
        self.renaming: tuple[str, ...] = ()  # real names of SETNAME that the chat has not told yet
        self.proved = ""  # the account that SASL has proved, for Hello
        self.exchange: Exchange | None = None
        self.gathering: Gathering | None = None
        # where this is
        self.rooms: dict[str, str] = {}  # folded room -> its name
        self.monitored: Mapping[str, str] = NOTHING  # folded nick -> as it was written
        self.subscribed: tuple[str, ...] = ()
        self.replay: list[AnyEvent] = []
        self.replayed = 0  # missed messages shown so far
        self.head = 0
        self.pre_metadata: Mapping[str, str] = NOTHING  # set before registration
        self.receipts = Receipts(self)
        self.wake: Callable[[], None] = nothing  # the driver's: this door has bytes although nobody told it anything
        self.network.strangers.add(self)

    # -- the Door protocol -----------------------------------------------------------------------------------

    def receive(self, data: bytes, now: float) -> list[Command]:
        """Take bytes, return the commands they complete."""
        self.now = now
        if not data:
            self.queue.append(Line("QUIT", ["Connection closed"]))
        elif not self.closing:
            self.heard = now
            self._split(data)
        return self.more(now)

    def more(self, now: float) -> list[Command]:
        """Commands that became possible by what was delivered since."""
        self.now = now
        most = self.units + UNITS_A_TURN
        for _ in range(LINES_A_TURN):
            if self.units >= most or not self.unread:
                break
            asked, written = len(self.commands), len(self.out)
            self.units += 1
            if self.awaiting == TURN.what:
                self._go_on(None)
            else:
                self._handle(self.queue.pop(0))
            if len(self.commands) == asked:
                self.commands.append(COUNTED)
            self._weigh(written)
        commands, self.commands = self.commands, []
        return commands

    def deliver(self, event: AnyEvent) -> None:
        """Tell this client alone."""
        ref: int | str = getattr(event, "ref", 0)
        if ref and ref in self.says:
            self.says.pop(ref).answered(self, event)
        elif (ref and ref == self.awaiting) or self._opens(event):
            written = len(self.out)
            self._go_on(event)
            self._weigh(written)
        else:
            events.deliver(self, event)

    def encode(self, event: AnyEvent) -> bytes | None:
        """Messages and typing notices look the same for all doors of this dialect; the rest needs deliver()."""
        if type(event) is Message:
            return encode.message(self.network, event, self.dialect)
        if type(event) is TypingNotice:
            return encode.typing(self.network, event, self.dialect)
        return None

    def outlook(self, members: Sequence[Any], own: bool) -> Hashable:
        """What decides how this door is shown who comes and goes."""
        return joins.outlook(self, members, own)

    def view(self, event: AnyEvent) -> bytes | None:
        """Who comes and goes, as all doors of this outlook are shown it."""
        return joins.view(self, event)

    def mark(self, seq: int) -> bytes:
        """The PING whose PONG says that this client has everything up to ``seq``."""
        receipts = self.receipts
        if receipts.waiting and seq > receipts.told:  # nearly always: one is out
            receipts.told = seq
            return b""
        return receipts.mark(seq)

    @property
    def patience(self) -> float:
        """See Door.patience: people's IRC clients rarely ask on their own."""
        return self.network.dead_after

    @property
    def lingers(self) -> bool:
        """See Door.lingers."""
        return self.overlong

    @property
    def unread(self) -> bool:
        """Could lines that wait be handled now?"""
        if self.awaiting == TURN.what:
            return not self.closing
        return bool(self.queue) and not self.closing and self._free(self.queue[0])

    @property
    def may_proceed(self) -> bool:
        """See Door.may_proceed: nearly always no line waits, and a message brings nothing to go on with."""
        return bool(self.queue or self.commands) or self.awaiting == TURN.what

    def _weigh(self, written: int) -> None:
        """Count what a line was answered, by its size: behind so many pieces of what waits to be sent."""
        if len(self.out) > written:
            self.units += sum(map(len, self.out[written:])) // ANSWER_A_UNIT

    @property
    def busy(self) -> bool:
        """True while this peer has said more than could be handled: it is better not read just now."""
        return len(self.queue) > LINES_WAITING

    def data_to_send(self) -> bytes:
        if self.replay and not self.entering:
            events.flush_replay(self)
        if self.receipts.told > self.receipts.asked:
            self.out.append(self.receipts.mark(0))
        if not self.out:
            return b""
        data = b"".join(self.out)
        self.out.clear()
        return data

    def closed(self, here: bool = True) -> None:
        """The connection is gone; ``here``: its login still is, by another one."""
        self.network.strangers.discard(self)
        face = self.network.people.get(self.network.fold(self.login)) if self.login else None
        if face is not None and self in face.doors:
            face.doors.remove(self)
            if not self.quits:
                self.network.bury(face, self)
            if not here:
                self.network.leave(self.login)  # perhaps nobody else on IRC has heard of it

    def tick(self, now: float) -> list[Command]:
        self.now = now
        self.receipts.tick(now)
        return self.more(now)

    # -- lines in --------------------------------------------------------------------------------------------

    def _split(self, data: bytes) -> None:
        if b"\r" in data:  # a lone CR ends a line as LF does: to some clients it does, so it may not stand in one
            data = data.replace(b"\r", b"\n")
        lines = (self.buffer + data).split(b"\n") if self.buffer else data.split(b"\n")
        self.buffer = lines.pop()
        blank = 0
        for raw in lines:
            if self.overlong:
                self.overlong = False
                continue
            if not raw:
                blank += 1  # one behind each line, where it ends with CR LF
                continue
            blank -= 1
            if (raw[:8] == b"PRIVMSG " and self._said_at_once(raw)) or (
                raw[:5] == b"PONG " and self.receipts.answered(raw)
            ):
                self.units += 1
            else:
                self._line(raw)
        if blank > BLANKS_A_UNIT:
            self.units += blank // BLANKS_A_UNIT
        if len(self.buffer) > BYTES_MAX:
            self.buffer = b""
            if not self.overlong:
                self.queue.append(lambda: self.reply("ERR_INPUTTOOLONG"))
                self.overlong = True
            elif not self.closing:  # a second buffer full of the same line: this is no client
                self.queue.clear()
                self.quit("Line too long")

    def _said_at_once(self, raw: bytes) -> bool:
        """A plain message when nothing waits before it needs no turn of its own; False: it is none."""
        if self.queue or self.running is not None or self.gathering is not None or not self.registered:
            return False
        return len(self.says) < SAYS_WAITING and messages.say_at_once(self, raw)

    def _line(self, raw: bytes) -> None:
        if len(raw) > 2 * BYTES_MAX:
            self.queue.append(lambda: self.reply("ERR_INPUTTOOLONG"))
            self.queue.append(lambda: self.quit("Line too long"))
            return
        if len(raw) > wire.MAX_LINE - 2 and too_long(raw):
            self.queue.append(lambda: self.reply("ERR_INPUTTOOLONG"))
            return
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            line = wire.parse(raw.decode(errors="replace"))
            self.queue.append(lambda: refusals.bad_text(self, line))
            return
        if "\0" in text:
            text = text.replace("\0", "")
        line = wire.parse(text)
        if line.command:
            self.queue.append(line)

    def _free(self, item: Line | Any) -> bool:
        """True when this line may be handled now."""
        if self.running is not None:
            return False
        if not self.says:
            return True
        spec = COMMANDS.get(item.command) if isinstance(item, Line) else None
        return spec is not None and spec.flows and len(self.says) < SAYS_WAITING

    def _handle(self, line: Line | Any) -> None:
        if not isinstance(line, Line):
            line()
            return
        label = line.tags.get("label", "") if line.tags and "labeled-response" in self.caps else ""
        self.answer = Answer(label[:64]) if label else None
        spec = self._spec(line)
        steps = spec.handler(self, line) if spec is not None else None
        if steps is None:
            self._finish()
        else:
            self.running = steps
            self._go_on(None)

    def _spec(self, line: Line) -> Spec | None:
        """The row of this command, or None after a refusal."""
        spec = COMMANDS.get(line.command)
        if spec is None:
            if self.registered:
                self.reply("ERR_UNKNOWNCOMMAND", wire.cut(line.command, 64))
            else:
                self.reply("ERR_NOTREGISTERED")
        elif not self.registered and not spec.early:
            self.reply("ERR_NOTREGISTERED")
        elif len(line.params) < spec.least:
            refusals.missing(self, spec)
        else:
            return spec
        return None

    # -- waiting for the chat --------------------------------------------------------------------------------

    def _opens(self, event: AnyEvent) -> bool:
        """True for what the chat sends without a ref and a step waits for."""
        return self.awaiting != 0 and type(event).__name__ in WAITS.get(str(self.awaiting), ())

    def _go_on(self, event: AnyEvent | None) -> None:
        steps = self.running
        assert steps is not None
        self.awaiting = 0
        try:
            step = next(steps) if event is None else steps.send(event)
        except StopIteration:
            self.running = None
            self._finish()
            return
        if isinstance(step, Wait):
            self.awaiting = step.what
        else:
            self.awaiting = self.ask(step)

    def ask(self, command: Command) -> int | str:
        """Send a command to the chat; returns the ref that its answer will have."""
        if "ref" not in command.__struct_fields__:
            self.commands.append(command)
            return "hello"
        self.refs += 1
        self.commands.append(msgspec.structs.replace(command, ref=self.refs))
        return self.refs

    def tell(self, command: Command) -> None:
        """Send a command to the chat that has no answer."""
        self.commands.append(command)

    def _finish(self) -> None:
        answer, self.answer = self.answer, None
        if answer is not None and answer.waits == 0:
            answer.flush(self)

    # -- lines out -------------------------------------------------------------------------------------------

    def put(self, text: str, tags: Tags = (), at: int = 0) -> None:
        """Write one line (without CR LF), as part of the present answer if there is one."""
        if self.answer is not None:
            self.answer.lines.append((text, list(tags), at))
        else:
            self.write(text, tags, at)

    def write(self, text: str, tags: Tags = (), at: int = 0) -> None:
        """Write one line now. The time is added for those who want it."""
        if "server-time" in self.caps and at >= 0:
            tags = [("time", encode.stamp(at or int(self.now * 1000))), *tags]
        self.send(wire.format_tags(tags) + text)

    def send(self, row: str) -> None:
        """Write one line now, as it is: all that this client gets by itself comes by here."""
        self.out.append(wire.line(row))

    def answer_line(self, row: str) -> None:
        """Write a line that has its tags already, as part of the present answer if there is one."""
        if self.answer is not None:
            words = row
            tags: list[tuple[str, str]] = []
            if row.startswith("@"):
                head, _, words = row[1:].partition(" ")
                tags = list(wire.parse_tags(head).items())
            self.answer.lines.append((words, tags, -1))
        else:
            self.send(row)

    def reply(self, name: str, *params: object, text: str | None = None) -> None:
        """Send a numeric to this client."""
        numeric = NUMERICS[name]
        words = [self.nick or "*", *map(str, params)]
        text = numeric.text if text is None else text
        if text:
            self.put(f":{self.network.server} {numeric.code} {' '.join(words)} :{text}")
        else:
            self.put(wire.join(numeric.code, words, self.network.server))

    def rows(self, rows: Sequence[tuple[str, str]]) -> None:
        """Send many numerics: (code, what follows the nick)."""
        nick = self.nick or "*"
        if self.answer is not None:
            for code, rest in rows:
                self.put(f":{self.network.server} {code} {nick} {rest}")
            return
        tags = wire.format_tags([("time", encode.stamp(int(self.now * 1000)))]) if "server-time" in self.caps else ""
        head = f"{tags}:{self.network.server}"
        self.out.append(b"".join([wire.line(f"{head} {code} {nick} {rest}") for code, rest in rows]))

    def standard(self, kind: str, command: str, code: str, *context: str, text: str) -> None:
        """Send a standard reply: FAIL, WARN or NOTE."""
        self.put(wire.join(kind, [command, code, *context], self.network.server) + f" :{text}")

    def fail(self, command: str, code: str, *context: str, text: str) -> None:
        self.standard("FAIL", command, code, *context, text=text)

    def relay(self, login: str, command: str, *params: str, tags: Tags = (), at: int = 0) -> None:
        """Show what somebody did."""
        self.put(wire.join(command, params, self.network.mask(login)), self.author_tags(login, tags), at)

    def notice(self, text: str, source: str = "") -> None:
        """A line of the server, or of one of its services."""
        mask = f"{source}!{source}@services.{self.network.name.lower()}" if source else self.network.server
        self.put(f":{mask} NOTICE {self.nick or '*'} :{text}")

    def author_tags(self, login: str, tags: Tags = ()) -> list[tuple[str, str]]:
        face = self.network.face(login)
        out = list(tags)
        if face.account and "account-tag" in self.caps:
            out.append(("account", nick_of(face.account)))
        if "B" in face.modes and "message-tags" in self.caps:
            out += [("bot", ""), ("draft/bot", "")]
        return out

    def batch(self, kind: str, *params: str, tags: Tags = ()) -> str:
        """Open a batch; returns its reference, for the tag of what is in it; "" for a client that knows no batches."""
        if "batch" not in self.caps:
            return ""
        self.batches += 1
        reference = f"b{self.batches}"
        self.put(wire.join("BATCH", ["+" + reference, kind, *params], self.network.server), tags)
        return reference

    def end_batch(self, reference: str) -> None:
        if reference:
            self.put(f":{self.network.server} BATCH -{reference}")

    # -- the end ---------------------------------------------------------------------------------------------

    def error(self, text: str) -> None:
        """Say why and close."""
        if not self.closing:
            self.answer = None
            self.send(f"ERROR :{text}")
            self.closing = True
            self.network.strangers.discard(self)

    def quit(self, why: str) -> None:
        """This client goes, of its own will or not."""
        if self.registered:
            self.tell(Bye(why=why))
        self.quits = True
        self.error(f"Closing link: {self.address or 'client'} ({why})")

    def is_me(self, login: str) -> bool:
        return login == self.login or self.network.fold(login) == self.network.fold(self.login)

    def recap(self, names: Iterable[str]) -> None:
        """Have exactly these capabilities from now on."""
        wanted = set(names)
        for name in list(wanted):
            wanted.update(caps.IMPLIED.get(name, ()))
        self.caps = self.network.one_of(frozenset(wanted))
        self.dialect = self.network.one_of(caps.dialect(wanted))


WAITS = {
    "hello": ("Welcome", "Challenge", "Refused"),
    "rooms": ("RoomList",),
    "state": ("State",),
}


def too_long(raw: bytes) -> bool:
    """Tell whether a line breaks the limits: 4096 bytes of tags, 512 of the rest (message-tags, "Size limit")."""
    if not raw.startswith(b"@"):
        return len(raw) > wire.MAX_LINE - 2
    tags, _, rest = raw.partition(b" ")
    return len(tags) + 1 > wire.MAX_TAGS or len(rest) > wire.MAX_LINE - 2
