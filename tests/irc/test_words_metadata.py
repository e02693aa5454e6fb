"""METADATA for clients of both drafts: news are METADATA lines in the older one, numerics in the newer.

Source: https://ircv3.net/specs/extensions/metadata
"""

from __future__ import annotations

import pytest

from support.ircpeer import Client, House, commands, only
from tcpchat.doors.irc.wire import Line

OLDER, NEWER = "draft/metadata-2", "draft/metadata-3"


def news(lines: list[Line]) -> list[list[str]]:
    """Facts that came without being asked for, as target, key and what is behind the visibility."""
    out = []
    for line in lines:
        if line.command == "METADATA":
            out.append([line.params[0], line.params[1], *line.params[3:]])
        elif line.command == "761":
            out.append([line.params[1], line.params[2], *line.params[4:]])
        elif line.command == "766":
            out.append(line.params[1:3])
    return out


def verbs(lines: list[Line]) -> set[str]:
    """Which commands carried facts."""
    return set(commands(lines)) & {"METADATA", "761", "766"}


def pair(house: House, cap: str) -> tuple[Client, Client]:
    """One who has facts and one who wants to hear of them, in one room."""
    owner, hearer = house.join("foo", cap, "batch"), house.join("bar", cap, "batch")
    owner.ask("JOIN #r")
    hearer.ask("METADATA * SUB display-name avatar", "JOIN #r")
    owner.sync()
    return owner, hearer


@pytest.mark.parametrize(("cap", "verb", "unset"), [(OLDER, "METADATA", "METADATA"), (NEWER, "761", "766")])
def test_changes_are_told_in_the_words_of_the_draft(house: House, cap: str, verb: str, unset: str) -> None:
    owner, hearer = pair(house, cap)
    assert only(owner.ask("METADATA * SET display-name :Foo"), "761").params == [
        "foo",
        "foo",
        "display-name",
        "*",
        "Foo",
    ]
    heard = hearer.sync()
    assert (news(heard), verbs(heard)) == ([["foo", "display-name", "Foo"]], {verb})
    assert only(owner.ask("METADATA #r SET avatar :http://x"), "761").params[1] == "#r"
    heard = hearer.sync()
    assert (news(heard), verbs(heard)) == ([["#r", "avatar", "http://x"]], {verb})
    assert only(owner.ask("METADATA foo SET display-name"), "766").params[:3] == ["foo", "foo", "display-name"]
    heard = hearer.sync()
    assert (news(heard), verbs(heard)) == ([["foo", "display-name"]], {unset})
    assert heard[0].source == "My.Chat.Server"


@pytest.mark.parametrize(("cap", "verb"), [(OLDER, "METADATA"), (NEWER, "761")])
def test_who_enters_hears_what_is_set_already(house: House, cap: str, verb: str) -> None:
    owner = house.join("foo", cap, "batch")
    owner.ask("METADATA * SET display-name :Foo", "JOIN #r", "METADATA #r SET avatar :http://x")
    hearer = house.join("bar", cap, "batch")
    assert commands(hearer.ask("METADATA * SUB display-name avatar")) == ["770"]
    heard = hearer.ask("JOIN #r")
    assert sorted(news(heard)) == [["#r", "avatar", "http://x"], ["foo", "display-name", "Foo"]]
    assert verbs(heard) == {verb}
    synced = hearer.ask("METADATA #r SYNC")
    assert (news(synced), verbs(synced)) == ([["#r", "avatar", "http://x"], ["foo", "display-name", "Foo"]], {verb})
    assert news(hearer.ask("METADATA foo SYNC")) == [["foo", "display-name", "Foo"]]
    came = house.join("baz", cap, "batch")
    came.ask("METADATA * SET avatar :http://z", "JOIN #r")
    heard = hearer.sync()
    assert (news(heard), verbs(heard)) == ([["baz", "avatar", "http://z"]], {verb})
    assert verbs(hearer.ask("METADATA foo GET display-name")) == {"761"}  # an answer is a numeric in both
    assert verbs(hearer.ask("METADATA foo LIST")) == {"761"}
    assert verbs(owner.ask("METADATA #r CLEAR")) == {"766"}


@pytest.mark.parametrize(("cap", "verb"), [(OLDER, "METADATA"), (NEWER, "761")])
def test_what_was_set_before_the_welcome_comes_in_a_batch(house: House, cap: str, verb: str) -> None:
    early = house.connect()
    early.send(f"CAP REQ :{cap} batch", "METADATA * SET display-name :Early", "NICK foo", "USER u 0 * :r", "CAP END")
    assert early.until("761")[-1].params[2:] == ["display-name", "*", "Early"]
    burst = early.until("001") + early.sync()
    start = only([line for line in burst if line.params[1:2] == ["metadata"]], "BATCH")
    (fact,) = [line for line in burst if (line.tags or {}).get("batch") == start.params[0][1:]]
    assert (start.params[2], news([fact]), fact.command) == ("foo", [["foo", "display-name", "Early"]], verb)


def test_values_that_cannot_be(house: House) -> None:
    older, newer = house.join("foo", OLDER, "batch"), house.join("bar", NEWER, "batch")
    long = "x" * 480
    assert only(older.ask(f"METADATA * SET k :{long}"), "FAIL").params[:-1] == ["METADATA", "VALUE_INVALID"]
    assert only(newer.ask(f"METADATA * SET k :{long}"), "FAIL").params[:-1] == ["METADATA", "INVALID_VALUE", "k"]
    for client in (older, newer):
        assert only(client.ask(b"METADATA * SET k :\xc3"), "FAIL").params[:-1] == ["METADATA", "INVALID_UTF8"]
        assert verbs(client.ask("METADATA * LIST")) == set()


def test_a_client_of_both_drafts_is_one_of_the_newer(house: House) -> None:
    owner = house.join("foo", OLDER, NEWER, "batch")
    hearer = house.join("bar", OLDER, NEWER, "batch", rooms=("#r",))
    hearer.ask("METADATA * SUB k")
    owner.ask("JOIN #r", "METADATA * SET k :v")
    assert verbs(hearer.sync()) == {"761"}


@pytest.mark.parametrize("word", ["GET", "SUB", "UNSUB"])
def test_keys_that_cannot_be(house: House, word: str) -> None:
    client = house.join("foo", NEWER, "batch")
    assert commands(client.ask(f"METADATA * {word}")) == ["461"]
    lines = client.ask(f"METADATA * {word} good BAD :no blanks")
    bad = [line.params[:-1] for line in lines if line.command == "FAIL"]
    assert bad == [["METADATA", "KEY_INVALID", "BAD"], ["METADATA", "KEY_INVALID", "no"]]
    assert [line.command for line in lines if "good" in line.params] == [
        {"GET": "766", "SUB": "770", "UNSUB": "771"}[word]
    ]
