"""Posting and reading over plain HTTP, for machines: ``curl -d "disk full" http://HOST:6060/ops?token=...``.

A request with a room token becomes one short session: Hello with the token, one command, one answer. The routes are a
table; the OpenAPI text and the 404 page come from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote

import msgspec

from tcpchat.core.errors import CODES
from tcpchat.core.model import (
    Accepted,
    AnyEvent,
    Challenge,
    Command,
    Goodbye,
    Hello,
    History,
    Message,
    Page,
    Receipt,
    Refused,
    Say,
    State,
    Welcome,
)
from tcpchat.core.text import decoded, normal_text
from tcpchat.core.version import VERSION

WAIT_SECONDS = 30.0  # how long ?wait=delivered waits unless &timeout= says otherwise
WAIT_MAX = 300.0
KEEP_ALIVE_SECONDS = 15.0  # a comment in an event stream, so that proxies keep it and dead readers are noticed
PAGE_LIMIT = 200
TOKEN_MAX = 512  # characters; ours have 43
DIGITS_MAX = 15  # of a number: places in the log go up to 2^53
FORM = "application/x-www-form-urlencoded"
AS_TEXT = frozenset({FORM, "application/octet-stream"})  # what curl -d and --data-binary @file say of any text
# Character sets that a body may be in (IANA's names): those that people's systems still write.
CHARSETS = frozenset(
    "utf-8 utf8 us-ascii utf-16 utf-16le utf-16be iso-8859-1 iso-8859-2 iso-8859-5 iso-8859-15 windows-1250 "
    "windows-1251 windows-1252 windows-1253 windows-1254 koi8-r koi8-u cp866 ibm866 shift-jis euc-jp "
    "euc-kr gbk gb18030 big5".split()
)

Begin = Callable[[int, list[tuple[str, str]]], None]  # sends the head of the answer
JSON = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
STREAM = [("Content-Type", "text/event-stream; charset=utf-8"), ("Cache-Control", "no-store")]

HTTP_STATUS = {
    "no_such_room": 404,
    "no_such_login": 404,
    "no_such_message": 404,
    "too_long": 413,
    "too_large": 413,
    "too_fast": 429,
    "unavailable": 503,
    "stopping": 503,
    "internal": 500,
}  # codes of exit class 4 (not allowed) are 403, all others 400


@dataclass(frozen=True)
class Route:
    """One line of the table: how it is called and what it does."""

    method: str
    path: str
    summary: str
    parameters: dict[str, str]


ROUTES = (
    Route("POST", "/{room}", "Post a message to the room; the answer says accepted, with its seq.",
          {"token": "the room's token, when there is no Authorization header",
           "wait": "accepted (default) or delivered", "timeout": "seconds to wait for delivered (30)"}),
    Route("GET", "/{room}/messages", "A page of the room's messages, oldest first.",
          {"token": "the room's token", "after": "seq", "before": "seq", "limit": f"1 to {PAGE_LIMIT} (50)"}),
    Route("GET", "/{room}/stream", "The room's messages as they come, as server-sent events.",
          {"token": "the room's token", "after": "seq behind which it begins; Last-Event-ID comes first"}),
    Route("GET", "/healthz", "Is the chat well? 200, or 503 with the reason.", {}),
    Route("GET", "/openapi.json", "This interface, described.", {}),
)  # fmt: skip


@dataclass
class Problem:
    """A request that cannot become a session."""

    status: int
    body: str
    json: bool = True
    allow: str = ""


def _problem(status: int, code: str, text: str, allow: str = "") -> Problem:
    return Problem(status, msgspec.json.encode({"error": code, "text": text}).decode() + "\n", allow=allow)


NOT_FOUND = """Nothing is at this path.
  /               the chat, for browsers
  POST /ROOM      posts a message (with a room token): curl -d "disk full" 'http://HOST:PORT/ops?token=...'
  GET  /ROOM/messages, /ROOM/stream
  /healthz, /openapi.json
"""


def parse(
    method: str, path: str, query: str, authorization: str, content_type: str, body: bytes, last: str = ""
) -> Call | Problem:
    """The call that a request asks for, or what is wrong with it. ``last``: Last-Event-ID of a stream's reader."""
    parts = [unquote(part) for part in path.split("/")[1:]]
    if (
        not path.startswith("/")
        or not parts[0]
        or len(parts) > 2
        or (len(parts) == 2 and parts[1] not in ("messages", "stream"))
    ):
        return Problem(404, NOT_FOUND, json=False)
    wanted = "POST" if len(parts) == 1 else "GET"
    given = {key: values[-1] for key, values in parse_qs(query, keep_blank_values=True).items()}
    scheme, _, credentials = authorization.partition(" ")
    token = credentials.strip() if scheme.lower() == "bearer" else given.get("token", "")
    if method == "GET" and len(parts) == 1 and not token:
        return Problem(404, NOT_FOUND, json=False)
    if method != wanted:
        return _problem(405, "bad_command", f"Only {wanted} here.", allow=wanted)
    if not token:
        return _problem(401, "not_allowed", "Give the room's token: Authorization: Bearer ..., or ?token=...")
    if not (token.isascii() and token.isprintable() and len(token) <= TOKEN_MAX):
        return _problem(400, "bad_command", "A token is made of ASCII letters, as it was given out.")
    room = "#" + parts[0].lstrip("#")
    if wanted == "GET":
        return _streaming(room, token, given, last) if parts[1] == "stream" else _reading(room, token, given)
    return _posting(room, token, given, content_type, body)


def _number(text: str) -> int:
    """A place in the log or a count as it stands in a request. Raises ValueError."""
    if not (text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX):
        raise ValueError(text)
    return int(text)


def _reading(room: str, token: str, given: dict[str, str]) -> Call | Problem:
    numbers: dict[str, int] = {}
    for name in ("after", "before", "limit"):
        try:
            numbers[name] = _number(given.get(name) or "0")
        except ValueError:
            return _problem(400, "bad_command", f"{name} is a whole number.")
    limit = min(numbers["limit"] or 50, PAGE_LIMIT)
    return Read(room, token, numbers["after"], numbers["before"], limit)


def _streaming(room: str, token: str, given: dict[str, str], last: str) -> Call | Problem:
    """From where: what an EventSource heard last when it comes back (its own word is newer than the address it was
    made with), or ``after``, or from now on."""
    name, text = ("Last-Event-ID", last) if last else ("after", given.get("after", ""))
    try:
        return Stream(room, token, _number(text) if text else -1)
    except ValueError:
        return _problem(400, "bad_command", f"{name} is a whole number.")


def _posting(room: str, token: str, given: dict[str, str], content_type: str, body: bytes) -> Call | Problem:
    """Text comes as it is, or as JSON {"text": ...}, in a character set that is named or can be seen."""
    kind, charset = _media_type(content_type)
    is_json = kind == "application/json" or kind.endswith("+json")
    if not is_json and not kind.startswith("text/") and kind not in AS_TEXT:
        return _problem(415, "bad_command", f'Post text/plain or JSON {{"text": "..."}}, not {kind[:80]}.')
    if kind == FORM and body.startswith(b"payload="):
        return _problem(415, "bad_command", 'Forms with payload= are not read; post JSON {"text": "..."} instead.')
    if charset not in CHARSETS:
        return _problem(415, "bad_text", "Post UTF-8; this character set is not known here.")
    try:
        text = _decoded(body, charset)
    except UnicodeError:
        return _problem(400, "bad_text", CODES["bad_text"].text)
    if is_json:
        try:
            text = normal_text(msgspec.json.decode(text.encode("utf-8", "surrogatepass"), type=Posted).text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return _problem(400, "bad_command", f'JSON is {{"text": "..."}}: {str(error)[:200]}')
    wait = given.get("wait", "accepted")
    if wait not in ("accepted", "delivered"):
        return _problem(400, "bad_command", "wait is accepted or delivered.")
    try:
        timeout = float(given.get("timeout", WAIT_SECONDS))
        if timeout != timeout:  # NaN
            raise ValueError
        timeout = min(max(timeout, 0.0), WAIT_MAX)
    except ValueError:
        return _problem(400, "bad_command", "timeout is a number of seconds.")
    return Post(room, token, text.rstrip("\r\n"), wait == "delivered", timeout)


def _media_type(content_type: str) -> tuple[str, str]:
    """Kind and character set of a body (RFC 9110 8.3.1), in lower case; text in UTF-8 where nothing is said."""
    kind, *parameters = content_type.lower().split(";")
    charset = "utf-8"
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset":
            charset = value.strip().strip('"').replace("_", "-")
    return kind.strip() or "text/plain", charset


def _decoded(body: bytes, charset: str) -> str:
    """The text with one kind of line end and without a byte order mark. Raises UnicodeError."""
    if charset in ("utf-8", "utf8", "us-ascii"):
        return decoded(body)  # UTF-16 too, where its mark says so
    return normal_text(body.decode(charset))


class Posted(msgspec.Struct):
    """A posted message as JSON."""

    text: str


class Call:
    """One request as one session: say hello with the token, then one command; the first fitting event ends it."""

    after = -1  # hear what comes from now on, which a waiting post lives by

    def __init__(self, room: str, token: str) -> None:
        self.room, self.token = room, token
        self.done = False

    def start(self) -> list[Command]:
        """The session's commands, sent in one go: the chat answers them in order."""
        return [Hello(login="", token=self.token, quiet=True, after=self.after, label="web hook"), *self.commands()]

    def commands(self) -> list[Command]:
        raise NotImplementedError

    def deliver(self, event: AnyEvent, begin: Begin) -> list[bytes]:
        """The pieces of the answer's body that the event makes."""
        if isinstance(event, Refused):
            status = HTTP_STATUS.get(event.code, 403 if _denied(event.code) else 400)
            extra = [("Retry-After", str(max(1, round(event.after))))] if event.after else []
            return self._end(begin, status, {"error": event.code, "text": event.text}, extra)
        if isinstance(event, Challenge):
            return self._end(begin, 403, {"error": "not_allowed", "text": "This token is not known here."})
        if isinstance(event, Goodbye):
            return self._end(begin, 503, {"error": event.code or "stopping", "text": event.why})
        return self.take(event, begin)

    def take(self, event: AnyEvent, begin: Begin) -> list[bytes]:
        raise NotImplementedError

    def tick(self, now: float, begin: Begin) -> list[bytes]:
        """Time-outs of a call."""
        return []

    def _end(
        self, begin: Begin, status: int, answer: object, extra: list[tuple[str, str]] | None = None
    ) -> list[bytes]:
        if self.done:
            return []
        self.done = True
        begin(status, [*JSON, *(extra or [])])
        return [msgspec.json.encode(answer) + b"\n"]


class Post(Call):
    """POST /room."""

    def __init__(self, room: str, token: str, text: str, wait: bool, timeout: float) -> None:
        super().__init__(room, token)
        self.text, self.wait, self.timeout = text, wait, timeout
        self._accepted: Accepted | None = None
        self._until: float | None = None

    def commands(self) -> list[Command]:
        return [Say(to=self.room, text=self.text, ref="post")]

    def take(self, event: AnyEvent, begin: Begin) -> list[bytes]:
        if isinstance(event, Accepted):
            self._accepted = event
            if not self.wait:
                return self._end(begin, 200, {"state": "accepted", "seq": event.seq, "at": event.at})
        elif isinstance(event, Receipt) and self._accepted and _complete(event, self._accepted.seq):
            answer = {"state": "delivered", "seq": self._accepted.seq, "at": self._accepted.at}
            return self._end(begin, 200, answer)
        return []

    def tick(self, now: float, begin: Begin) -> list[bytes]:
        """Give up waiting for delivered: the message stays accepted (202)."""
        if self._accepted is None:
            return []
        if self._until is None:
            self._until = now + self.timeout
        if now < self._until:
            return []
        answer = {"state": "accepted", "seq": self._accepted.seq, "at": self._accepted.at, "text": "not delivered yet"}
        return self._end(begin, 202, answer)


class Read(Call):
    """GET /room/messages."""

    def __init__(self, room: str, token: str, after: int, before: int, limit: int) -> None:
        super().__init__(room, token)
        self.query = History(room, before=before, after=0 if before else after, limit=limit, ref="page")

    def commands(self) -> list[Command]:
        return [self.query]

    def take(self, event: AnyEvent, begin: Begin) -> list[bytes]:
        if not isinstance(event, Page):
            return []
        return self._end(begin, 200, {"messages": event.messages, "more": event.more})


class Stream(Call):
    """GET /room/stream."""

    def __init__(self, room: str, token: str, after: int) -> None:
        super().__init__(room, token)
        self.after = after
        self._open = False
        self._spoke = 0.0

    def commands(self) -> list[Command]:
        return []

    def take(self, event: AnyEvent, begin: Begin) -> list[bytes]:
        out: list[bytes] = []
        if isinstance(event, Welcome) and not self._open:
            self._open = True
            begin(200, STREAM)
            out = [b": connected\n\n"]
        if isinstance(event, Message) and self._open and event.to == self.room:
            out.append(b"id: %d\ndata: %s\n\n" % (event.seq, msgspec.json.encode(event)))
        return out

    def tick(self, now: float, begin: Begin) -> list[bytes]:
        """A comment now and then."""
        if not self._open or now - self._spoke < KEEP_ALIVE_SECONDS:
            return []
        self._spoke = now
        return [b": still here\n\n"]


def _complete(event: Receipt, seq: int) -> bool:
    """Does this receipt say that every member has the message?"""
    return event.state in ("delivered", "read") and event.seq >= seq and event.have == event.of


def _denied(code: str) -> bool:
    return code in CODES and CODES[code].exit == 4


def health(event: AnyEvent, key: Mapping[str, str]) -> tuple[int, bytes, bool]:
    """HTTP status, body, and whether this event settles the question. ``key``: what clients compare, with TLS."""
    if isinstance(event, State):
        body = {"ok": True, "state": event.state, "online": event.online, "head": event.head, **key}
        return 200, msgspec.json.encode(body) + b"\n", True
    if isinstance(event, Refused):
        well = event.code == "hello_first"
        answer = {"ok": well} if well else {"ok": False, "error": event.code, "text": event.text}
        return (200 if well else 503), msgspec.json.encode(answer) + b"\n", True
    return 200, b"", False


def openapi(base: str) -> bytes:
    """The interface as OpenAPI 3.1, from the table."""
    paths: dict[str, dict[str, object]] = {}
    for route in ROUTES:
        parameters: list[dict[str, object]] = [
            {"name": name, "in": "query", "description": text, "schema": {"type": "string"}}
            for name, text in route.parameters.items()
        ]
        operation: dict[str, object] = {"summary": route.summary, "responses": {"200": {"description": "done"}}}
        if "{room}" in route.path:
            room = {"name": "room", "in": "path", "required": True, "schema": {"type": "string"}}
            parameters.insert(0, room)
            operation["security"] = [{"token": []}]
        if route.method == "POST":
            kinds = {"text/plain": {"schema": {"type": "string"}},
                     "application/json": {"schema": msgspec.json.schema(Posted)["$defs"]["Posted"]}}  # fmt: skip
            operation["requestBody"] = {"required": True, "content": kinds}
        operation["parameters"] = parameters
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    document = {
        "openapi": "3.1.0",
        "info": {"title": "tcpchat", "version": VERSION},
        "servers": [{"url": base or "/"}],
        "paths": paths,
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }
    return msgspec.json.encode(document)
