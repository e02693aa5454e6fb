"""Which door a connection wants: decided once, by its first bytes."""

from __future__ import annotations

import re

FIRST_BYTES_MAX = 1024  # who has not said by then what it speaks is not one of ours

HTTP_METHODS = frozenset(b"GET HEAD POST PUT DELETE OPTIONS PATCH TRACE CONNECT".split())
# What an IRC client may say before it is registered. None of them is an HTTP method, so one word decides.
IRC_VERBS = frozenset(b"CAP NICK USER PASS AUTHENTICATE PING PONG QUIT WEBIRC REGISTER VERIFY STARTTLS ERROR".split())
SEED_KEY = b'"TYPE"'

_WORD = re.compile(rb"[A-Za-z]*")
# RFC 1459 2.3.1 and IRCv3 message tags: "@tags " and ":prefix " may stand before the verb.
_BEFORE_VERB = re.compile(rb"(?:@[^ \r\n]* +)?(?::[^ \r\n]* +)?")
_BEFORE_VERB_BEGUN = re.compile(rb"(?:@[^ \r\n]* +)?[@:][^ \r\n]* *")


def choose(data: bytes) -> str:
    """Say what the first bytes of a connection speak.

    "native", "seed", "irc", "web", "tls"; "more" when they do not decide yet, "none" when they never will.
    Blank lines before the first word are passed over (people press Enter; RFC 9112 2.2 asks the same for HTTP).
    """
    if data[:1] == b"\x16":  # a TLS record of type handshake, RFC 8446 5.1
        return "tls"
    head = data[:FIRST_BYTES_MAX].lstrip(b"\r\n")
    kind = "more" if not head else _json(head) if head[:1] == b"{" else _line(head)
    return "none" if kind == "more" and len(data) >= FIRST_BYTES_MAX else kind


def _json(head: bytes) -> str:
    """The original clients' objects begin with the key TYPE, ours never."""
    key = head[1:].lstrip(b" \t\r\n")[: len(SEED_KEY)]
    if key == SEED_KEY:
        return "seed"
    return "more" if SEED_KEY.startswith(key) else "native"


def _line(head: bytes) -> str:
    """A line that begins with a word: HTTP or IRC."""
    word = _WORD.match(head)
    assert word is not None
    name, rest = word[0], head[word.end() : word.end() + 1]
    if rest == b" " and name in HTTP_METHODS:  # methods are case-sensitive, RFC 9110 9.1
        return "web"
    if head[:1] in (b"@", b":"):
        if _BEFORE_VERB_BEGUN.fullmatch(head):
            return "more"
        before = _BEFORE_VERB.match(head)
        assert before is not None
        head = head[before.end() :]
        word = _WORD.match(head)
        assert word is not None
        name, rest = word[0], head[word.end() : word.end() + 1]
        return _verb(name, rest, frozenset())
    return _verb(name, rest, HTTP_METHODS)


def _verb(name: bytes, rest: bytes, methods: frozenset[bytes]) -> str:
    upper = name.upper()  # verbs are not case-sensitive
    if rest:
        return "irc" if rest in b" \r\n" and upper in IRC_VERBS else "none"
    begun = any(verb.startswith(upper) for verb in IRC_VERBS) or any(verb.startswith(name) for verb in methods)
    return "more" if begun else "none"
