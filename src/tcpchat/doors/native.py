"""The native protocol: one JSON object a line, commands upward, events downward. Both halves, tested against
each other over a fake link; docs/protocol.md describes every message.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, get_args

import msgspec

from tcpchat.core.errors import CODES
from tcpchat.core.model import AnyCommand, AnyEvent, Command, Event, Fault, Goodbye, Hello, Mode, Refused, Say
from tcpchat.core.sessions import Traits
from tcpchat.doors import Door, Peer, Realm

DIALECT = "native"
PROTO = 1  # version of this protocol; new fields and new messages do not change it
MAX_LINE = 65536  # bytes of a command, newline not counted: many times the longest text (8,000 bytes)
MAX_EVENT = 16 * 1024 * 1024  # bytes of an event: a page of messages of the longest text, all of it escaped
MAX_FAULTS = 20  # in a row; a peer that never makes sense is not ours
MAX_INT = 2**53 - 1  # what JSON readers everywhere (RFC 8259 6) keep exact
HINT_MAX = 200  # characters; hints quote the decoder, which quotes the peer

_encoder = msgspec.json.Encoder()


def _number_getter(kind: type[Command]) -> Callable[[Any], tuple[object, ...]]:
    """A function from a command of this kind to all its fields that may hold a number."""
    names = [field.name for field in msgspec.structs.fields(kind) if _holds_int(field.type)]
    if not names:
        return lambda command: ()
    get = attrgetter(*names)
    return get if len(names) > 1 else lambda command: (get(command),)


def _holds_int(hint: Any) -> bool:
    return hint is int or int in get_args(hint)


_NUMBERS: dict[type, Callable[[Any], tuple[object, ...]]] = {
    kind: _number_getter(kind) for kind in get_args(AnyCommand)
}
_EVENT_TAGS = frozenset(kind.__struct_config__.tag for kind in get_args(AnyEvent))


class _Asked(msgspec.Struct):
    """What can be saved of a line that is no command: whose answer the fault is."""

    ref: int | str = 0


class _Tagged(msgspec.Struct):
    t: str


_decode_command = msgspec.json.Decoder(AnyCommand).decode  # one for all connections: it keeps nothing of a line
_asked = msgspec.json.Decoder(_Asked)
_tagged = msgspec.json.Decoder(_Tagged)


def encode(item: Command | Event) -> bytes:
    """One message as a line. Halves of surrogate pairs (command-line bytes that are no UTF-8) become U+FFFD."""
    try:
        return _encoder.encode(item) + b"\n"
    except UnicodeEncodeError:
        return _encoder.encode(_whole(msgspec.to_builtins(item))) + b"\n"


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_whole(key): _whole(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_whole(item) for item in value]
    return value


class Lines:
    """Cuts a stream of bytes into lines; of a line that is too long it keeps nothing."""

    __slots__ = ("_max", "_rest", "_skipping", "too_long")

    def __init__(self, max_line: int) -> None:
        self._max = max_line
        self._rest: bytearray | None = None  # of an unfinished line, while there is one
        self._skipping = False  # inside a line that is too long
        self.too_long = False  # the last feed met the beginning of such a line

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that these bytes complete; an unfinished line that is too long sets ``too_long``."""
        if data.find(b"\n") < 0:  # "in" takes bytes for a number first, and an exception costs more than the rest
            if not self._skipping:
                self._keep(data)
            return []
        lines = data.split(b"\n")
        if self._skipping:
            self._skipping = False
            del lines[0]
        elif self._rest:
            self._rest += lines[0]
            lines[0] = bytes(self._rest)
        self._rest = None
        if last := lines.pop():
            self._keep(last)
        return lines

    def _keep(self, data: bytes) -> None:
        if self._rest is None:
            self._rest = bytearray(data)
        else:
            self._rest += data
        if len(self._rest) > self._max:
            self._rest = None
            self._skipping = self.too_long = True

    def rest(self) -> bytes:
        """Give up the unfinished line: the stream has ended."""
        rest, self._rest = bytes(self._rest or b""), None
        return rest


class ServerSide(Door):
    """The server's half: lines to commands, events to lines."""

    name = "native"
    traits = Traits()
    dialect = DIALECT
    units: int
    ready = True
    sequential = unread = busy = entering = producing = leaving = False

    __slots__ = ("_faults", "_lines", "_max", "_out", "address", "closing", "local", "secure", "units", "wake")

    def __init__(
        self, *, address: str = "", secure: bool = False, local: bool = False, max_line: int = MAX_LINE
    ) -> None:
        self.address, self.secure, self.local = address, secure, local
        self.closing = False
        self.units = 0
        self._max = max_line
        self._lines = Lines(max_line)
        self._out: list[bytes] = []
        self._faults = 0

    def receive(self, data: bytes, now: float = 0.0) -> list[Command]:
        """The commands these bytes complete; b"" = the peer has said all. A bad line is a Fault, not the end."""
        if self._faults >= MAX_FAULTS:
            return []
        commands: list[Command] = []
        if not data:
            self._last_line(commands)
            return commands
        lines = self._lines.feed(data)
        self.units += len(lines)
        for line in lines:
            if not line or line == b"\r":
                continue
            command = self._command(line)
            commands.append(command)
            if self._faults >= MAX_FAULTS:
                return commands
        if self._lines.too_long:
            self._lines.too_long = False
            commands.append(self._too_large())
        return commands

    def _last_line(self, commands: list[Command]) -> None:
        """``printf '{...}' | nc`` sends no newline. What was cut off in the middle is never valid JSON."""
        try:
            command = _decode_command(self._lines.rest())
        except (ValueError, RecursionError):
            return
        if _in_range(command):
            commands.append(command)

    def _command(self, line: bytes) -> Command:
        if len(line) > self._max:
            return self._too_large()
        try:
            command: Command = _decode_command(line)
        except (ValueError, RecursionError) as error:
            return self._fault(line, error)
        if not _in_range(command):
            return self._fault(line, ValueError(f"Numbers go from 0 to {MAX_INT}"))
        self._faults = 0
        return command

    def _fault(self, line: bytes, error: Exception) -> Fault:
        if isinstance(error, UnicodeDecodeError):
            return self._made("bad_text", "The line is not valid UTF-8.", _ref(line))
        if isinstance(error, RecursionError):
            return self._made("bad_command", "Too deeply nested.", 0)
        return self._made("bad_command", str(error)[:HINT_MAX], _ref(line))

    def _too_large(self) -> Fault:
        return self._made("too_large", f"A line has at most {self._max} bytes.", 0)

    def _made(self, code: str, hint: str, ref: int | str) -> Fault:
        self._faults += 1
        return Fault(code=code, hint=hint, ref=ref, fatal=self._faults >= MAX_FAULTS)

    def deliver(self, event: AnyEvent) -> None:
        """Queue one event for this session."""
        self._out.append(encode(event))
        if isinstance(event, Goodbye) or (isinstance(event, Refused) and event.fatal):
            self.closing = True

    def encode(self, event: AnyEvent) -> bytes:
        """The line, the same for every native session."""
        return encode(event)

    def outlook(self, members: object, own: bool) -> str:
        """All are shown the same."""
        return self.name

    def view(self, event: AnyEvent) -> bytes:
        """See encode."""
        return encode(event)

    def data_to_send(self) -> bytes:
        """Return and forget the bytes that wait for the peer."""
        data = b"".join(self._out)
        self._out.clear()
        return data


class NativeRealm(Realm):
    """The native protocol."""

    def door(self, peer: Peer) -> ServerSide:
        return ServerSide(address=peer.address, secure=peer.secure, local=peer.local)

    def refuse_plain(self, data: bytes) -> bytes:
        return encode(Refused(code="tls_required", text=CODES["tls_required"].text, fatal=True))


def _fits(value: object) -> bool:
    """Can every peer, and the log, hold this number?"""
    return not isinstance(value, int) or 0 <= value <= MAX_INT


def _in_range(command: Command) -> bool:
    """Do all numbers of a command fit?"""
    if isinstance(command, Say):  # the hot path, spelled out
        return 0 <= command.n <= MAX_INT and 0 <= command.re <= MAX_INT and _fits(command.ref)
    if isinstance(command, Hello):
        after = command.after  # -1 = from now on
        return _fits(command.proto) and (after is None or -1 <= after <= MAX_INT)
    if isinstance(command, Mode) and not all(_fits(change.at) for change in command.changes):
        return False
    return all(map(_fits, _NUMBERS[type(command)](command)))


def _ref(line: bytes) -> int | str:
    try:
        ref = _asked.decode(line).ref
    except (ValueError, RecursionError):
        return 0
    return ref if isinstance(ref, str) or 0 <= ref <= MAX_INT else 0


class ClientSide:
    """The client's half: commands to lines, lines to events.

    ``fault`` becomes a sentence when the peer turns out not to speak this protocol: close then. Events that a newer
    server knows and we do not are skipped (``skipped`` counts them), their unknown fields ignored.
    """

    __slots__ = ("_decode", "_lines", "_max", "_out", "fault", "skipped")

    def __init__(self, *, max_line: int = MAX_EVENT) -> None:
        self.fault = ""
        self.skipped = 0
        self._max = max_line
        self._lines = Lines(max_line)
        self._out: list[bytes] = []
        self._decode = msgspec.json.Decoder(AnyEvent).decode

    def receive(self, data: bytes) -> list[AnyEvent]:
        """The events that these bytes complete, in order, up to a fault."""
        events: list[AnyEvent] = []
        if self.fault:
            return events
        for line in self._lines.feed(data):
            if not line or line == b"\r":
                continue
            try:
                events.append(self._decode(line))
            except (ValueError, RecursionError) as error:
                self._judge(line, error)
                if self.fault:
                    return events
        if self._lines.too_long:
            self.fault = f"The server sent a line of more than {self._max} bytes."
        return events

    def _judge(self, line: bytes, error: Exception) -> None:
        """An event of the future is skipped; a known one that cannot be read would be a message lost in silence."""
        try:
            tag = _tagged.decode(line).t
        except (ValueError, RecursionError):
            start = line[:80].decode("utf-8", "replace")
            self.fault = f"This is not a tcpchat server; it said: {start}"
            return
        if tag in _EVENT_TAGS:
            self.fault = f"The server sent a bad {tag}: {str(error)[:HINT_MAX]}"
        else:
            self.skipped += 1

    def send(self, command: Command) -> None:
        """Queue one command; the line waits in data_to_send()."""
        self._out.append(encode(command))

    def data_to_send(self) -> bytes:
        """Return and forget the bytes that wait for the server."""
        data = b"".join(self._out)
        self._out.clear()
        return data
