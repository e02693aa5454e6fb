"""A real server on a free port, and IRC clients that talk to it line by line over TCP."""

from __future__ import annotations

import itertools
import socket

from tcpchat.doors.irc.wire import Line, parse

SETTINGS = {
    "server_name": "My.Chat.Server", "network": "TestNet", "description": "test server", "lobby": "",
    "oper_name": "boss", "oper_password": "secret", "irc_receipts_after": 3600.0,
}  # fmt: skip


class Client:
    """One IRC connection. ``sync`` is a barrier: it reads everything up to the answer of its own PING."""

    numbers = itertools.count(1)

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.seen: list[Line] = []

    def send(self, *lines: str | bytes) -> None:
        self.socket.sendall(b"".join((one if isinstance(one, bytes) else one.encode()) + b"\r\n" for one in lines))

    def raw(self) -> bytes:
        """The next line with its end, b"" when the server has closed."""
        while b"\r\n" not in self.buffer:
            data = self.socket.recv(65536)
            if not data:
                return b""
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line + b"\r\n"

    def read(self) -> Line:
        line = self.raw()
        if not line:
            raise ConnectionError("closed")
        return parse(line.decode().removesuffix("\r\n"))

    def until(self, *commands: str) -> list[Line]:
        """Lines up to the first of these commands."""
        out = [self.read()]
        while out[-1].command not in commands:
            out.append(self.read())
        return out

    def sync(self) -> list[Line]:
        token = f"sync{next(self.numbers)}"
        self.send(f"PING {token}")
        out = []
        while True:
            line = self.read()
            if line.command == "PONG" and line.params[-1] == token:
                return out
            out.append(line)

    def ask(self, *lines: str | bytes) -> list[Line]:
        """Send lines and return everything that comes until they are done."""
        self.send(*lines)
        return self.sync()

    def closed(self) -> list[Line]:
        """Read to the end of the connection."""
        out = []
        try:
            while line := self.raw():
                out.append(parse(line.decode().removesuffix("\r\n")))
        except OSError:
            pass
        return out

    def close(self) -> None:
        self.socket.close()


def commands(lines: list[Line]) -> list[str]:
    return [line.command for line in lines]


def only(lines: list[Line], command: str) -> Line:
    """The one line with this command."""
    found = [line for line in lines if line.command == command]
    assert len(found) == 1, (command, lines)
    return found[0]


class House:
    """A server and its clients."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.clients: list[Client] = []
        self.support: dict[str, str] = {}

    def connect(self) -> Client:
        client = Client(self.port)
        self.clients.append(client)
        return client

    def join(self, nick: str, *caps: str, user: str = "user", rooms: tuple[str, ...] = (), **login: str) -> Client:
        """A registered client, its welcome read."""
        client = self.connect()
        if caps or login:
            wanted = [*caps, *(["sasl"] if login else [])]
            client.send("CAP LS 302", f"CAP REQ :{' '.join(wanted)}")
        if login:
            from base64 import b64encode

            account = login.get("account", nick)
            blob = b64encode(f"\0{account}\0{login['password']}".encode()).decode()
            client.send("AUTHENTICATE PLAIN", f"AUTHENTICATE {blob}")
        client.send(f"NICK {nick}", f"USER {user} 0 * :Real {nick}")
        if caps or login:
            client.send("CAP END")
        welcome = client.until("001", "433", "432", "ERROR")
        assert welcome[-1].command == "001", welcome
        client.seen = welcome + client.sync()
        for line in client.seen:
            if line.command == "005":
                self.support.update(dict((*token.split("=", 1), "")[:2] for token in line.params[1:-1]))
        for room in rooms:
            client.ask(f"JOIN {room}")
        return client

    def account(self, name: str, password: str) -> None:
        """Make an account."""
        client = self.connect()
        client.send("CAP REQ :draft/account-registration", f"NICK {name}", f"REGISTER * * {password}")
        assert client.until("REGISTER", "FAIL")[-1].command == "REGISTER"
        client.send("QUIT")
        client.closed()

    def close(self) -> None:
        for client in self.clients:
            client.close()
