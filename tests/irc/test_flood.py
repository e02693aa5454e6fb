"""A client that is told to go while it is still sending hears why."""

from __future__ import annotations

from support.ircpeer import House, commands


def test_the_last_words_reach_who_is_still_sending(house: House) -> None:
    client = house.connect()
    client.send("NICK flood", "USER u 0 * :u")
    client.until("001")
    for _ in range(40):
        client.socket.sendall(b"x" * 50_000)
    assert commands(client.closed())[-1] == "ERROR"
