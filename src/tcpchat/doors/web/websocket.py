"""WebSocket (RFC 6455) as a codec: frames of one connection <-> lines of the door inside.

The sans-I/O half of `websockets` parses and checks; this adds the limits, joins fragments, and frames what goes out.
"""

from __future__ import annotations

from collections.abc import Sequence

from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Origin, Subprotocol

MAX_MESSAGE = 65_536  # bytes of one message, fragments together: the native door's line
NATIVE = "tcpchat.v1"
IRC_TEXT, IRC_BINARY = "text.ircv3.net", "binary.ircv3.net"  # https://ircv3.net/specs/extensions/websocket
SUBPROTOCOLS = (NATIVE, IRC_TEXT, IRC_BINARY)
INNER = {"": "native", NATIVE: "native", IRC_TEXT: "irc", IRC_BINARY: "irc"}  # what is spoken inside


def frame(payload: bytes, binary: bool = False) -> bytes:
    """One whole unmasked message, as a server sends it (RFC 6455 section 5.2)."""
    return Frame(Opcode.BINARY if binary else Opcode.TEXT, payload).serialize(mask=False)


def _choose(protocol: ServerProtocol, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """Ours that the client offered first; none when it offered none of ours (then: the native protocol)."""
    return next((name for name in offered if name in SUBPROTOCOLS), None)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


class WebSocket:
    """One upgraded connection. Feed it the raw request first."""

    def __init__(self, origins: list[str | None]) -> None:
        self._protocol = ServerProtocol(
            origins=[None if origin is None else Origin(origin) for origin in origins],
            subprotocols=[Subprotocol(name) for name in SUBPROTOCOLS],
            select_subprotocol=_choose,
            max_size=MAX_MESSAGE,
        )
        self._parts: list[bytes] = []
        self._text = False
        self.frames = 0  # taken so far, those that completed a message aside
        self.subprotocol = ""
        self.binary = False

    @property
    def open(self) -> bool:
        """True between a good handshake and the first close frame of either side."""
        return self._protocol.state is State.OPEN

    @property
    def finished(self) -> bool:
        """True when nothing more will be said: close the TCP connection once the last bytes are written."""
        return self._protocol.close_expected()

    def receive(self, data: bytes) -> list[bytes]:
        """Take bytes from the peer; return the messages they complete. Faults close with the RFC's code by itself."""
        protocol = self._protocol
        if data:
            protocol.receive_data(data)
        else:
            protocol.receive_eof()
        messages: list[bytes] = []
        events = protocol.events_received()
        for event in events:
            if isinstance(event, Request):
                self._accept(event)
            else:
                self._take(event, messages)
        self.frames += len(events) - len(messages)
        return messages

    def _accept(self, request: Request) -> None:
        response = self._protocol.accept(request)
        self._protocol.send_response(response)
        self.subprotocol = str(self._protocol.subprotocol or "")
        self.binary = self.subprotocol == IRC_BINARY

    def _take(self, event: object, messages: list[bytes]) -> None:
        if not isinstance(event, Frame) or event.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return  # pings are answered and closes echoed by the protocol itself
        if event.opcode is not Opcode.CONT:
            self._text = event.opcode is Opcode.TEXT
        if event.data:  # empty fragments cost nothing to keep
            self._parts.append(bytes(event.data))
        if not event.fin:
            return
        whole = b"".join(self._parts)
        self._parts.clear()
        if self._text and not _is_utf8(whole):
            self._protocol.fail(CloseCode.INVALID_DATA, "not UTF-8")  # RFC 6455 section 8.1
            return
        messages.append(whole)

    def send(self, payload: bytes) -> None:
        """Queue one message."""
        if self.open:
            if self.binary:
                self._protocol.send_binary(payload)
            else:
                self._protocol.send_text(payload)

    def close(self, code: int = CloseCode.GOING_AWAY, reason: str = "") -> None:
        """Start the closing handshake (RFC 6455 section 7.1.2)."""
        if self.open:
            # A reason has at most 123 bytes: a control frame's 125 less the code.
            self._protocol.send_close(code, reason.encode()[:123].decode(errors="ignore"))

    def data_to_send(self) -> bytes:
        """Return and forget the bytes that wait for the peer."""
        return b"".join(self._protocol.data_to_send())
