"""What a door may write: looks at every byte that a server says, and remembers the first that may not be there.

- native: one JSON object a line, and nothing below a blank in it;
- IRC: lines that end with CR LF, without CR, LF, NUL inside; 512 bytes with them, and 8,191 of tags in front
  (https://ircv3.net/specs/extensions/message-tags#size-limit); UTF-8; a command behind the source;
- the original protocol: JSON objects with TYPE and BODY, one behind the other;
- HTTP: heads of a status line and header lines (RFC 9112 sections 4 and 5); a WebSocket's frames unmasked, whole and
  with a native event in each text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

CONTROL = re.compile(rb"[\x00-\x1f]")
IRC = re.compile(r"(@[^ ]+ )?(:[^ ]+ )?([A-Z]+|[0-9]{3})( .*)?\Z", re.DOTALL)
IRC_LINE, IRC_TAGS = 510, 8_191
STATUS = re.compile(rb"HTTP/1\.1 [1-5][0-9]{2} [\x20-\x7e]*\Z")
HEADER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+: [\x20-\x7e]*\Z")


class Watch:
    """The output of one connection, which a client of this protocol reads."""

    def __init__(self, door: str) -> None:
        self.door = door
        self.fault = ""
        self.kinds: set[str] = set()  # what was said: types of events, commands, statuses
        self._rest = b""
        self._read: Callable[[], bool] = READERS[door].__get__(self)

    def feed(self, data: bytes) -> None:
        """More output."""
        self._rest += data
        while not self.fault and self._rest and self._read():
            pass

    def _wrong(self, what: str, data: bytes) -> bool:
        self.fault = self.fault or f"{self.door}: {what}: {data[:300]!r}"
        return False

    def _native(self) -> bool:
        line, end, rest = self._rest.partition(b"\n")
        if not end:
            return False
        self._rest = rest
        return self._event(line)

    def _event(self, line: bytes) -> bool:
        try:
            event = json.loads(line)
        except ValueError as error:
            return self._wrong(str(error), line)
        if CONTROL.search(line) or not isinstance(event, dict) or not isinstance(event.get("t"), str):
            return self._wrong("this is no event in one line", line)
        self.kinds.add(f"{event['t']} {event.get('code', '')}")
        return True

    def _irc(self) -> bool:
        line, end, rest = self._rest.partition(b"\r\n")
        if not end:
            return len(line) > 2 * IRC_TAGS and self._wrong("no end of line", line)
        self._rest = rest
        tags, blank, body = line.partition(b" ") if line.startswith(b"@") else (b"", b"", line)
        if re.search(rb"[\r\n\0]", line):
            return self._wrong("a line inside a line", line)
        if len(body) > IRC_LINE or len(tags + blank) > IRC_TAGS:
            return self._wrong(f"{len(tags)} bytes of tags and {len(body)} of line", line)
        try:
            found = IRC.match(line.decode())
        except UnicodeDecodeError as error:
            return self._wrong(str(error), line)
        if found is None:
            return self._wrong("this is no line of IRC", line)
        self.kinds.add(found[3])
        return True

    def _original(self) -> bool:
        text = self._rest.decode("utf-8", "replace").lstrip(" ")  # blanks keep their reads apart
        if not text:
            return False
        try:
            value, end = json.JSONDecoder().raw_decode(text)
        except ValueError as error:
            cut = "Unterminated" in str(error) or error.pos >= len(text) - 8
            return False if text.startswith("{") and cut else self._wrong(str(error), self._rest)
        if not isinstance(value, dict) or set(value) != {"TYPE", "BODY"}:
            return self._wrong("this is no object of the protocol", self._rest)
        self.kinds.add(str(value["TYPE"]))
        self._rest = text[end:].encode()
        return True

    def _http(self) -> bool:
        head, end, rest = self._rest.partition(b"\r\n\r\n")
        if not end:
            return False
        status, *headers = head.split(b"\r\n")
        if not STATUS.match(status) or not all(HEADER.match(line) for line in headers):
            return self._wrong("this is no head", head)
        self.kinds.add(status[9:12].decode())
        fields = {name.lower(): value for name, _, value in (line.partition(b": ") for line in headers)}
        self._rest = rest
        if status[9:12] == b"101":
            self._read = self._frame
            return True
        length = int(fields.get(b"content-length", b"-1"))
        if status[9:12] == b"100":
            return True
        self._read = self._anything  # what stands behind may be the body, or (HEAD) not
        return length >= 0

    def _anything(self) -> bool:
        self._rest = b""
        return False

    def _frame(self) -> bool:
        if len(self._rest) < 2:
            return False
        first, size = self._rest[0], self._rest[1]
        if first & 0x70 or size & 0x80 or first & 0x0F not in (1, 2, 8, 9, 10):
            return self._wrong("this is no frame of a server", self._rest)
        more = {126: 2, 127: 8}.get(size, 0)
        length = int.from_bytes(self._rest[2 : 2 + more], "big") if more else size
        start = 2 + more
        if len(self._rest) < start + length:
            return False
        data, self._rest = self._rest[start : start + length], self._rest[start + length :]
        self.kinds.add(f"frame {first & 15}")
        return self._event(data) if first & 0x0F == 1 else True


READERS = {
    "native": Watch._native,
    "irc": Watch._irc,
    "seed": Watch._original,
    "web": Watch._http,
    "websocket": Watch._http,
}
