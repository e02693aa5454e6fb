"""What a hostile guest sends: every command of every door, made from the tables that the doors themselves use.

``hostile(door)`` gives, for each name, byte strings of one command each: as it is meant, and with each of its arguments
too long, too many, of another kind, or of bytes that something may trip over. Nothing is listed by hand: a command that
is entered into a table tomorrow is here.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any, get_args

import msgspec

from tcpchat.core.commands import AnyCommand
from tcpchat.core.operators import ACTS
from tcpchat.doors.irc import handlers  # noqa: F401  (fills COMMANDS)
from tcpchat.doors.irc.caps import CAPS
from tcpchat.doors.irc.commands import COMMANDS
from tcpchat.doors.irc.network import CHANNEL_MODES, USER_MODES
from tcpchat.doors.irc.services import SERVICES
from tcpchat.doors.native import MAX_LINE
from tcpchat.doors.original.door import HANDLERS
from tcpchat.doors.web.assets import assets
from tcpchat.doors.web.hooks import ROUTES

PEER = "pulse"  # somebody who is here, to talk to and about
KEY = "ed25519:6T7LqVbq1b0O0uQ6S9wzNn3M0YkqX4mJ3uXo1l0yq2c"
KEY_ACTS = ("list", "add", "revoke", "claim", "link")
KINDS = ("text", "action", "notice", "tag")
# As each field is meant; what is not here is "x", 1, true.
MEANT: dict[str, Any] = {
    "login": "hostile", "to": "#all", "room": "#hostile", "text": "quack", "words": "quack", "by": PEER, "key": KEY,
    "seq": 1, "limit": 500, "device": "d1", "n": 0, "after": 0, "before": 0, "around": 0, "at": 0, "until": 0,
    "since": 0, "re": 0, "kind": "text", "tags": {"draft/reply": "1"}, "ref": 0, "args": {}, "do": "list",
    "token": "", "account": "", "new": "", "claim": False, "quiet": False, "bot": False, "proto": 1,
    "changes": [{"name": "topic_locked"}],
}  # fmt: skip
CHARACTERS = ("\ufdfa", "*a", "\n", "\x00", "\u202e", "'\"%;--", "\U0001f986", "x")  # each is repeated to fill a line
LONG = MAX_LINE - 2_000  # bytes of JSON: as much as a line may have
NUMBERS = (-1, 0, 2**31, 2**53 - 1, 10**30)
IRC_LINE = 480  # bytes of an IRC line's parameters
IRC_TAGS = 4_000


def encoded(value: Any) -> bytes:
    """JSON as short as it can be."""
    return json.dumps(value, ensure_ascii=False).encode()


def long(character: str, size: int) -> str:
    """A text of about so many bytes on the wire."""
    return character * (size // (len(encoded(character)) - 2))


# -- native ------------------------------------------------------------------------------------------------------------


def native(size: int = LONG) -> dict[str, list[bytes]]:
    """The commands of the native protocol, the acts of operators one by one."""
    found: dict[str, list[bytes]] = {}
    for kind in get_args(AnyCommand):
        name = kind.__struct_config__.tag
        for title, fixed in _ways(name):
            found[title] = [encoded(command) + b"\n" for command in _filled(kind, name, fixed, size)]
    return found


def _ways(name: str) -> list[tuple[str, dict[str, Any]]]:
    if name == "admin":
        return [
            (f"admin {act}", {"do": act, "args": dict.fromkeys(row.takes.split(), "x")}) for act, row in ACTS.items()
        ]
    if name == "key":
        return [(f"key {act}", {"do": act}) for act in KEY_ACTS]
    if name == "say":
        return [(f"say {kind}", {"kind": kind}) for kind in KINDS]
    if name == "password":
        return [(name, {"password": "wrong"}), ("password new", {"new": "correct horse", "password": ""})]
    if name in ("who", "rooms"):
        return [(name, {}), (f"{name} all", {"all": True, "to": ""})]
    return [(name, {})]


def _filled(kind: type[msgspec.Struct], name: str, fixed: dict[str, Any], size: int) -> Iterator[dict[str, Any]]:
    """The command as it is meant, then with one of its fields odd."""
    fields = [field.name for field in msgspec.structs.fields(kind)]
    meant = {"t": name, **{field: MEANT.get(field, "x") for field in fields}, **fixed}
    optional = {field.name for field in msgspec.structs.fields(kind) if not field.required}
    meant = {key: value for key, value in meant.items() if key not in optional or key in MEANT or key in fixed}
    yield meant
    for field in fields:
        for value in _odd(meant.get(field, ""), size):
            yield {**meant, field: value}
    yield {**meant, "to": f"@{PEER}"} if "to" in fields else meant


def _odd(value: Any, size: int) -> Iterator[Any]:
    """Values that a field should not have."""
    if isinstance(value, bool | str):
        yield from (long(character, size) for character in CHARACTERS)
        yield from ("", None, [], 7)
    elif isinstance(value, int):
        yield from NUMBERS
        yield "x"
    elif isinstance(value, list):
        yield [{"name": "ban", "arg": f"{n}!*@*"} for n in range(size // 60)]
        yield [{"name": "ban", "arg": long("*a", size)}]
    elif isinstance(value, dict):
        yield {f"k{n}": "v" for n in range(size // 30)}
        yield {"~lines": "x", "a\r\nb": "c", "=": ";"}
        for key in value or {"x": ""}:
            yield from ({**value, key: long(character, size)} for character in CHARACTERS[:3])


# -- IRC ---------------------------------------------------------------------------------------------------------------


def irc(size: int = LONG) -> dict[str, list[bytes]]:
    """The commands of IRC, and the words of its services."""
    found = {name: list(_lines(name, min(size, IRC_TAGS))) for name in sorted(COMMANDS)}
    for service in SERVICES.values():
        for word in service.words:
            start = f"PRIVMSG {service.name} :{word} "
            found[f"{service.name} {word}"] = [line(start + text) for text in ("", PEER, "* *", *_long_texts())]
    return found


def line(text: str) -> bytes:
    return text.encode("utf-8", "replace") + b"\r\n"


def _long_texts() -> list[str]:
    return [long(character, IRC_LINE) for character in ("*a", "\ufdfa", "x ", "?*", ",", "\u202e")]


def _lines(name: str, tags: int) -> Iterator[bytes]:
    """A command with every number of parameters, of all kinds that IRC has."""
    yield line(name)
    for first in _parameters(name):
        yield line(f"{name} {first}")
        for second in ("#hostile", PEER, "*", "500", "timestamp=2020-01-01T00:00:00.000Z", "+a", "x=y"):
            yield line(f"{name} {first} {second}")
            yield line(f"{name} {first} {second} * 500 x :quack quack")
    for text in _long_texts():
        yield line(f"{name} {text}")
        yield line(f"{name} #all :{text}")
        yield line(f"{name} {PEER} {text}")
    yield line(f"@+a={long('x', tags)};label=l;+draft/reply=1;+~lines=x {name} #all :quack")


def _parameters(name: str) -> list[str]:
    """First parameters: rooms, people, masks, and the words that a command knows."""
    words = ["#all", PEER, "*", "*a*a*a*a*a*a*a*a*a*a*b", "#" + "x" * 300, ",".join(f"#r{n}" for n in range(60))]
    return words + {
        "CAP": ["LS 302", "REQ :" + " ".join(CAPS)[:IRC_LINE], "LIST", "END"],
        "MODE": [f"#all +{letter} x" for letter in CHANNEL_MODES] + [f"hostile +{letter}" for letter in USER_MODES],
        "METADATA": ["* SET url :x", "* LIST", "* SUB url", "* SYNC", f"{PEER} GET url"],
        "CHATHISTORY": ["LATEST #all * 500", "BEFORE #all timestamp=2030-01-01T00:00:00.000Z 500", "TARGETS * * 500"],
        "MONITOR": ["+ " + ",".join(f"n{n}" for n in range(90)), "L", "S", "C"],
        "BATCH": ["+b draft/multiline #all", "-b"],
        "WHO": ["#all %tcuihsnfdlaor,7", "* %na"],
        "AUTHENTICATE": ["PLAIN", "SCRAM-SHA-256", "EXTERNAL", "AGEAYQBh"],
        "REGISTER": ["* * password"],
        "LIST": [">0", "*,>0,<9999", "C<9,T>1"],
        "SEARCH": ["text=quack;limit=500", "in=#all;text=quack", f"from={PEER}"],
    }.get(name, [])


# -- the original protocol ---------------------------------------------------------------------------------------------


def original(size: int = LONG) -> dict[str, list[bytes]]:
    """The objects of the original clients."""
    bodies = ["BODY", "hostile", [PEER, "quack"], [f"@{PEER}"] * 3, None, 10**30, {"a": 1}, [[]] * 100]
    bodies += [value for character in CHARACTERS for value in (long(character, size), [PEER, long(character, size)])]
    return {kind: [encoded({"TYPE": kind, "BODY": body}) for body in bodies] for kind in HANDLERS}


# -- HTTP and WebSocket ------------------------------------------------------------------------------------------------


def request(method: str, path: str, *headers: str, body: bytes = b"") -> bytes:
    head = "\r\n".join(
        (f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *headers, f"Content-Length: {len(body)}", "", "")
    )
    return head.encode() + body


def http(size: int = LONG) -> dict[str, list[bytes]]:
    """The routes of HTTP and the files of the page, kept alive and pipelined."""
    found: dict[str, list[bytes]] = {}
    for route in ROUTES:
        path = route.path.replace("{room}", "all")
        found[f"{route.method} {route.path}"] = list(_asked(route.method, path, list(route.parameters), size))
    for name in assets():
        found[f"GET /{name}"] = [request("GET", f"/{name}"), request("HEAD", f"/{name}", "If-None-Match: *")]
    found["GET /nothing"] = [request("GET", "/nothing/here"), request("OPTIONS", "*"), request("GET", "/%00")]
    return found


def _asked(method: str, path: str, parameters: list[str], size: int) -> Iterator[bytes]:
    body = b"quack" if method == "POST" else b""
    yield request(method, path, body=body)
    yield request(method, path + "?token=wrong", body=body)
    yield request(method, path, "Authorization: Bearer wrong", "Content-Type: application/json", body=b'{"text":1}')
    for name in parameters:
        for value in ("-1", "9" * 30, "%F0%9F%A6%86" * 300, "x" * 4_000, "%00"):
            yield request(method, f"{path}?token=wrong&{name}={value}", body=body)
    yield request(method, path, "X: " + "y" * 8_000, body=body)
    yield request("DELETE", path, body=b"x" * size)


UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


def frame(opcode: int, data: bytes, *, last: bool = True) -> bytes:
    """A frame of a client, masked with zeroes (RFC 6455 section 5.2)."""
    length = len(data)
    size = (
        bytes([0x80 | length]) if length < 126
        else b"\xfe" + struct.pack("!H", length) if length < 65_536
        else b"\xff" + struct.pack("!Q", length)
    )  # fmt: skip
    return bytes([(0x80 if last else 0) | opcode]) + size + bytes(4) + data


def websocket(size: int = LONG) -> dict[str, list[bytes]]:
    """The kinds of frames, and the native commands inside them."""
    quack = b'{"t":"say","to":"#all","text":"quack"}'
    found = {
        "text": [frame(1, quack), frame(1, b'{"t":"status"}'), frame(1, b"x" * size), frame(1, b"\xff")],
        "binary": [frame(2, quack), frame(2, b"")],
        "fragments": [frame(1, b"", last=False), *[frame(0, b"", last=False)] * 60, frame(0, quack)],
        "ping": [frame(9, b""), frame(9, b"x" * 125)],
        "pong": [frame(10, b""), frame(10, b"x" * 125)],
        "close": [frame(8, b"\x03\xe8")],
        "reserved": [b"\xf1\x80\0\0\0\0", frame(3, b"x"), b"\x81\x00"],
    }
    return found | {
        f"native {name}": [frame(1, one.strip()) for one in lines if len(one) < MAX_LINE]
        for name, lines in native(size).items()
    }


DOORS = {"native": native, "irc": irc, "original": original, "http": http, "websocket": websocket}
# What is sent first, so that the door takes commands; {} is the connection's name.
GREETINGS: dict[str, str] = {
    "native": '{{"t":"hello","login":"{0}"}}\n',
    "irc": "CAP REQ :message-tags batch labeled-response echo-message\r\nNICK {0}\r\nUSER u 0 * :r\r\nCAP END\r\n",
    "original": '{{"TYPE":"HI","BODY":"{0}"}}',
    "http": "",
    "websocket": "",
}


def greeting(door: str, name: str) -> bytes:
    """The first bytes of somebody who comes in by this door."""
    if door == "websocket":
        return UPGRADE + frame(1, GREETINGS["native"].format(name).strip().encode())
    return GREETINGS[door].format(name).encode()


def hostile(door: str, size: int = LONG) -> dict[str, list[bytes]]:
    """Name of a command -> commands of that name, as they are meant and as they are not: up to so many bytes."""
    return DOORS[door](size)
