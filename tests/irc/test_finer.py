"""Words that are nearly right: what clients and test suites of IRC send, and what they must be told."""

from __future__ import annotations

from typing import Any

from support.ircpeer import Client, House, commands, only
from tcpchat.doors.irc.wire import parse

CAPS_302 = "CAP LS 302"


def rows(client: Client, word: str, *lines: str) -> list[list[str]]:
    """The parameters of all CAP lines of this subcommand that these lines bring."""
    client.send(*lines, "PING :barrier")
    out = []
    while True:
        raw = client.raw()
        assert len(raw.partition(b" ")[2] if raw[:1] == b"@" else raw) <= 512, raw  # tags have a limit of their own
        line = parse(raw.decode().removesuffix("\r\n"))
        if line.command == "PONG":
            return out
        if line.command == "CAP" and line.params[1] == word:
            out.append(line.params[1:])


def test_a_list_of_rooms_without_a_room(house: House) -> None:
    a = house.join("alice", rooms=("#r",))
    assert commands(a.ask("JOIN ,")) == ["461"]
    assert only(a.ask("JOIN :not a room"), "403").params[1] == "not"
    assert commands(a.ask("KICK #r ,")) == ["461"]


def test_a_room_renamed_to_its_own_name(house: House) -> None:
    a = house.join("alice", "draft/channel-rename", rooms=("#r",))
    b = house.join("bob", rooms=("#r",))
    a.sync()
    assert only(a.ask("RENAME #r #r"), "FAIL").params[:2] == ["RENAME", "CHANNEL_NAME_IN_USE"]
    assert only(a.ask("RENAME #r #R :bigger"), "RENAME").params == ["#r", "#R", "bigger"]
    assert b.sync() == []  # another case only: the same room for a client that does not know RENAME
    assert only(a.ask("RENAME #R #other"), "RENAME").params[:2] == ["#R", "#other"]
    lines = b.sync()
    assert commands(lines)[:2] == ["PART", "JOIN"]
    assert lines[0].params == ["#R", "Renamed to #other"]


def test_references_into_history(house: House) -> None:
    a = house.join("alice", "batch", "draft/chathistory", "standard-replies", rooms=("#r",))
    a.ask("PRIVMSG #r :one")

    def fail(words: str) -> list[str]:
        return only(a.ask(f"CHATHISTORY {words}"), "FAIL").params[:4]

    assert fail("BEFORE #r * 10") == ["CHATHISTORY", "INVALID_MSGREFTYPE", "BEFORE", "*"]
    assert fail("BEFORE #r what=1 10") == ["CHATHISTORY", "INVALID_MSGREFTYPE", "BEFORE", "what=1"]
    assert fail("AFTER #r timestamp=yesterday 10") == ["CHATHISTORY", "INVALID_PARAMS", "AFTER", "timestamp=yesterday"]
    begin = "timestamp=2024-01-01T00:00:00.000Z"
    assert fail(f"BETWEEN #r {begin} nothing=2 10")[1:] == ["INVALID_MSGREFTYPE", "BETWEEN", "nothing=2"]


def test_an_extended_ban_of_nothing(house: House) -> None:
    a = house.join("alice", rooms=("#r",))
    assert commands(a.ask("MODE #r +b a:", "MODE #r +b ~account:")) == ["696", "696"]
    assert only(a.ask("MODE #r +b a:bob"), "MODE").params == ["#r", "+b", "a:bob"]


def test_capabilities_fit_their_lines(house: House) -> None:
    old, new = house.connect(), house.connect()
    (line,) = rows(old, "LS", "CAP LS")
    assert line[0] == "LS"
    assert "message-tags" in line[-1].split()
    lines = rows(new, "LS", CAPS_302)
    assert len(lines) > 1
    assert [line[1] == "*" for line in lines] == [True] * (len(lines) - 1) + [False]
    names = [word.partition("=")[0] for line in lines for word in line[-1].split()]
    assert set(line[-1].split()) <= set(names)


def test_many_capabilities_are_agreed_on_in_several_lines(house: House) -> None:
    a = house.connect()
    names = [word.partition("=")[0] for line in rows(a, "LS", CAPS_302) for word in line[-1].split()]
    wanted = [name for name in names if name != "sts"]
    while len(asked := f"CAP REQ :{' '.join(wanted)}") > 510:
        wanted.pop()
    agreed = [word for line in rows(a, "ACK", asked) for word in line[-1].split()]
    assert agreed == wanted
    listed = rows(a, "LIST", "CAP LIST")
    assert {word for line in listed for word in line[-1].split()} == {*wanted, "cap-notify"}


def test_an_older_version_asked_later_gets_no_values(house: House) -> None:
    a = house.connect()
    assert any("=" in line[-1] for line in rows(a, "LS", CAPS_302))
    (line,) = rows(a, "LS", "CAP LS")
    assert "=" not in line[-1]


def test_an_account_before_a_nick(house: House) -> None:
    a = house.connect()
    a.send("CAP REQ :draft/account-registration", "REGISTER * * sesame1")
    assert a.until("FAIL")[-1].params[:2] == ["REGISTER", "NEED_NICK"]


def test_no_account_without_the_password_of_the_server(make_house: Any) -> None:
    house: House = make_house(connection_password="open sesame")
    a = house.connect()
    a.send("CAP REQ :draft/account-registration", "NICK alice", "REGISTER * * sesame1")
    assert a.until("FAIL")[-1].params[:2] == ["REGISTER", "TEMPORARILY_UNAVAILABLE"]
    b = house.connect()
    b.send("PASS :open sesame", "CAP REQ :draft/account-registration", "NICK alice", "REGISTER * * sesame1")
    assert only(b.until("REGISTER"), "REGISTER").params[:2] == ["SUCCESS", "alice"]


def test_a_name_refused_at_the_door_is_not_this_clients(make_house: Any) -> None:
    house: House = make_house(guests=False)
    a = house.connect()
    a.send("NICK alice", "USER u 0 * :real")
    lines = a.closed()
    refused = [line for line in lines if line.command.isdigit()]
    assert refused
    assert refused[-1].params[0] == "*"
