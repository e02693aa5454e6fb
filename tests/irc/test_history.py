"""CHATHISTORY, SEARCH, MARKREAD, what was missed, receipts."""

from __future__ import annotations

import time
from typing import Any

import pytest

from support.ircpeer import Client, House, commands, only

CAPS = ("batch", "draft/chathistory", "echo-message", "labeled-response", "message-tags", "server-time")


def batch(client: Client, line: str) -> list[tuple[str, str, str]]:
    """Ask for history: (msgid, time, text) of what is in the batch."""
    lines = client.ask(line)
    assert (lines[0].command, lines[0].params[1]) == ("BATCH", "chathistory"), lines
    name = lines[0].params[0][1:]
    assert lines[-1].params == ["-" + name]
    assert all((one.tags or {}).get("batch") == name for one in lines[1:-1])
    return [((one.tags or {})["msgid"], (one.tags or {})["time"], one.params[-1]) for one in lines[1:-1]]


def say(client: Client, target: str, number: int, word: str = "PRIVMSG") -> tuple[str, str, str]:
    (line,) = client.ask(f"{word} {target} :this is {word.lower()} {number}")
    time.sleep(0.003)  # so that every time is another
    return ((line.tags or {})["msgid"], (line.tags or {})["time"], line.params[-1])


def check(client: Client, target: str, said: list[tuple[str, str, str]]) -> None:
    """All subcommands, by msgid and by timestamp."""

    def ask(words: str) -> list[tuple[str, str, str]]:
        return batch(client, f"CHATHISTORY {words}")

    everything = 2 * len(said)
    assert ask(f"LATEST {target} * {everything}") == said
    assert ask(f"LATEST {target} * 5") == said[-5:]
    assert ask(f"LATEST {target} * 1") == said[-1:]
    for kind, place in (("msgid", 0), ("timestamp", 1)):

        def at(number: int, kind: str = kind, place: int = place) -> str:
            return f"{kind}={said[number][place]}"

        assert ask(f"LATEST {target} {at(4)} {everything}") == said[5:]
        assert ask(f"BEFORE {target} {at(6)} {everything}") == said[:6]
        assert ask(f"BEFORE {target} {at(6)} 2") == said[4:6]
        assert ask(f"AFTER {target} {at(3)} {everything}") == said[4:]
        assert ask(f"AFTER {target} {at(3)} 3") == said[4:7]
        assert ask(f"BETWEEN {target} {at(0)} {at(-1)} {everything}") == said[1:-1]
        assert ask(f"BETWEEN {target} {at(-1)} {at(0)} {everything}") == said[1:-1]
        assert ask(f"BETWEEN {target} {at(0)} {at(-1)} 3") == said[1:4]
        assert ask(f"BETWEEN {target} {at(-1)} {at(0)} 3") == said[-4:-1]
        assert ask(f"AROUND {target} {at(7)} 3") == said[6:9]
    assert ask(f"AROUND {target} msgid={said[7][0]} 1") == [said[7]]


def test_history_of_a_room(house: House) -> None:
    a = house.join("bar", *CAPS, rooms=("#r",))
    said = [say(a, "#r", number) for number in range(10)]
    check(a, "#r", said)


def test_history_with_events(house: House) -> None:
    a = house.join("bar", *CAPS, "draft/event-playback", rooms=("#r",))
    said = []
    for number in range(5):
        (line,) = a.ask(f"TOPIC #r :this is topic {number}")
        time.sleep(0.003)
        said.append(((line.tags or {})["msgid"], (line.tags or {})["time"], line.params[-1]))
        said.append(say(a, "#r", number))
    lines = a.ask("CHATHISTORY LATEST #r * 100")
    kept = [one for one in lines if one.command in ("PRIVMSG", "TOPIC")]
    assert [((one.tags or {})["msgid"], (one.tags or {})["time"], one.params[-1]) for one in kept] == said
    check(a, "#r", said) if "JOIN" not in commands(lines) else None
    a.ask("CAP REQ :-draft/event-playback")
    lines = a.ask("CHATHISTORY LATEST #r * 100")
    assert set(commands(lines[1:-1])) == {"PRIVMSG"}


def test_history_of_direct_messages(house: House) -> None:
    a, b = house.join("foo", *CAPS), house.join("bar", *CAPS)
    said = []
    for number in range(10):
        one, other = (a, "bar") if number % 2 == 0 else (b, "foo")
        a.sync(), b.sync()
        said.append(say(one, other, number))
    a.sync(), b.sync()
    check(a, "bar", said)
    check(b, "FOO", said)
    c = house.join("baz", *CAPS)
    a.ask("PRIVMSG baz :another conversation")
    assert commands(c.sync()) == ["PRIVMSG"]
    check(a, "bar", said)
    c.send("QUIT")
    c.closed()
    house.account("baz", "sesame")
    c = house.join("baz", *CAPS, password="sesame")
    assert batch(c, "CHATHISTORY LATEST foo * 10") == []


def test_messages_to_oneself_are_kept_once(house: House) -> None:
    a = house.join("bar", *CAPS)
    a.ask("PRIVMSG bar :note")
    assert [text for _, _, text in batch(a, "CHATHISTORY LATEST bar * 10")] == ["note"]


def test_history_refusals(house: House) -> None:
    a = house.join("bar", *CAPS)
    house.join("qux", rooms=("#real",))

    def fail(words: str) -> list[str]:
        return only(a.ask(f"CHATHISTORY {words}".strip()), "FAIL").params[:-1]

    assert fail("LATEST #nothere * 10") == ["CHATHISTORY", "INVALID_TARGET", "LATEST", "#nothere"]
    assert fail("LATEST #real * 10") == ["CHATHISTORY", "INVALID_TARGET", "LATEST", "#real"]
    assert fail("LATEST #real") == ["CHATHISTORY", "INVALID_PARAMS", "LATEST"]
    assert fail("NONSENSE #real * 10") == ["CHATHISTORY", "INVALID_PARAMS", "NONSENSE"]
    assert fail("LATEST #real * x")[:3] == ["CHATHISTORY", "INVALID_PARAMS", "LATEST"]
    assert fail("BEFORE qux nonsense=1 10")[:2] == ["CHATHISTORY", "INVALID_MSGREFTYPE"]
    assert fail("") == ["CHATHISTORY", "INVALID_PARAMS", "*"]
    assert fail("TARGETS * * 10")[:2] == ["CHATHISTORY", "INVALID_PARAMS"]


def test_tag_messages_come_only_with_event_playback(house: House) -> None:
    a = house.join("foo", *CAPS, "draft/event-playback", rooms=("#r",))
    b = house.join("bar", *CAPS, rooms=("#r",))
    a.sync()
    (echo,) = a.ask("@+test=success TAGMSG #r")
    assert commands(b.sync()) == ["TAGMSG"]
    history = [one for one in a.ask("CHATHISTORY LATEST #r * 10") if one.command == "TAGMSG"]
    assert [(one.tags or {})["msgid"] for one in history] == [(echo.tags or {})["msgid"]]
    assert (history[0].tags or {})["+test"] == "success"
    assert "TAGMSG" not in commands(b.ask("CHATHISTORY LATEST #r * 10"))


def test_targets_and_search(house: House) -> None:
    a, b = house.join("foo", *CAPS, rooms=("#r",)), house.join("bar", *CAPS, rooms=("#r",))
    a.ask("PRIVMSG #r :the quick brown fox", "PRIVMSG bar :a lazy dog")
    b.sync()
    now = "2000-01-01T00:00:00.000Z 2100-01-01T00:00:00.000Z".split()
    lines = a.ask(f"CHATHISTORY TARGETS timestamp={now[0]} timestamp={now[1]} 10")
    assert lines[0].params[1] == "draft/chathistory-targets"
    assert {one.params[1] for one in lines[1:-1]} == {"#r", "bar"}
    lines = a.ask("SEARCH text=quick")
    assert lines[0].params[1] == "soju.im/search"
    assert [one.params for one in lines[1:-1]] == [["#r", "the quick brown fox"]]
    assert a.ask("SEARCH in=#none;text=x")[0].params[:2] == ["SEARCH", "INVALID_TARGET"]


# -- read marks ----------------------------------------------------------------------------------------------


def test_read_marks(house: House) -> None:
    a = house.join("alice", "draft/read-marker")
    house.join("bob")
    assert only(a.ask("MARKREAD #nothing"), "MARKREAD").params == ["#nothing", "*"]
    lines = a.ask("JOIN #r")
    assert commands(lines) == ["JOIN", "MARKREAD", "353", "366"]
    assert lines[1].params == ["#r", "*"]
    newer, older = "2019-06-01T12:00:00.000Z", "2019-01-01T00:00:00.000Z"
    for target in ("#r", "bob"):
        assert only(a.ask(f"MARKREAD {target} timestamp={newer}"), "MARKREAD").params == [
            target,
            f"timestamp={newer}",
        ]
        assert only(a.ask(f"MARKREAD {target} timestamp={older}"), "MARKREAD").params == [
            target,
            f"timestamp={newer}",
        ]
        assert only(a.ask(f"MARKREAD {target}"), "MARKREAD").params == [target, f"timestamp={newer}"]
    a.ask("PART #r")
    assert only(a.ask("JOIN #r"), "MARKREAD").params == ["#r", f"timestamp={newer}"]
    assert a.ask("MARKREAD")[0].params[:2] == ["MARKREAD", "NEED_MORE_PARAMS"]
    for wrong in ("timestamp=not-a-timestamp", "*", "timestamp=*"):
        assert a.ask(f"MARKREAD #r {wrong}")[0].params[:2] == ["MARKREAD", "INVALID_PARAMS"]


def test_read_marks_of_an_account(house: House) -> None:
    house.account("alice", "sesame")
    one = house.join("alice", "draft/read-marker", password="sesame", user="one", rooms=("#r",))
    two = house.join("alice", "draft/read-marker", password="sesame", user="two")
    stamp = "timestamp=2022-11-11T11:11:11.111Z"
    one.ask(f"MARKREAD #r {stamp}")
    assert only(two.sync(), "MARKREAD").params == ["#r", stamp]
    one.close(), two.close()
    three = house.join("alice", "draft/read-marker", password="sesame", user="three")
    marks = [line.params for line in three.seen if line.command == "MARKREAD"]
    assert marks == [["#r", stamp]]
    assert commands(three.seen).count("JOIN") == 1


# -- what was missed, and receipts ---------------------------------------------------------------------------


@pytest.fixture
def prompt(make_house: Any) -> House:
    """A server that asks for receipts at once."""
    house: House = make_house(irc_receipts_after=0.0)
    return house


def answer_pings(client: Client) -> list[Any]:
    """Read until the server asks for a receipt, and give it."""
    lines = client.until("PING")
    client.send(f"PONG :{lines[-1].params[0]}")
    return lines


def test_missed_messages_come_by_themselves_and_once(prompt: House) -> None:
    prompt.account("duck", "sesame")
    a = prompt.join("duck", "batch", "server-time", "message-tags", password="sesame", rooms=("#r",))
    b = prompt.join("rabbit", rooms=("#r",))
    b.ask("PRIVMSG #r :seen")
    answer_pings(a)
    a.sync()
    a.close()
    b.until("QUIT")
    b.ask(*[f"PRIVMSG #r :missed {number}" for number in range(50)], "PRIVMSG duck :waits")
    a = prompt.join("duck", "batch", "server-time", "message-tags", password="sesame")
    lines = a.seen + a.sync()
    start = next(line for line in lines if line.command == "BATCH" and line.params[0].startswith("+"))
    assert start.params[1:] == ["chathistory", "#r"]
    texts = [line.params[1] for line in lines if line.command == "PRIVMSG"]
    assert texts == [*[f"missed {number}" for number in range(50)], "waits"]
    assert all("batch" in (line.tags or {}) for line in lines if line.command == "PRIVMSG")
    assert commands(lines).index("JOIN") < commands(lines).index("BATCH")
    answer_pings(a)
    a.sync()
    a.close()
    b.until("QUIT")
    plain = prompt.join("duck", password="sesame")
    assert [line.params[1] for line in plain.seen if line.command == "PRIVMSG"] == []
    plain.close()
    b.until("QUIT")
    b.ask("PRIVMSG #r :once more", "PRIVMSG #r :\x01ACTION waves\x01")
    plain = prompt.join("duck", password="sesame")
    texts = [line.params[1] for line in plain.seen + plain.sync() if line.command == "PRIVMSG"]
    assert texts[0].endswith("] once more")
    assert texts[1].startswith("\x01ACTION [")


def test_too_much_missed_says_how_to_see_it(make_house: Any) -> None:
    house: House = make_house(irc_replay_max=10)
    house.account("duck", "sesame")
    a = house.join("duck", "batch", password="sesame", rooms=("#r",))
    b = house.join("rabbit", rooms=("#r",))
    a.close()
    b.until("QUIT")
    b.ask(*[f"PRIVMSG #r :{number}" for number in range(30)])
    a = house.join("duck", "batch", password="sesame")
    lines = a.seen + a.sync()
    assert len([line for line in lines if line.command == "PRIVMSG"]) == 10
    assert "HistServ #r" in next(line.params[1] for line in lines if line.command == "NOTICE")


def test_receipts(prompt: House) -> None:
    prompt.account("duck", "sesame")
    a = prompt.join("alice", "message-tags", "echo-message")
    duck = prompt.join("duck", password="sesame")
    (echo,) = a.ask("PRIVMSG duck :quack")
    msgid = (echo.tags or {})["msgid"]
    assert a.sync() == []  # sent, but nobody has said that it was read from the socket
    lines = duck.until("PING")
    assert commands(lines) == ["PRIVMSG", "PING"]
    assert a.sync() == []
    duck.send(f"PONG :{lines[-1].params[0]}")
    line = a.read()
    assert (line.command, line.params, line.tags) == ("TAGMSG", ["duck"], {"+draft/delivered": msgid})
    assert "delivered to duck" in only(a.ask("RECEIPTS"), "NOTICE").params[1]
    (echo,) = a.ask("PRIVMSG duck :again")
    duck.ask("PONG :nonsense", "PONG :tc-zz", "PONG :tc-ffffff", "PONG")
    assert a.sync() == []
    duck.ask("CAP REQ :draft/read-marker", "MARKREAD duck timestamp=2100-01-01T00:00:00.000Z")
    duck.ask("MARKREAD alice timestamp=2100-01-01T00:00:00.000Z")
    states = [key for line in a.sync() for key in (line.tags or {}) if key.startswith("+draft/")]
    assert "+draft/read" in states


def test_one_question_at_a_time(prompt: House) -> None:
    a, b = prompt.join("alice"), prompt.join("bob")
    a.ask("PRIVMSG bob :first")
    answer_pings(b)
    b.sync()
    a.ask("PRIVMSG bob :second")
    assert commands(b.until("PING")) == ["PRIVMSG", "PING"]
    a.ask("PRIVMSG bob :third", "PRIVMSG bob :fourth")
    assert commands(b.sync()) == ["PRIVMSG", "PRIVMSG"]


def test_a_client_that_answers_no_pings_is_asked_once(prompt: House) -> None:
    a, b = prompt.join("alice"), prompt.join("bob")
    a.ask("PRIVMSG bob :1")
    assert commands(b.until("PING")) == ["PRIVMSG", "PING"]
    a.ask(*["PRIVMSG bob :x"] * 20)
    assert commands(b.sync()) == ["PRIVMSG"] * 20


@pytest.mark.parametrize("size", [7, 50, 100])
@pytest.mark.parametrize("word", ["AFTER", "BEFORE", "BETWEEN"])
def test_paging_by_time_ends_and_misses_nothing(house: House, word: str, size: int) -> None:
    """A paste: very many lines in few milliseconds."""
    a = house.join("alice", "echo-message", rooms=("#r",))
    a.send(*(f"PRIVMSG #r :{number}" for number in range(240)))
    a.sync()
    b = house.join("bob", *CAPS[:-1], "server-time", rooms=("#r",))
    early, late = "2000-01-01T00:00:00.000Z", "2100-01-01T00:00:00.000Z"
    mark, got, pages = late if word == "BEFORE" else early, list[int](), 0
    while rows := batch(
        b, f"CHATHISTORY {word} #r timestamp={mark}{f' timestamp={late}' * (word == 'BETWEEN')} {size}"
    ):
        pages += 1
        assert pages <= 240
        numbers = [int(text) for _, _, text in rows]
        got = numbers + got if word == "BEFORE" else got + numbers
        mark = rows[0 if word == "BEFORE" else -1][1]
    assert got == list(range(240))


@pytest.mark.parametrize("word", ["AFTER", "BEFORE", "LATEST", "AROUND"])
def test_a_time_is_exclusive(house: House, word: str) -> None:
    a = house.join("alice", *CAPS, rooms=("#r",))
    a.send(*(f"PRIVMSG #r :{number}" for number in range(60)))
    said = [((line.tags or {})["time"], line.params[-1]) for line in a.sync() if line.command == "PRIVMSG"]
    at = said[30][0]
    rows = batch(a, f"CHATHISTORY {word} #r timestamp={at} 100")
    times = [time for _, time, _ in rows]
    if word == "BEFORE":
        assert [text for _, _, text in rows] == [text for time, text in said if time < at]
    elif word == "AROUND":
        assert at in times
    else:
        assert [text for _, _, text in rows] == [text for time, text in said if time > at]
