"""What a command may hold: for every field that has a length, how long it may be and which characters it may have.

One table for all commands of all doors, applied before anything else is done with one: folding, searching or storing
what a stranger sent costs no more than what is written here. A field that is missing fails a test.

Names with control characters are refused: nobody could say whom or what they mean. From free text they are taken out
and the rest is kept, as its author would see it anyway.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from tcpchat.core import model as m
from tcpchat.core.rules import Limits
from tcpchat.core.tags import CUTS_MAX, TAGS_MAX, all_good
from tcpchat.core.text import NAME_MAX, normal_text, utf8_length

# C0, DEL, C1; line and paragraph separators; bidi controls; halves of surrogate pairs.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_BREAKS = re.compile("\r\n|[\t\n\x0b\x0c\r\x85\u2028\u2029]")
# Of a message newline and tab stay, and what IRC clients format with: bold, colours, reset, monospace, reverse,
# italics, strikethrough, underline (modern.ircdocs.horse/formatting). The \x01 of CTCP stays where it frames the text.
_NOT_TEXT = re.compile("[\x00\x05-\x08\x0b-\x0e\x10\x12-\x15\x17-\x1c\x7f-\x9f]|(?<!^)\x01(?!\\Z)", re.DOTALL)
FORMATTING = re.compile("[\x01-\x04\x0f\x11\x16\x1d-\x1f]")
FORMAT_COST = 5  # bytes that a formatting code takes more than its one where it is written as \u0002

REF_MAX = 256  # characters of a ref: it comes back with the answer; labels of IRC have 64
WORD_MAX = 64  # characters of a word of the protocol: a kind, a "do", a number
KEY_MAX = 512  # characters of a public key, a signature, a token
DEVICE_MAX = 128  # characters
HOST_MAX = 256  # characters of user@host
SECRET_MAX = 1_024  # bytes of a password
SCRAM_MAX = 2_048  # characters of one message of SCRAM
WORDS_MAX = 1_000  # bytes of what is searched for
HINT_MAX = 1_000  # characters; made by a door
TEXT_MAX = 65_536  # bytes: what a line can hold; a message's own limit (max_text) is looked at behind its number
CHANGES_MAX = 50  # of one command
PREFERENCE_KEY = 80  # characters
PREFERENCE_BYTES = 1_000

Keep = Callable[[str], str]


class Refusal(Exception):
    """This command is not taken: the code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Bound(NamedTuple):
    """``most`` characters (or bytes of UTF-8), or the name of the limit that says it. ``over`` is the code with which
    longer ones are refused; without one they are cut. ``chars``: "name" (none of the controls, else ``bad``), "line"
    (they are taken out, line ends become spaces), "text" (of a message), "any" (compared, never shown)."""

    most: int | str
    chars: str = "line"
    over: str = ""
    bytes: bool = False
    bad: str = "bad_name"


NAME = Bound(NAME_MAX, "name", "bad_name")
WORD = Bound(WORD_MAX, "name", "bad_command", bad="bad_command")
KEY = Bound(KEY_MAX, "name", "too_long", bad="bad_command")
REF = Bound(REF_MAX, "any", "too_long")
WHY = Bound("max_why", bytes=True)
LABEL = Bound("max_label")
AT = Bound(HOST_MAX + 8, "name", "too_long", bad="bad_command")  # brackets, colon, port
TEXT = Bound(TEXT_MAX, "text", "too_long", bytes=True)
SECRET = Bound(SECRET_MAX, "any", "too_long", bytes=True)

# What acts of operators may be given (core.operators.ACTS says which takes what).
ARGUMENTS: dict[str, Bound] = {
    "login": NAME, "room": NAME, "name": NAME, "role": WORD, "seconds": Bound(WORD_MAX), "erase": WORD, "code": KEY,
    "token": KEY, "kind": WORD,
    "address": Bound(128, "name", "bad_command", bad="bad_command"),
    "secret": SECRET, "text": Bound("max_text", "text", "too_long", bytes=True), "why": WHY,
}  # fmt: skip

FIELDS: dict[type[m.Command], dict[str, Bound]] = {
    m.Hello: {
        "login": NAME, "device": Bound(DEVICE_MAX), "label": LABEL, "key": KEY, "name": Bound("max_name"),
        "account": NAME, "token": KEY, "host": Bound(HOST_MAX), "log": KEY,
    },
    m.Proof: {"signature": KEY, "key": KEY, "at": AT},
    m.Password: {"password": SECRET, "account": NAME, "new": SECRET, "ref": REF},
    m.Guess: {"what": WORD, "ref": REF},
    m.Scram: {"message": Bound(SCRAM_MAX, "any", "wrong_password"), "ref": REF},
    m.External: {"account": NAME, "ref": REF},
    m.Say: {
        "to": NAME, "text": TEXT, "kind": WORD, "ref": REF, "rank": WORD,
        "tags": Bound(TAGS_MAX, "name", "bad_command", bytes=True), "cuts": Bound(CUTS_MAX, "any", "bad_command"),
    },
    m.Edit: {"text": TEXT, "ref": REF},
    m.Remove: {"why": WHY, "ref": REF, "to": NAME},
    m.Confirm: {},
    m.Read: {"to": NAME, "ref": REF},
    m.Join: {"room": NAME, "key": Bound(WORD_MAX, "any", "wrong_key"), "ref": REF},
    m.Leave: {"room": NAME, "why": WHY, "ref": REF},
    m.Topic: {"room": NAME, "text": Bound("max_topic", "line", "too_long", bytes=True), "ref": REF},
    m.Invite: {"room": NAME, "login": NAME, "ref": REF},
    m.Kick: {"room": NAME, "login": NAME, "why": WHY, "ref": REF},
    m.Mode: {"room": NAME, "changes": Bound(CHANGES_MAX, "name"), "ref": REF},
    m.Rename: {"to": NAME, "room": NAME, "why": WHY, "ref": REF},
    m.Set: {
        "key": Bound(PREFERENCE_KEY, "name", "bad_command", bad="bad_command"),
        "value": Bound(PREFERENCE_BYTES, "line", "bad_command", bytes=True), "room": NAME, "ref": REF, "login": NAME,
    },
    m.Away: {"why": WHY, "ref": REF},
    m.Typing: {"to": NAME},
    m.History: {"to": NAME, "ref": REF},
    m.Search: {"words": Bound(WORDS_MAX, "line", "too_long", bytes=True), "to": NAME, "by": NAME, "ref": REF},
    m.Who: {"to": NAME, "ref": REF, "after": NAME},
    m.Rooms: {"ref": REF, "to": NAME, "after": NAME},
    m.Receipts: {"ref": REF},
    m.Status: {"ref": REF},
    m.Key: {"do": WORD, "key": KEY, "signature": KEY, "label": LABEL, "ref": REF},
    m.Admin: {"do": WORD, "args": Bound(len(ARGUMENTS), "any"), "ref": REF},
    m.Ping: {"token": REF},
    m.Pong: {"token": Bound(REF_MAX, "any")},
    m.Bye: {"why": WHY},
    m.Fault: {"code": WORD, "hint": Bound(HINT_MAX), "ref": REF},
}  # fmt: skip
CHANGE: dict[str, Bound] = {"name": WORD, "arg": NAME, "by": Bound(0)}  # each of the changes of Mode


def without_controls(text: str) -> str:
    """One line without what a screen, a line of IRC or a log must not see; line ends and tabs become spaces."""
    return _CONTROLS.sub("", _BREAKS.sub(" ", text))


def message_text(text: str) -> str:
    """A message's text with no control characters but newline (for \\r\\n and \\r too), tab and formatting codes."""
    return _NOT_TEXT.sub("", normal_text(text))


def message_size(text: str) -> int:
    """Bytes of a message's text in UTF-8; each formatting code counts as it is written in JSON."""
    size = utf8_length(text)
    return size if text.isprintable() else size + FORMAT_COST * len(FORMATTING.findall(text))


def cut(text: str, most: int, in_bytes: bool) -> str:
    """The beginning of a text, whole characters."""
    if in_bytes:
        return text.encode("utf-8", "replace")[:most].decode("utf-8", "ignore")
    return text[:most]


CLEANERS: dict[str, Keep] = {"line": without_controls, "text": message_text, "any": str}


class Bounds:
    """The table, with the lengths that these limits have."""

    def __init__(self, limits: Limits, takes: dict[str, frozenset[str]]) -> None:
        self._limits = limits
        self._takes = takes  # act -> the arguments it has
        self._fields = {
            kind: tuple((name, *self._made(bound)) for name, bound in fields.items() if name not in SPECIAL)
            for kind, fields in FIELDS.items()
        }
        self._arguments = {name: self._made(bound)[1] for name, bound in ARGUMENTS.items()}
        self._change = {name: self._made(bound)[1] for name, bound in CHANGE.items()}
        self._special: dict[str, Callable[[Any], Any]] = {
            "tags": self._tags,
            "changes": self._changes,
            "cuts": self._cuts,
        }
        self._specials = {kind: tuple(SPECIAL & fields.keys()) for kind, fields in FIELDS.items()}
        self._say_quick = self._made(TEXT)[0]

    def _made(self, bound: Bound) -> tuple[int, Keep]:
        """(characters up to which printable text is fine as it is, what is done with all other)."""
        most: int = getattr(self._limits, bound.most) if isinstance(bound.most, str) else bound.most
        quick = most // 4 if bound.bytes else most

        def keep(value: str) -> str:
            if len(value) > most or (bound.bytes and utf8_length(value) > most):
                if bound.over:
                    raise Refusal(bound.over)
                value = cut(value, most, bound.bytes)
            if value.isprintable():
                return value
            if bound.chars == "name":
                if _CONTROLS.search(value):
                    raise Refusal(bound.bad)
                return value
            return CLEANERS[bound.chars](value)

        return quick, keep

    def plain(self, command: m.Say) -> bool:
        """Is nothing of this message to be looked at closer? So it is with nearly all."""
        text, to = command.text, command.to
        return (
            len(text) < self._say_quick and len(to) <= NAME_MAX and text.isprintable() and to.isprintable()
            and not command.tags and not command.cuts and not command.rank
            and command.kind == "text" and type(command.ref) is int
        )  # fmt: skip

    def kept(self, command: m.Command) -> m.Command:
        """The command as it is taken. Raises Refusal."""
        kind = type(command)
        changed: dict[str, Any] = {}
        for name, quick, keep in self._fields.get(kind, ()):
            value = getattr(command, name)
            if type(value) is str and (len(value) > quick or not value.isprintable()):
                kept = keep(value)
                if kept is not value:
                    changed[name] = kept
        for name in self._specials.get(kind, ()):
            value = getattr(command, name)
            if value:
                whole = self._args(command) if name == "args" else self._special[name](value)
                if whole is not value:
                    changed[name] = whole
        if isinstance(command, m.Say) and "text" in changed and command.cuts:
            changed["cuts"] = ()  # they were places in the text as it came
        return msgspec.structs.replace(command, **changed) if changed else command

    def _tags(self, tags: dict[str, str]) -> dict[str, str]:
        """All of them or none: a message without its tags would be another one."""
        if not all_good(tags):
            raise Refusal("bad_command")
        return tags

    def _cuts(self, cuts: tuple[int, ...]) -> tuple[int, ...]:
        if len(cuts) > CUTS_MAX:
            raise Refusal("bad_command")
        return cuts

    def _changes(self, changes: tuple[m.Change, ...]) -> tuple[m.Change, ...]:
        change = self._change
        return tuple(
            m.Change(change["name"](one.name), one.on, change["arg"](one.arg)) for one in changes[:CHANGES_MAX]
        )

    def _args(self, command: m.Command) -> dict[str, str]:
        """The act's own arguments alone: what else came would be kept for good and read by nobody."""
        assert isinstance(command, m.Admin)
        takes = self._takes.get(command.do, frozenset())
        return {key: self._arguments[key](value) for key, value in command.args.items() if key in takes}


SPECIAL = frozenset({"tags", "cuts", "changes", "args"})


def size_of(command: m.Command) -> int:
    """About how many bytes of memory its texts take."""
    total = 0
    for name in FIELDS.get(type(command), ()):
        value = getattr(command, name)
        if isinstance(value, str):
            total += len(value) if value.isascii() else 4 * len(value)
        elif isinstance(value, dict):
            total += sum(len(key) + 4 * len(one) for key, one in value.items())
        elif isinstance(value, tuple):
            total += sum(4 * len(one.arg) for one in value if isinstance(one, m.Change)) + 200 * len(value)
    return total
