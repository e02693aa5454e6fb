"""No line of IRC is forged, whatever a field of an event holds; and there is one way only by which bytes go out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.hostile import EVENTS, FORGED
from support.ircrig import Rig
from tcpchat.doors import irc
from tcpchat.doors.irc import caps, wire
from tcpchat.doors.irc.network import Network

ALL_CAPS = " ".join(name for name in caps.CAPS if name not in ("sasl", "sts"))
CAPS = ["", "server-time message-tags batch account-tag", "batch draft/multiline message-tags echo-message", ALL_CAPS]


def well_formed(data: bytes) -> None:
    """Every line ends with CR LF, holds none inside, no NUL, and is within its limits."""
    assert data == b"" or data.endswith(b"\r\n")
    for line in data.split(b"\r\n")[:-1]:
        assert not re.search(rb"[\r\n\0]", line), line
        tags, _, rest = line.partition(b" ") if line.startswith(b"@") else (b"", b"", line)
        assert len(rest) <= wire.MAX_LINE - 2, line
        assert len(tags) < wire.MAX_SENT_TAGS, len(tags)
        assert not rest.startswith(FORGED.encode()), line
        rest.decode()


def inside(wanted: str) -> Rig:
    rig = Rig(Network())
    rig.feed(f"CAP LS 302\r\nCAP REQ :{wanted}\r\nNICK foo\r\nUSER foo 0 * :Foo\r\nCAP END\r\nJOIN #room\r\n".encode())
    rig.feed(b"METADATA * SUB avatar\r\nMONITOR + bar,online\r\n")
    assert rig.door.registered
    return rig


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(CAPS), st.lists(EVENTS, min_size=1, max_size=6), st.booleans())
def test_whatever_is_told_the_lines_are_lines(wanted: str, told: list[Any], replayed: bool) -> None:
    rig = inside(wanted)
    door = rig.door
    door.head = (1 << 41) * replayed  # all that is told belongs to what was missed
    for event in told:
        for data in (door.encode(event), door.view(event)):
            well_formed(data or b"")
        door.deliver(event)
        well_formed(door.data_to_send())
        if door.closing:
            return


LINES = st.sampled_from(
    ["PRIVMSG #room :{}", "NOTICE foo :{}", "TOPIC #room :{}", "AWAY :{}", "SETNAME :{}", "PART #room :{}",
     "QUIT :{}", "KICK #room foo :{}",
     "METADATA * SET avatar :{}", "PING :{}", "MODE #room +b {}", "MODE #room +k {}", "INVITE {} #room", "JOIN {}",
     "WHO {}", "WHOIS {}",
     "LIST {}", "NAMES {}", "MONITOR + {}", "NICK {}", "{} x", "CAP REQ :{}", "CHATHISTORY LATEST {} * 5",
     "MARKREAD {}", "REDACT {} tc1",
     "@+{}=1 TAGMSG #room", "@+a={} TAGMSG #room", "@label={} PING x", "RENAME #room {}", "USERHOST {}", "HELP {}",
     "STATS {}", "BATCH +{} x y"]
)  # fmt: skip
WORDS = st.text(max_size=30) | st.sampled_from(
    ["a\rb", "\r" + FORGED, "\0", "ж" * 200, "a\0\rb", "x" * 480, "{}", "%s"]
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(CAPS), st.lists(st.tuples(LINES, WORDS), max_size=5))
def test_whatever_is_asked_the_answers_are_lines(wanted: str, asked: list[tuple[str, str]]) -> None:
    rig = inside(wanted)
    for line, word in asked:
        well_formed(rig.feed((line.replace("{}", word) + "\r\n").encode(errors="replace")))


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n", b"\n\r"])
def test_a_lone_cr_ends_a_line(end: bytes) -> None:
    rig = inside("")
    assert rig.feed(b"PING one" + end + b"PING two" + end).count(b" PONG ") == 2


def test_a_cr_in_a_message_reaches_nobody() -> None:
    rig = inside("")
    out = rig.feed(b"PRIVMSG foo :hello\r" + FORGED.encode() + b"\r\n")
    well_formed(out)
    assert b":hello\r\n" in out


def test_lines_end_in_one_place_only() -> None:
    """Whoever writes a line end elsewhere has gone past the one place where lines are made fit."""
    for path in Path(irc.__file__).parent.glob("*.py"):
        if path.name != "wire.py":
            assert r"\r\n" not in path.read_text(encoding="utf-8"), path.name
