"""The first bytes decide, at any cut, surely, and never raise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcpchat.doors.choose import FIRST_BYTES_MAX, choose
from tcpchat.doors.registry import HTTP_METHODS, IRC_VERBS

KINDS = {"native", "seed", "irc", "web", "tls", "more", "none"}

DECIDED = [
    (b'{"t":"hello","login":"duck"}\n', "native"),
    (b'{ "t" : "hello"}', "native"),
    (b"{}", "native"),
    (b"{\n", "more"),
    (b"{1", "native"),
    (b'\r\n\r\n{"t":"hello"}', "native"),
    (b'{"TYPE": "HI", "BODY": "duck"}', "seed"),
    (b'{ \n "TYPE":"HI"}', "seed"),
    (b'{"TYP', "more"),
    (b'{"TYPES":1}', "native"),
    (b'{"type":"HI"}', "native"),
    (b"\x16\x03\x01\x02\x00", "tls"),
    (b"\x16", "tls"),
    (b"\r\n\x16\x03", "none"),
    (b"GET / HTTP/1.1\r\n", "web"),
    (b"POST / HTTP/1.1\r\n", "web"),
    (b"OPTIONS * HTTP/1.1\r\n", "web"),
    (b"\r\nGET / HTTP/1.1\r\n", "web"),
    (b"get / HTTP/1.1\r\n", "none"),
    (b"GETS ", "none"),
    (b"GET\t/", "none"),
    (b"PASS secret\r\n", "irc"),
    (b"PATCH /x HTTP/1.1\r\n", "web"),
    (b"PA", "more"),
    (b"P", "more"),
    (b"CAP LS 302\r\n", "irc"),
    (b"cap ls\n", "irc"),
    (b"CAPS ", "none"),
    (b"Nick duck\r\n", "irc"),
    (b"USER duck 0 * :Duck\r\n", "irc"),
    (b"QUIT\r\n", "irc"),
    (b"QUIT\n", "irc"),
    (b"QUIT", "more"),
    (b"PING", "more"),
    (b"PING x\r\n", "irc"),
    (b"AUTHENTICATE PLAIN\r\n", "irc"),
    (b"WEBIRC pw gw host ip\r\n", "irc"),
    (b"@id=1 NICK duck\r\n", "irc"),
    (b"@id=1 :pre NICK duck\r\n", "irc"),
    (b":pre NICK duck\r\n", "irc"),
    (b":pre GET / HTTP/1.1\r\n", "none"),
    (b"@id=1", "more"),
    (b":pre ", "more"),
    (b":pre N", "more"),
    (b":pre 1", "none"),
    (b"@id\r\n", "none"),
    (b"", "more"),
    (b"\r\n", "more"),
    (b"hello there\r\n", "none"),
    (b"HEL", "none"),
    (b"SSH-2.0-OpenSSH_9\r\n", "none"),
    (b"PRI * HTTP/2.0\r\n", "none"),
    (b"\x00\xff", "none"),
]


@pytest.mark.parametrize(("data", "kind"), DECIDED, ids=lambda item: repr(item)[:40])
def test_decides(data: bytes, kind: str) -> None:
    assert choose(data) == kind


def test_irc_verbs_and_http_methods_are_apart() -> None:
    assert not {verb.upper() for verb in IRC_VERBS} & HTTP_METHODS


@pytest.mark.parametrize(("data", "kind"), DECIDED, ids=lambda item: repr(item)[:40])
def test_no_prefix_decides_otherwise(data: bytes, kind: str) -> None:
    for end in range(len(data)):
        assert choose(data[:end]) in ("more", kind)


@pytest.mark.parametrize("start", [b"", b"\r\n", b"{", b"@", b"@a=", b":", b"{ "])
@pytest.mark.parametrize("fill", [b"\r\n", b" ", b"x", b"{", b'"', b"@ "])
def test_nobody_stays_undecided(start: bytes, fill: bytes) -> None:
    assert choose((start + fill * FIRST_BYTES_MAX)[:FIRST_BYTES_MAX]) != "more"


@given(st.binary(max_size=2048))
def test_any_bytes_get_an_answer(data: bytes) -> None:
    assert choose(data) in KINDS


@given(st.text(alphabet='{}"TYPE@: \r\nGETPOSNICK', max_size=60))
def test_near_misses_get_an_answer(text: str) -> None:
    assert choose(text.encode()) in KINDS
