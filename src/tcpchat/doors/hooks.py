"""Posting and reading over plain HTTP, for machines: ``curl -d "disk full" http://HOST:6060/ops?token=...``.

A request with a room token becomes one short session: Hello with the token, one command, one answer. The routes are a
table; the OpenAPI text and the 404 page come from it.
"""

from __future__ import annotations

from codecs import BOM_UTF8
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
from tcpchat.core.version import VERSION

WAIT_SECONDS = 30.0  # how long ?wait=delivered waits unless &timeout= says otherwise
WAIT_MAX = 300.0
KEEP_ALIVE_SECONDS = 15.0  # a comment in an event stream, so that proxies keep it and dead readers are noticed
PAGE_LIMIT = 200

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
          {"token": "the room's token"}),
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


def parse(method: str, path: str, query: str, authorization: str, content_type: str, body: bytes) -> Call | Problem:
    """The call that a request asks for, or what is wrong with it."""
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
    room = "#" + parts[0].lstrip("#")
    if wanted == "GET":
        return Stream(room, token) if parts[1] == "stream" else _reading(room, token, given)
    return _posting(room, token, given, content_type, body)


def _reading(room: str, token: str, given: dict[str, str]) -> Call | Problem:
    numbers: dict[str, int] = {}
    for name in ("after", "before", "limit"):
        value = given.get(name, "")
        if value and not value.isdigit():
            return _problem(400, "bad_command", f"{name} is a whole number.")
        numbers[name] = int(value or 0)
    limit = min(numbers["limit"] or 50, PAGE_LIMIT)
    return Read(room, token, numbers["after"], numbers["before"], limit)


def _posting(room: str, token: str, given: dict[str, str], content_type: str, body: bytes) -> Call | Problem:
    """Text comes as it is, as a form's first field with a name, or as JSON {"text": ...}."""
    body = body.removeprefix(BOM_UTF8)
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return _problem(400, "bad_text", CODES["bad_text"].text)
    if content_type.split(";")[0].strip().lower() == "application/json":
        try:
            text = msgspec.json.decode(body, type=Posted).text
        except msgspec.DecodeError as error:
            return _problem(400, "bad_command", f'JSON is {{"text": "..."}}: {error}')
    wait = given.get("wait", "accepted")
    if wait not in ("accepted", "delivered"):
        return _problem(400, "bad_command", "wait is accepted or delivered.")
    try:
        timeout = min(max(float(given.get("timeout", WAIT_SECONDS)), 0.0), WAIT_MAX)
    except ValueError:
        return _problem(400, "bad_command", "timeout is a number of seconds.")
    return Post(room, token, text.rstrip("\r\n"), wait == "delivered", timeout)


class Posted(msgspec.Struct):
    """A posted message as JSON."""

    text: str


class Call:
    """One request as one session: say hello with the token, then one command; the first fitting event ends it."""

    def __init__(self, room: str, token: str) -> None:
        self.room, self.token = room, token
        self.done = False

    def start(self) -> list[Command]:
        """The session's commands, sent in one go: the chat answers them in order."""
        # after=-1: hear what comes from now on, which a waiting post and a stream live by.
        return [Hello(login="", token=self.token, quiet=True, after=-1, label="web hook"), *self.commands()]

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

    def __init__(self, room: str, token: str) -> None:
        super().__init__(room, token)
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
