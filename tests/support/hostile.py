"""Events of every kind with hostile texts in every place where a text can be."""

from __future__ import annotations

import types
from typing import Any, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st
from msgspec import Struct

from tcpchat.core import events

FORGED = ":evil!e@e PRIVMSG #room :forged"
PLACES = st.sampled_from(["#room", "#all", "foo", "@foo", "bar", "@bar", "#other"])
KINDS = st.sampled_from(
    ["text", "action", "notice", "tag", "joined", "left", "kicked", "topic", "invited", "mode", "renamed", "made",
     "online",
     "offline", "away", "back", "name", "account", "delivered", "read", "failed", "op", "voice", "ban", "key"]
)  # fmt: skip
EVIL = st.sampled_from(
    ["", "\r\n" + FORGED, "a\rb", "a\nb", "\0", "a\0b", "\r", "\n" * 300, "\x01ACTION x\r\n\x01",
     "x" * 3_000, "ж" * 1_500,
     "🦆" * 400, "\ud800", " ", ":", "@a=b ", "a;b=c", "tc5", "\u2028", "\x1b[2J", "\x85", "\x7f" * 900, "a b c"]
)  # fmt: skip
TEXTS = PLACES | KINDS | EVIL | st.lists(PLACES | EVIL, max_size=3).map("".join) | st.text(max_size=40)


def of(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a type."""
    if hint is str:
        return TEXTS
    if hint is int:
        return st.integers(0, 3) | st.integers(0, 1 << 40)
    if hint is float:
        return st.floats(0, 100)
    if hint is bool:
        return st.booleans()
    if hint is Any:
        return TEXTS
    if hint is type(None):
        return st.none()
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return st.one_of([of(arg) for arg in args])
    if origin is tuple:
        return st.lists(of(args[0]), max_size=3).map(tuple)
    if origin is dict:
        return st.dictionaries(of(args[0]), of(args[1]), max_size=3)
    assert issubclass(hint, Struct), hint
    return built(hint)


def built(kind: type[Struct]) -> st.SearchStrategy[Any]:
    hints = get_type_hints(kind, vars(events))
    return st.builds(kind, **{name: of(hints[name]) for name in kind.__struct_fields__})


EVENTS = st.one_of([st.deferred(lambda kind=kind: built(kind)) for kind in get_args(events.AnyEvent)])
