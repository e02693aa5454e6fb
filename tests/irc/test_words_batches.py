"""Batches of a client: one that cannot become a message does not stand in the way of the next.

Source: https://ircv3.net/specs/extensions/multiline
"""

from __future__ import annotations

import pytest

from support.ircpeer import House, commands, only

CONCAT = "draft/multiline-concat"


@pytest.mark.parametrize(
    ("lines", "context"),
    [
        (["@batch=other PRIVMSG #r :hi"], ["MULTILINE_INVALID"]),
        (["@batch=1 PRIVMSG #r :hi", f"@batch=1;{CONCAT} PRIVMSG #r :"], ["MULTILINE_INVALID"]),
        (["@batch=1 PRIVMSG #r hi"] * 33, ["MULTILINE_MAX_LINES", "32"]),
        (["@batch=1 PRIVMSG #r " + "x" * 400] * 11, ["MULTILINE_MAX_BYTES", "4096"]),
        (["@batch=1 PRIVMSG #other :hi"], ["MULTILINE_INVALID_TARGET", "#r", "#other"]),
    ],
    ids=["reference", "blank", "lines", "bytes", "target"],
)
@pytest.mark.parametrize("closed", [True, False])
def test_after_a_faulty_batch_another_may_begin(
    house: House, lines: list[str], context: list[str], closed: bool
) -> None:
    caps = ("draft/multiline", "batch", "message-tags", "echo-message", "labeled-response")
    a, b = house.join("foo", *caps, rooms=("#r",)), house.join("bar", *caps, rooms=("#r",))
    a.sync()
    end = ["BATCH -1"] if closed else []
    (refusal,) = a.ask("@label=x BATCH +1 draft/multiline #r", *lines, *end)
    assert (refusal.command, refusal.params[:-1]) == ("FAIL", ["BATCH", *context])
    assert (refusal.tags or {})["label"] == "x"
    good = ["BATCH +2 draft/multiline #r", "@batch=2 PRIVMSG #r :one", "@batch=2 PRIVMSG #r :two", "BATCH -2"]
    assert commands(a.ask(*good)) == ["BATCH", "PRIVMSG", "PRIVMSG", "BATCH"]
    assert [line.params[1] for line in b.sync() if line.command == "PRIVMSG"] == ["one", "two"]


def test_a_batch_inside_an_open_one(house: House) -> None:
    a = house.join("foo", "draft/multiline", "batch", rooms=("#r",))
    opened = a.ask("BATCH +1 draft/multiline #r", "BATCH +2 draft/multiline #r")
    assert only(opened, "FAIL").params[:2] == ["BATCH", "MULTILINE_INVALID"]


# -- batches of the server ----------------------------------------------------------------------------------------


def test_who_knows_no_batches_gets_lines(house: House) -> None:
    """https://ircv3.net/specs/extensions/batch: only for those who have asked for it"""
    a = house.join("foo", rooms=("#r",))
    a.ask("PRIVMSG #r :needle", "METADATA * SET k :v")
    asked = {
        "SEARCH text=needle": ["PRIVMSG"], "SEARCH text=nothing": ["NOTICE"], "METADATA * GET k": ["761", "762"],
        "METADATA * LIST": ["761", "762"], "METADATA #r LIST": ["762"], "METADATA * CLEAR": ["766", "762"],
        "METADATA * SUBS": ["762"], "METADATA #r SYNC": ["762"],
    }  # fmt: skip
    for line, expected in asked.items():
        lines = a.ask(line)
        assert (line, commands(lines)) == (line, expected)
        assert [one.tags for one in lines] == [None] * len(lines)


@pytest.mark.parametrize(
    ("cap", "line", "kind"),
    [
        ("draft/metadata-2", "METADATA * LIST", "metadata"),
        ("draft/metadata-3", "METADATA * SUBS", "metadata-subs"),
        ("draft/chathistory", "CHATHISTORY LATEST #r * 10", "chathistory"),
        ("soju.im/search", "SEARCH text=needle", "soju.im/search"),
        ("labeled-response", "@label=x LUSERS", "labeled-response"),
    ],
)
def test_capabilities_that_need_batches_bring_them(house: House, cap: str, line: str, kind: str) -> None:
    a = house.join("foo", cap, rooms=("#r",))
    lines = a.ask(line)
    assert (lines[0].params[1], lines[-1].params) == (kind, ["-" + lines[0].params[0][1:]])
    assert "batch" in only(a.ask("CAP LIST"), "CAP").params[-1].split()
