"""IRC inside a WebSocket (https://ircv3.net/specs/extensions/websocket)."""

from __future__ import annotations

import pytest
from websockets.sync.client import ClientConnection, connect

from support.ircpeer import House, only
from tcpchat.doors.irc.wire import Line, parse


def lines(socket: ClientConnection, last: str) -> list[Line]:
    """One line a message, up to this command."""
    out: list[Line] = []
    while not out or out[-1].command != last:
        message = socket.recv(timeout=5)
        text = message if isinstance(message, str) else message.decode()
        assert "\r" not in text
        assert "\n" not in text
        out.append(parse(text))
    return out


@pytest.mark.parametrize(
    "offered", [["binary.ircv3.net"], ["text.ircv3.net"], ["binary.ircv3.net", "text.ircv3.net"],
                ["text.ircv3.net", "binary.ircv3.net"]],
)  # fmt: skip
def test_irc_over_websocket(house: House, offered: list[str]) -> None:
    plain = house.join("nonweb")
    with connect(f"ws://127.0.0.1:{house.port}/", subprotocols=offered) as socket:  # type: ignore[arg-type]
        assert socket.subprotocol == offered[0]
        binary = offered[0].startswith("binary")

        def send(text: str) -> None:
            socket.send(text.encode() if binary else text)

        for text in (
            "CAP LS 302",
            "CAP REQ :server-time",
            "NICK web",
            "USER u 0 * :real",
            "CAP END",
            "PING x",
        ):
            send(text)
        assert "001" in [line.command for line in lines(socket, "PONG")]
        send("PRIVMSG nonweb :hello")
        send("PING y")
        lines(socket, "PONG")
        (line,) = plain.sync()
        assert line.params == ["nonweb", "hello"]
        assert line.source.startswith("web!")
        plain.ask("PRIVMSG web :hi")
        (line,) = lines(socket, "PRIVMSG")
        assert line.params == ["web", "hi"]
        assert "time" in (line.tags or {})
        send("JOIN #r")
        assert only(lines(socket, "366"), "JOIN").params == ["#r"]
        socket.send(b"PRIVMSG nonweb :caf\xe9")
        (line,) = lines(socket, "FAIL")
        assert line.params[:2] == ["PRIVMSG", "INVALID_UTF8"]
        plain.send("MONITOR + web")
        plain.sync()
    assert only(plain.until("731"), "731").params[1] == "web"
