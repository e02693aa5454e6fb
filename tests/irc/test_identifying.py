"""The owner of a name gets it back by NickServ, without SASL, with what was missed."""

from __future__ import annotations

import pytest

from support.ircpeer import Client, House, commands, only


def back(house: House, nick: str = "goose") -> Client:
    """The owner comes back by a client that knows nothing of accounts: 433, and another nick."""
    client = house.connect()
    client.send(f"NICK {nick}", "USER x 0 * :x")
    assert client.until("433", "001")[-1].command == "433"
    client.send(f"NICK {nick}_")
    client.until("001")
    client.sync()
    return client


@pytest.fixture
def owned(house: House) -> House:
    house.account("goose", "sesame")
    return house


def nick_of(client: Client) -> str:
    return only(client.ask("USERHOST"), "461").params[0]


WAYS = [
    ["PRIVMSG NickServ :IDENTIFY goose sesame", "NICK goose"],
    ["PRIVMSG NickServ :IDENTIFY sesame"],  # as bots do: the name that was refused at the door
    ["NS IDENTIFY goose sesame", "NS REGAIN goose"],
    ["PRIVMSG NickServ :REGAIN goose sesame"],
    ["PRIVMSG NickServ :RECOVER goose sesame"],
    ["PRIVMSG NickServ :GHOST goose sesame", "PRIVMSG NickServ :RELEASE goose sesame", "NICK GOOSE"],
]


@pytest.mark.parametrize("lines", WAYS)
def test_who_proves_a_name_wears_it(owned: House, lines: list[str]) -> None:
    duck = owned.join("duck", rooms=("#r",))
    goose = back(owned)
    goose.ask("JOIN #r")
    duck.ask("PRIVMSG goose :while you were away")
    duck.sync()
    seen = goose.ask(*lines)
    assert {line.params[2] for line in seen if line.command == "900"} == {"goose"}
    assert only(seen, "NICK").source.startswith("goose_!")
    assert only(seen, "NICK").params == ["goose"]
    told = duck.sync()
    assert only(told, "QUIT").source.startswith("goose_!")
    assert "goose_" not in str(duck.ask("NAMES #r"))
    duck.ask("PRIVMSG goose :welcome")
    while "welcome" not in str(seen):  # what was missed comes from the log
        seen += goose.sync()
    said = [line.params[-1].partition("] ")[2] or line.params[-1] for line in seen if line.command == "PRIVMSG"]
    assert said == ["while you were away", "welcome"]
    assert nick_of(goose) == "goose"
    goose.ask("JOIN #r", "PRIVMSG #r :here")
    assert only(duck.sync(), "PRIVMSG").source.startswith("goose!")
    assert "330" in commands(duck.ask("WHOIS goose"))


def test_several_connections_of_the_owner_wear_it(owned: House) -> None:
    first = owned.join("goose", password="sesame")
    second = back(owned)
    assert "NICK" in commands(second.ask("NS IDENTIFY sesame"))
    duck = owned.join("duck")
    duck.ask("PRIVMSG goose :both")
    for one in (first, second):
        assert only(one.sync(), "PRIVMSG").params == ["goose", "both"]
    second.send("QUIT")
    second.closed()
    assert only(duck.ask("ISON goose"), "303").params[-1] == "goose"


def test_who_proves_nothing_gets_nothing(owned: House) -> None:
    stranger = back(owned)
    for line in ("NS IDENTIFY wrong", "NS IDENTIFY goose wrong", "NS REGAIN goose wrong", "NS REGAIN goose"):
        assert set(commands(stranger.ask(line))) == {"NOTICE"}
    assert commands(stranger.ask("NICK goose")) == ["433"]
    assert nick_of(stranger) == "goose_"
    owned.account("swan", "sesame")
    assert "900" in commands(stranger.ask("NS IDENTIFY swan sesame"))
    assert commands(stranger.ask("NICK goose")) == ["433"]  # another's
    assert "NICK" not in commands(stranger.ask("NS REGAIN goose"))
    assert only(stranger.ask("NICK swan"), "NICK").params == ["swan"]
    assert commands(stranger.ask("NICK other")) == ["447"]


def test_the_guests_end_is_in_the_log_once(owned: House) -> None:
    """What the guest said stays; its name is free for the next one."""
    goose = back(owned)
    goose.ask("JOIN #r", "PRIVMSG #r :as a guest", "NS IDENTIFY sesame")
    again = owned.join("goose_", rooms=("#r",))
    assert "goose" not in again.ask("NAMES #r")[0].params[-1].replace("goose_", "").split()
    assert nick_of(again) == "goose_"
