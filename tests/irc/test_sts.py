"""Strict transport security: where TLS is, how long to insist on it, and that nobody has to ask for it."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from support.ircpeer import Client, House, commands, only
from tcpchat.doors.irc import caps
from tcpchat.doors.irc.network import Network


def tls(house: House) -> Client:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    client = house.connect()
    client.socket = context.wrap_socket(client.socket, server_hostname="localhost")
    return client


def offered(client: Client, version: str = " 302") -> dict[str, str]:
    client.send(f"CAP LS{version}")
    lines = [client.read()]
    while "*" in lines[-1].params[2:-1]:
        lines.append(client.read())
    words = [word.partition("=") for line in lines for word in line.params[-1].split()]
    return {name: value for name, _, value in words}


Make = Callable[..., House]


def test_where_and_how_long(make_house: Make) -> None:
    house = make_house(sts_seconds=86_400)
    assert offered(house.connect())["sts"] == f"port={house.port}"
    assert offered(tls(house))["sts"] == "duration=86400"


def test_another_port(make_house: Make) -> None:
    house = make_house(sts_seconds=60, sts_port=6697)
    assert offered(house.connect())["sts"] == "port=6697"


def test_said_only_when_the_operator_says_so(make_house: Make) -> None:
    """With a self-signed certificate it would lock people out."""
    house = make_house()
    assert "sts" not in offered(house.connect())
    assert "sts" not in offered(tls(house))


def test_taken_back(make_house: Make) -> None:
    house = make_house(sts_seconds=0)
    assert "sts" not in offered(house.connect())
    assert offered(tls(house))["sts"] == "duration=0"


def test_not_where_there_is_no_tls(make_house: Make) -> None:
    assert "sts" not in offered(make_house(sts_seconds=60, plain_only=True).connect())


def test_it_cannot_be_asked_for(make_house: Make) -> None:
    house = make_house(sts_seconds=60)
    for client in (house.connect(), tls(house)):
        offered(client)
        for word in ("sts", "server-time sts", "-sts"):
            assert only(client.ask(f"CAP REQ :{word}"), "CAP").params[1:] == ["NAK", word]
        assert only(client.ask("CAP LIST"), "CAP").params[-1] == "cap-notify"


def test_old_clients_do_not_see_it(make_house: Make) -> None:
    assert "sts" not in offered(make_house(sts_seconds=60).connect(), "")


@pytest.mark.parametrize(
    ("seconds", "port", "secure", "value"),
    [
        (-1, 6060, False, ""),
        (-1, 6060, True, ""),
        (0, 6060, False, ""),
        (0, 6060, True, "duration=0"),
        (5, 0, False, ""),
        (5, 0, True, "duration=5"),
        (5, 6060, False, "port=6060"),
        (5, 6060, True, "duration=5"),
    ],
)
def test_every_case(seconds: int, port: int, secure: bool, value: str) -> None:
    network = Network()
    network.sts_seconds, network.sts_port = seconds, port
    assert caps.sts(network, secure) == value


def test_a_client_that_does_as_it_is_told(make_house: Make, tmp_path: Path) -> None:
    """Plain, then TLS on the port that was named; the promise holds there."""
    house = make_house(sts_seconds=3600)
    port = int(offered(house.connect())["sts"].removeprefix("port="))
    secure = tls(House(port))
    assert offered(secure)["sts"] == "duration=3600"
    secure.send("NICK duck", "USER d 0 * :D", "CAP END")
    assert "001" in commands(secure.until("001"))
    secure.close()
