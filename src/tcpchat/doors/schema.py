"""Writes docs/protocol.schema.json and the tables of docs/protocol.md from the types: ``python -m tcpchat.doors.schema``.

What a field means is the comment beside it in core.model, or, for names that mean the same everywhere, one line
of FIELDS. A field with neither cannot be written down and fails the build.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec

from tcpchat.core import model
from tcpchat.core.errors import CODES
from tcpchat.core.model import AnyCommand, AnyEvent
from tcpchat.doors.native import MAX_EVENT, MAX_FAULTS, MAX_INT, MAX_LINE, PROTO

DOCS = Path(__file__).resolve().parents[3] / "docs"
RECORDS: tuple[type[msgspec.Struct], ...] = (model.Change, model.Person, model.RoomInfo, model.Delivery)

# Names that mean the same wherever they stand.
FIELDS = {
    "ref": "the asker's mark, given back in the answer",
    "seq": "place in the log",
    "at": "when, ms since 1970 UTC",
    "to": "conversation: `#room` or `@login`",
    "by": "login of who did it",
    "text": "the text",
    "login": "a login",
    "room": "a room, `#name`",
    "why": "reason, for people",
    "token": "anything; comes back unchanged",
    "limit": "at most so many messages",
    "before": "only what is before this seq",
    "after": "only what is behind this seq",
    "around": "what surrounds this seq",
    "words": "words that must all be there",
    "key": "a name or a key, as the text above says",
    "value": "the new value",
    "on": "on or off",
    "changes": "the switches",
    "invite_only": "only who is invited may enter",
    "signature": "base64url",
    "account": 'the claimed login behind it, "" = guest',
    "kind": "text, action, notice or tag",
    "re": "seq of the message that this one answers",
    "tags": "client-only tags of IRCv3",
    "edited": "when it was last edited, 0 = never",
    "removed": "taken back; the text is gone",
    "snippet": "search: the words' surroundings, hits between U+0002 and U+0003",
    "code": "one of the error codes below",
    "server": "name of the server",
    "version": "version of the server's program",
    "state": "state, as the text above says",
    "role": "owner, moderator or member",
    "name": "name, real name",
    "bot": "is a program",
    "secure": "the connection is encrypted",
    "online": "has a connection now",
    "all": "more than usual, as the text above says",
    "label": "what people may see of the device",
    "nonce": "what has to be signed",
    "claimed": "the login belongs to somebody who proves it",
    "fingerprint": "of the server's certificate",
    "device": "id of the device, keep it to resume",
    "password": "the password",
    "methods": "ways to prove it",
    "data": "what the command asked for",
    "people": "the persons",
    "rooms": "the rooms",
    "messages": "the page",
    "more": "there are more behind this page",
    "delivered": "every other member has what is up to this seq",
    "seen": "every other member has read what is up to this seq",
    "head": "last seq of the log",
    "what": "what happened, as the text above says",
    "do": "what to do, as the text above says",
    "args": "arguments by name",
    "have": "so many members have it",
    "of": "so many members should have it",
    "target": "seq of the message that has changed",
    "topic": "the topic",
    "topic_by": "who set the topic",
    "topic_at": "when the topic was set",
    "members": "how many members",
    "modes": "switches that are on",
    "created": "when it was made",
    "unread": "messages behind the own read cursor (100 = 100 or more)",
    "mentions": "unread messages that name oneself",
    "member": "one is in it",
    "away": 'away text, "" = here',
    "doors": "how it is connected: native, web, irc, seed",
    "n": "the device's number of the message",
    "proto": "version of this protocol",
    "since": "from when on, ms",
    "until": "up to when, ms",
}
EXAMPLES = Path(__file__).with_name("examples.jsonl")


# -- the types, read --------------------------------------------------------------------------------------------


def comments() -> dict[tuple[str, str], str]:
    """What stands beside each field of core.model: (class, field) -> comment."""
    source = inspect.getsource(model)
    lines = source.splitlines()
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef):
            for item in node.body:
                if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                    _, mark, text = lines[item.lineno - 1].partition("  # ")
                    if mark:
                        found[node.name, item.target.id] = text.strip()
    return found


def kinds(union: Any) -> tuple[type[msgspec.Struct], ...]:
    """The structs of a union, as the protocol has them."""
    return get_args(union)


def tag_of(kind: type[msgspec.Struct]) -> str:
    return str(kind.__struct_config__.tag)


def undocumented() -> list[str]:
    """Everything on the wire that nobody has described: the test wants none."""
    beside = comments()
    missing = []
    for kind in (*kinds(AnyCommand), *kinds(AnyEvent), *RECORDS):
        if not _doc(kind) and kind not in RECORDS and not msgspec.structs.fields(kind):
            missing.append(kind.__name__)
        for field in msgspec.structs.fields(kind):
            if not beside.get((kind.__name__, field.name)) and field.name not in FIELDS:
                missing.append(f"{kind.__name__}.{field.name}")
    shown = {(side, tag) for side, tag, _ in examples()}
    wanted = [(">", tag_of(k)) for k in kinds(AnyCommand)] + [("<", tag_of(k)) for k in kinds(AnyEvent)]
    return missing + [f"example of {side}{tag}" for side, tag in wanted if (side, tag) not in shown]


def examples() -> Iterator[tuple[str, str, str]]:
    """The example lines: direction, tag, line. Every one of them is decoded, so none can be wrong."""
    decoders = {">": msgspec.json.Decoder(AnyCommand), "<": msgspec.json.Decoder(AnyEvent)}
    for line in EXAMPLES.read_text(encoding="utf-8").splitlines():
        side, text = line[0], line[2:]
        yield side, tag_of(type(decoders[side].decode(text))), text


# -- the types, written -------------------------------------------------------------------------------------------


def schema() -> str:
    """The JSON Schema of both directions."""
    (up, down), definitions = msgspec.json.schema_components(
        [AnyCommand, AnyEvent], ref_template="#/$defs/{name}"
    )
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"tcpchat native protocol, version {PROTO}",
        "description": "One JSON object a line. Commands go up to the server, events come down.",
        "anyOf": [{"$ref": "#/$defs/command"}, {"$ref": "#/$defs/event"}],
        "$defs": {"command": up, "event": down, **definitions},
    }
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def tables() -> dict[str, str]:
    """The generated parts of docs/protocol.md, by the name of their marker."""
    beside = comments()
    shown: dict[tuple[str, str], list[str]] = {}
    for side, tag, line in examples():
        shown.setdefault((side, tag), []).append(line)
    return {
        "limits": _limits(),
        "commands": "\n".join(_message(">", kind, beside, shown) for kind in kinds(AnyCommand)),
        "events": "\n".join(_message("<", kind, beside, shown) for kind in kinds(AnyEvent)),
        "records": "\n".join(_record(kind, beside) for kind in RECORDS),
        "errors": _errors(),
    }


def _limits() -> str:
    rows = [
        ("a command", f"{MAX_LINE:,} bytes"),
        ("an event", f"{MAX_EVENT:,} bytes"),
        ("numbers", f"0 to {MAX_INT:,}"),
        ("bad lines in a row", str(MAX_FAULTS)),
    ]
    return _grid(("what", "limit"), rows)


def _message(
    side: str,
    kind: type[msgspec.Struct],
    beside: dict[tuple[str, str], str],
    shown: dict[tuple[str, str], list[str]],
) -> str:
    tag = tag_of(kind)
    lines = "\n".join(shown.get((side, tag), []))
    return f"### {tag}\n\n{_doc(kind)}\n\n```json\n{lines}\n```\n\n{_fields(kind, beside)}\n".replace("\n\n\n", "\n\n")


def _record(kind: type[msgspec.Struct], beside: dict[tuple[str, str], str]) -> str:
    return f"### {kind.__name__}\n\n{_doc(kind)}\n\n{_fields(kind, beside)}\n".replace("\n\n\n", "\n\n")


def _doc(kind: type[msgspec.Struct]) -> str:
    """The docstring of the type's own, not the one of its base."""
    return inspect.cleandoc(kind.__dict__.get("__doc__") or "")


def _fields(kind: type[msgspec.Struct], beside: dict[tuple[str, str], str]) -> str:
    rows = []
    for field in msgspec.structs.fields(kind):
        meaning = beside.get((kind.__name__, field.name)) or FIELDS.get(field.name, "")
        rows.append((f"`{field.name}`", type_name(field.type), _default(field), meaning))
    return _grid(("field", "type", "default", "meaning"), rows) if rows else "No fields."


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    return f"`{json.dumps(value)}`"


def type_name(hint: Any) -> str:
    """A type as the wire has it."""
    names = {int: "int", str: "string", bool: "bool", float: "number", Any: "any", type(None): "null"}
    if hint in names:
        return names[hint]
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return tag_of(hint) if issubclass(hint, model.Event) else hint.__name__
    origin, args = getattr(hint, "__origin__", None), get_args(hint)
    if origin is tuple:
        return f"list of {type_name(args[0])}"
    if origin is dict:
        return f"object of {type_name(args[1])}"
    return " or ".join(type_name(arg) for arg in args)


def _errors() -> str:
    rows = [(f"`{name}`", code.text, str(code.exit)) for name, code in CODES.items()]
    return _grid(("code", "what it says", "exit code of a command"), rows)


def _grid(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def fill(page: str) -> str:
    """The page with its generated parts renewed; what stands outside the markers stays."""
    for name, text in tables().items():
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
        if not pattern.search(page):
            raise ValueError(f"docs/protocol.md has no place for {name}")
        page = pattern.sub(lambda _, text=text, begin=begin, end=end: f"{begin}\n{text}\n{end}", page)
    return page


def main(docs: Path = DOCS) -> None:
    """Write both files."""
    page = docs / "protocol.md"
    page.write_text(fill(page.read_text(encoding="utf-8")), encoding="utf-8")
    (docs / "protocol.schema.json").write_text(schema(), encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
