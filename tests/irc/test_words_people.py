"""Who people are to each other on IRC: names of rooms and users, several clients of one account, leaving at once.

Source: https://modern.ircdocs.horse/
"""

from __future__ import annotations

from base64 import b64encode

import pytest

from support.ircpeer import Client, House, commands, only
from tcpchat.doors.irc.door import IrcDoor
from tcpchat.doors.irc.network import Network
from tcpchat.doors.irc.registration import GHOST_SECONDS, device_of


def test_a_room_is_shown_as_it_was_made(house: House) -> None:
    a, b = house.join("foo", rooms=("#Chan",)), house.join("bar", rooms=("#chan",))
    rows = b.ask("WHO #CHAN")
    assert [row.params[1] for row in rows if row.command == "352"] == ["#Chan", "#Chan"]
    assert {row.params[1] for row in b.ask("WHO #CHAN %cn") if row.command == "354"} == {"#Chan"}
    assert only(a.ask("NAMES #CHAN"), "353").params[2] == "#Chan"
    assert only(a.ask("TOPIC #CHAN :t"), "TOPIC").params[0] == "#Chan"
    assert only(a.ask("MODE #CHAN"), "324").params[1] == "#Chan"


def test_a_user_name_that_irc_cannot_show(house: House) -> None:
    a = house.connect()
    a.send("NICK foo", "USER \N{SMILING FACE WITH SMILING EYES} * * :real")
    first = a.read()
    assert (first.command, first.params[0]) == ("468", "foo")
    assert a.until("001")[-1].params[0] == "foo"
    assert only(a.ask("WHOIS foo"), "311").params[2] == "~user"
    house.join("ghost", user="d\u00fcck")
    assert only(a.ask("WHOIS ghost"), "311").params[2] == "~dck"


@pytest.mark.parametrize("password", ["bar", "pink", "sesame"])
def test_the_choice_of_a_password_is_the_owners(house: House, password: str) -> None:
    house.account("foo", password)
    house.join("foo", password=password)


def test_every_change_of_the_real_name_is_confirmed_at_once(house: House) -> None:
    """Also in a crowd, when the chat gathers what it tells the others."""
    a = house.join("foo", "setname", "labeled-response", "batch")
    for number in range(40):
        (line,) = a.ask(f"@label=n SETNAME :name {number}")
        assert (line.command, line.params, (line.tags or {})["label"]) == ("SETNAME", [f"name {number}"], "n")


def test_every_new_nick_is_told_at_once_and_once(house: House) -> None:
    a, b = house.join("foo", rooms=("#r",)), house.join("bar", rooms=("#r",))
    a.sync()
    host = only(b.ask("WHO foo"), "352").params[3]
    for number in range(40):
        (own,), (heard,) = a.ask(f"NICK n{number}"), b.sync()
        before = f"n{number - 1}" if number else "foo"
        assert (heard.source, heard.params) == (f"{before}!~user@{host}", [f"n{number}"]) == (own.source, own.params)
    assert commands(b.ask("WHOIS n39"))[0] == "311"
    assert (a.sync(), b.sync()) == ([], [])


def test_the_other_client_of_a_login_hears_of_its_new_real_name(house: House) -> None:
    house.account("foo", "sesame")
    a, b = house.join("foo", "setname", password="sesame"), house.join("foo", "setname", password="sesame")
    assert only(a.ask("SETNAME :another"), "SETNAME").params == ["another"]
    assert only(b.sync(), "SETNAME").params == ["another"]
    assert commands(a.sync()) == []


# -- several clients of one account -------------------------------------------------------------------------------


def test_two_clients_that_look_the_same_stay_both(house: House) -> None:
    house.account("foo", "sesame")
    login = {"password": "sesame"}
    a = house.join("foo", "draft/read-marker", user="same", rooms=("#r",), **login)
    b = house.join("foo", "draft/read-marker", user="same", **login)
    c = house.join("foo", "draft/read-marker", user="same", **login)
    stamp = "timestamp=2022-11-11T11:11:11.111Z"
    a.ask(f"MARKREAD #r {stamp}")
    for other in (b, c):
        assert only(other.sync(), "MARKREAD").params == ["#r", stamp]
    house.join("bar", rooms=("#r",)).ask("PRIVMSG #r :for all")
    for client in (a, b, c):
        assert only([line for line in client.sync() if line.command == "PRIVMSG"], "PRIVMSG").params[1] == "for all"


def test_the_place_of_a_client_that_left_is_free_again(house: House) -> None:
    house.account("foo", "sesame")
    a = house.join("foo", user="same", password="sesame", rooms=("#r",))
    a.send("QUIT")
    a.closed()
    house.join("bar", rooms=("#r",)).ask("PRIVMSG #r :missed")
    back = house.join("foo", user="same", password="sesame")
    assert "missed" in only([line for line in back.seen if line.command == "PRIVMSG"], "PRIVMSG").params[1]


def test_a_client_not_heard_for_long_is_a_ghost() -> None:
    network = Network()
    first, second = IrcDoor(network), IrcDoor(network)
    first.user = second.user = "~same"
    first.nick = second.nick = "foo"
    face = network.face("foo")
    assert device_of(first) == "irc:~same"
    first.device, first.heard, second.now = "irc:~same", 1000.0, 1000.0 + GHOST_SECONDS - 1
    face.doors.append(first)
    assert device_of(second) == "irc:~same:2"
    second.now += 2
    assert device_of(second) == "irc:~same"


def door(network: Network, heard: float, came: float) -> IrcDoor:
    """A client of foo that is here since ``came``."""
    one = IrcDoor(network)
    one.user, one.nick, one.login, one.now = "~same", "foo", "foo", came
    one.device, one.heard, one.receipts.begun = device_of(one), heard, came
    network.face("foo").doors.append(one)
    return one


def test_who_came_back_before_its_ghost_was_buried_stays_who_it_is() -> None:
    """Else the device of the ghost, long behind, would replay everything once more at the next login."""
    network = Network()
    ghost = door(network, heard=1000.0, came=900.0)
    back = door(network, heard=1100.0, came=1010.0)
    assert (ghost.device, back.device) == ("irc:~same", "irc:~same:2")
    ghost.closed()
    third = door(network, heard=1200.0, came=1110.0)  # the network is lost once more
    assert third.device == "irc:~same:3"
    back.closed()
    third.quits = True
    third.closed()
    assert device_of(third) == "irc:~same:3"


def test_a_client_that_says_goodbye_is_no_ghost() -> None:
    network = Network()
    first = door(network, heard=1000.0, came=900.0)
    second = door(network, heard=1020.0, came=1010.0)
    first.quits = True
    first.closed()
    second.closed()
    assert device_of(second) == "irc:~same"


def test_one_that_was_heard_beside_the_other_is_another() -> None:
    network = Network()
    first, second = door(network, heard=1050.0, came=900.0), door(network, heard=1060.0, came=1010.0)
    first.now = first.heard = 1050.0
    first.closed()
    assert device_of(second) == "irc:~same"


# -- SASL ---------------------------------------------------------------------------------------------------------


def plain(client: Client, account: str, password: str) -> list[str]:
    """Log in, in as many pieces as the length asks for; returns the numerics."""
    blob = b64encode(f"{account}\0{account}\0{password}".encode()).decode()
    pieces = [blob[start : start + 400] for start in range(0, len(blob), 400)]
    if len(pieces[-1]) == 400:
        pieces.append("+")
    assert only(client.ask("AUTHENTICATE PLAIN"), "AUTHENTICATE").params == ["+"]
    return commands(client.ask(*(f"AUTHENTICATE {piece}" for piece in pieces)))


@pytest.mark.parametrize("password", ["bar" * 97, "bar" * 100, "\u00e9" * 100], ids=["400", "more", "letters"])
def test_long_passwords_come_in_pieces(house: House, password: str) -> None:
    house.account("foo", password)
    client = house.connect()
    client.ask("CAP REQ :sasl")
    assert plain(client, "foo", password) == ["900", "903"]


def test_another_account_after_the_first(house: House) -> None:
    """https://ircv3.net/specs/extensions/sasl-3.2#sasl-reauthentication"""
    house.account("foo", "sesame")
    house.account("jilles", "sesame")
    client = house.join("user", "sasl")
    assert plain(client, "foo", "sesame") == ["900", "903"]
    assert plain(client, "jilles", "sesame") == ["900", "903"]
    assert only(client.ask("WHOIS user"), "330").params[2] == "jilles"


def test_a_login_not_finished_when_the_talks_end(house: House) -> None:
    house.account("foo", "sesame")
    client = house.connect()
    client.send("CAP REQ :sasl", "AUTHENTICATE PLAIN", "NICK bar", "USER u 0 * :r", "CAP END")
    assert [command for command in commands(client.until("001")) if command != "CAP"] == ["AUTHENTICATE", "906", "001"]
    client.sync()
    assert "330" not in commands(client.ask("WHOIS bar"))
    assert plain(client, "foo", "sesame") == ["900", "903"]
