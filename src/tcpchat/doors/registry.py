"""Which protocols a server speaks: one row for each. A new protocol needs its row here, and its own folder.

A row's test looks at the beginning of a connection. Nothing of a protocol is imported before somebody speaks it.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tcpchat.doors import Realm

HTTP_METHODS = frozenset(b"GET HEAD POST PUT DELETE OPTIONS PATCH TRACE CONNECT".split())
# What an IRC client may say before it is registered. None of them is an HTTP method, so one word decides.
IRC_VERBS = frozenset(b"CAP NICK USER PASS AUTHENTICATE PING PONG QUIT WEBIRC REGISTER VERIFY STARTTLS ERROR".split())
SEED_KEY = b'"TYPE"'

_WORD = re.compile(rb"[A-Za-z]*")
# RFC 1459 2.3.1 and IRCv3 message tags: "@tags " and ":prefix " may stand before the verb.
_BEFORE_VERB = re.compile(rb"(?:@[^ \r\n]* +)?(?::[^ \r\n]* +)?")
_BEFORE_VERB_BEGUN = re.compile(rb"(?:@[^ \r\n]* +)?[@:][^ \r\n]* *")


class DoorKind(NamedTuple):
    """One protocol.

    ``speaks`` says of the first bytes of a connection (without blank lines before them, never empty) whether they are
    of this protocol: None when more of them are needed. ``realm`` is "module:class". ``alpn`` is its name in TLS
    (RFC 7301); who names none is served all the same.
    """

    name: str
    speaks: Callable[[bytes], bool | None]
    realm: str
    alpn: str = ""
    at_start: bool = False  # its realm is made when the server starts: what is wrong with its files shows then


def speaks_original(head: bytes) -> bool | None:
    """The original clients' objects begin with the key TYPE, ours never."""
    if head[:1] != b"{":
        return False
    key = head[1:].lstrip(b" \t\r\n")[: len(SEED_KEY)]
    return True if key == SEED_KEY else None if SEED_KEY.startswith(key) else False


def speaks_native(head: bytes) -> bool | None:
    """Any other object."""
    if head[:1] != b"{":
        return False
    return None if (original := speaks_original(head)) is None else not original


def speaks_http(head: bytes) -> bool | None:
    """A method and a blank; methods are case-sensitive (RFC 9110 9.1)."""
    name, rest = _first_word(head)
    if rest:
        return rest == b" " and name in HTTP_METHODS
    return None if name and any(method.startswith(name) for method in HTTP_METHODS) else False


def speaks_irc(head: bytes) -> bool | None:
    """A verb, perhaps after tags and a prefix; verbs are not case-sensitive."""
    if head[:1] in (b"@", b":"):
        if _BEFORE_VERB_BEGUN.fullmatch(head):
            return None
        before = _BEFORE_VERB.match(head)
        assert before is not None
        head = head[before.end() :]
    name, rest = _first_word(head)
    upper = name.upper()
    if rest:
        return rest in b" \r\n" and upper in IRC_VERBS
    return None if any(verb.startswith(upper) for verb in IRC_VERBS) else False


def _first_word(head: bytes) -> tuple[bytes, bytes]:
    """The letters that something begins with, and the byte after them."""
    word = _WORD.match(head)
    assert word is not None
    return word[0], head[word.end() : word.end() + 1]


KINDS: dict[str, DoorKind] = {}


def register(kind: DoorKind) -> None:
    """Speak one more protocol: at most one row may say True of the same bytes."""
    KINDS[kind.name] = kind


for _kind in (
    DoorKind("web", speaks_http, "tcpchat.doors.web.realm:WebRealm", "http/1.1"),
    DoorKind("irc", speaks_irc, "tcpchat.doors.irc.realm:IrcRealm", "irc", at_start=True),
    DoorKind("native", speaks_native, "tcpchat.doors.native:NativeRealm", "tcpchat"),
    DoorKind("seed", speaks_original, "tcpchat.doors.original.realm:OriginalRealm"),
):
    register(_kind)


def realm_class(name: str) -> type[Realm]:
    """The class of what this protocol shares."""
    module, _, attribute = KINDS[name].realm.partition(":")
    found: type[Realm] = getattr(importlib.import_module(module), attribute)
    return found


def alpn() -> Iterator[str]:
    """The names that are offered in TLS, in the order in which the server prefers them."""
    return (kind.alpn for kind in KINDS.values() if kind.alpn)
