"""docs/protocol.schema.json and the tables of docs/protocol.md, made from the types: ``python -m tools.docs``.

What a field means is the comment beside it in core.model, or one line of FIELDS; the examples are the lines of
docs/protocol.examples.jsonl. A field without a meaning or a message without an example fails the build.
"""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec

from tcpchat.core import commands, effects, events, facts, model
from tcpchat.core.errors import CODES
from tcpchat.core.model import AnyCommand, AnyEvent
from tcpchat.core.operators import ACTS
from tcpchat.doors.native import MAX_EVENT, MAX_FAULTS, MAX_INT, MAX_LINE, PROTO

DOCS = Path(__file__).resolve().parents[2] / "docs"
RECORDS: tuple[type[msgspec.Struct], ...] = (model.Change, model.Person, model.RoomInfo, model.Delivery)

# What a field means where no comment beside it in core.model says so; "Class.field" goes before "field".
FIELDS = {
    "ref": "the asker's mark, given back in the answer",
    "seq": "place in the log",
    "at": "when, ms",
    "to": "conversation, `#room` or `@login`",
    "by": "login of who did it",
    "text": "the text",
    "login": "a login",
    "room": "a room, `#name`",
    "why": "reason, for people",
    "token": "anything, comes back unchanged",
    "account": 'the claimed login behind it, "" = guest',
    "bot": "it is a program",
    "signature": "base64url, as in `proof`",
    "secure": "the connection is encrypted",
    "server": "name of the server",
    "version": "version of the server's program",
    "delivered": "every other member has what is up to this seq",
    "seen": "every other member has read what is up to this seq",
    "changes": "the switches, see Change",
    "code": "one of the error codes below",
    "Proof.key": 'the public key, "" = the one offered in `hello`',
    "Password.password": "the password, or with `new` the old one",
    "Password.new": "the new password",
    "Edit.seq": "of the own message",
    "Remove.seq": "of the message",
    "Join.key": "of a room that wants one",
    "Rename.to": "the new name",
    "Rename.room": 'the room to rename, "" = oneself',
    "Set.key": "name of the preference",
    "Set.value": "its value",
    "Set.room": 'the room it is for, "" = oneself',
    "Scram.message": "base64, as RFC 5802 has it",
    "Say.rank": "in a room: `op` = only its operators hear it, `voice` = those with a voice too",
    "Say.cuts": "before which characters (code points) the text goes on on another line of IRC",
    "Message.rank": "said to the operators of the room (`op`), or those with a voice too (`voice`), only",
    "Message.cuts": "before which characters (code points) the text goes on on another line of IRC",
    "Say.n": "the number of the message on this device",
    "Typing.on": "has begun, or has stopped",
    "History.before": "only what is before this seq",
    "History.after": "only what is after this seq",
    "History.around": "what surrounds this seq",
    "History.at": "what was said from this time on",
    "History.limit": "messages on a page",
    "Search.words": "all of them must be there",
    "Search.to": 'only in this conversation, "" = in all',
    "Search.by": "only of this author",
    "Search.limit": "messages on a page",
    "Who.to": '"" = everybody, `#room`, or a login',
    "Who.all": "also those who are not connected",
    "Who.after": "the last login of an answer that had more",
    "Rooms.after": "the last public room of an answer that had more",
    "Rooms.all": "also public rooms one is not in",
    "Key.do": "list, add, revoke, claim or link",
    "Key.key": "the key it is about",
    "Key.label": "what to call the key: the device it lives on",
    "Admin.do": "the act, see Acts of operators",
    "Admin.args": "its arguments by name",
    "Kick.room": 'a room, "" = the whole chat',
    "Challenge.nonce": "part of what has to be signed",
    "Challenge.login": "whose proof is asked for",
    "Challenge.server": 'the server\'s id, part of what has to be signed; "" = it takes version 1 only',
    "Proof.at": 'HOST:PORT that you meant to talk to; "" = version 1 was signed',
    "Welcome.login": "the login as it is written here",
    "Welcome.claimed": "the login belongs to somebody who can prove it",
    "Welcome.role": 'owner, moderator, member, or "" = guest',
    "Welcome.device": "id of this device; say it again in the next `hello`",
    "Welcome.fingerprint": "of the server's certificate",
    "Accepted.n": "the number of the message",
    "Accepted.at": "when it was accepted",
    "Done.data": "what the command asked for",
    "Refused.text": "the reason, for people",
    "Refused.n": "the number of the message refused",
    "re": "seq of the message that this one answers",
    "Message.kind": "text, action, notice or tag",
    "Message.tags": "client-only tags of IRCv3",
    "Message.edited": "when it was last edited, 0 = never",
    "Message.removed": "taken back; its text is gone",
    "Message.snippet": "in search: the words' surroundings, hits between U+0002 and U+0003",
    "Message.by": "login of the author",
    "Amended.seq": "place of the change itself in the log",
    "Amended.target": "seq of the message that has changed",
    "Amended.text": "its text from now on",
    "Amended.removed": "taken back; its text is gone",
    "Receipt.state": "delivered, read or failed",
    "Receipt.by": "in a direct conversation: who has it",
    "Receipt.have": "in a room: how many members have it",
    "Receipt.of": "in a room: how many members should have it",
    "People.people": "see Person",
    "RoomList.rooms": "see RoomInfo",
    "Page.messages": "the page",
    "Page.more": "there is another page after this one",
    "RoomEvent.what": "what happened",
    "RoomEvent.login": "whom it happened to",
    "Presence.what": "what happened",
    "Presence.name": "real name",
    "TypingNotice.by": "who is typing",
    "TypingNotice.on": "has begun, or has stopped",
    "ReceiptList.people": "see Delivery",
    "State.state": "WAIT4CLIENTS (fewer than two online) or READY2SERV",
    "State.online": "logins online",
    "State.head": "last seq of the log",
    "Goodbye.code": 'one of the error codes below, "" = nothing is wrong',
    "Change.name": "which switch",
    "Change.on": "on or off",
    "Change.arg": "login, mask, key or number, where the switch takes one",
    "Person.login": "the login",
    "Person.online": "has a connection now",
    "Person.name": "real name",
    "Person.away": 'why, "" = here',
    "Person.doors": "how they are connected: native, web, irc, seed",
    "RoomInfo.member": "the asker is in it",
    "RoomInfo.topic": "the topic",
    "RoomInfo.topic_by": "who set it",
    "RoomInfo.topic_at": "when",
    "RoomInfo.members": "how many members",
    "RoomInfo.online": "how many of them online",
    "RoomInfo.modes": "switches that are on, see Change",
    "RoomInfo.created": "when it was made",
    "RoomInfo.unread": "messages after the own read cursor, 100 = 100 or more",
    "RoomInfo.mentions": "unread messages that name the asker",
    "Delivery.login": "whose copy",
    "Delivery.at": "since when",
    "Delivery.online": "has a connection now",
    "Delivery.seen": "last sign of life, ms",
}
EXAMPLES = DOCS / "protocol.examples.jsonl"


# -- the types, read --------------------------------------------------------------------------------------------


def comments() -> dict[tuple[str, str], str]:
    """What stands beside each field of core.model: (class, field) -> comment."""
    source = "\n".join(inspect.getsource(part) for part in (commands, facts, events, effects))
    lines = source.splitlines()
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef):
            for item in node.body:
                if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                    _, mark, text = lines[item.lineno - 1].partition("  # ")
                    if mark:
                        found[node.name, item.target.id] = text.strip().replace("None = ", "null = ")
    return found


def kinds(union: Any) -> tuple[type[msgspec.Struct], ...]:
    """The structs of a union, as the protocol has them."""
    return get_args(union)


def tag_of(kind: type[msgspec.Struct]) -> str:
    return str(kind.__struct_config__.tag)


def meaning(kind: type[msgspec.Struct], field: str, beside: dict[tuple[str, str], str]) -> str:
    """What a field means, "" when nobody has said it."""
    name = kind.__name__
    return beside.get((name, field)) or FIELDS.get(f"{name}.{field}") or FIELDS.get(field, "")


def undocumented() -> list[str]:
    """Everything on the wire that nobody has described: the test wants none."""
    beside = comments()
    missing = []
    for kind in (*kinds(AnyCommand), *kinds(AnyEvent), *RECORDS):
        missing += [f"{kind.__name__}.{f}" for f in kind.__struct_fields__ if not meaning(kind, f, beside)]
        if kind not in RECORDS and not kind.__struct_fields__ and not _doc(kind):
            missing.append(kind.__name__)
    shown = {(side, tag) for side, tag, _ in examples()}
    wanted = [(">", tag_of(k)) for k in kinds(AnyCommand)] + [("<", tag_of(k)) for k in kinds(AnyEvent)]
    return missing + [f"example of {side} {tag}" for side, tag in wanted if (side, tag) not in shown]


def examples() -> Iterator[tuple[str, str, str]]:
    """The example lines: direction, tag, line. Every one of them is decoded, so none can be wrong."""
    decoders = {">": msgspec.json.Decoder(AnyCommand), "<": msgspec.json.Decoder(AnyEvent)}
    for line in EXAMPLES.read_text(encoding="utf-8").splitlines():
        side, text = line[0], line[2:]
        yield side, tag_of(type(decoders[side].decode(text))), text


# -- the types, written -------------------------------------------------------------------------------------------


def schema() -> str:
    """The JSON Schema of both directions."""
    (up, down), definitions = msgspec.json.schema_components([AnyCommand, AnyEvent], ref_template="#/$defs/{name}")
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
        "acts": _acts(),
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
    return inspect.cleandoc(kind.__dict__.get("__doc__") or "").replace("``", "`")


def _fields(kind: type[msgspec.Struct], beside: dict[tuple[str, str], str]) -> str:
    rows = []
    for field in msgspec.structs.fields(kind):
        words = meaning(kind, field.name, beside)
        rows.append((f"`{field.name}`", type_name(field.type), _default(field), words))
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


def _acts() -> str:
    rows = [
        (f"`{name}`", ", ".join(act.takes.split()) or "none", ", ".join(act.roles), act.about)
        for name, act in ACTS.items()
    ]
    return _grid(("do", "args", "who may", "what it does"), rows)


def _errors() -> str:
    rows = [(f"`{name}`", code.text, str(code.exit)) for name, code in CODES.items()]
    return _grid(("code", "what it says", "exit code of a command"), rows)


def _grid(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines: list[tuple[str, ...]] = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def fill(page: str) -> str:
    """The page with its generated parts renewed; what stands outside the markers stays."""
    for name, text in tables().items():
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        if begin not in page or end not in page:
            raise ValueError(f"docs/protocol.md has no place for {name}")
        before, _, rest = page.partition(begin)
        page = f"{before}{begin}\n{text}\n{end}{rest.partition(end)[2]}"
    return page


def write(docs: Path = DOCS) -> None:
    """Write both files."""
    page = docs / "protocol.md"
    page.write_text(fill(page.read_text(encoding="utf-8")), encoding="utf-8")
    (docs / "protocol.schema.json").write_text(schema(), encoding="utf-8")
