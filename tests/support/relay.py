"""A server that lies: a relay in front of a real one, which puts evil in the place of harmless words."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

import msgspec

WORD = "HARMLESS"
EVIL = "\x1b]2;pwned\x1b\\\x1b[5;1;2;3m\x9b5;1;2;3m\x9d2;pwned\x9c\x07\u202ertl\u2066\x08[@click=app.quit]c[/]"


class Relay:
    """Listens on a port of its own; every connection goes on to the real server, changed word by word."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        self.sockets: list[socket.socket] = []
        self.changed = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _address = self.listener.accept()
                far = socket.create_connection(("127.0.0.1", self.target))
                self.sockets += [near, far]
                evil, word = msgspec.json.encode(EVIL)[1:-1], WORD.encode()
                for way in ((far, near, word, evil), (near, far, evil, word)):
                    threading.Thread(target=self._carry, args=way, daemon=True).start()

    def _carry(self, source: socket.socket, to: socket.socket, old: bytes, new: bytes) -> None:
        rest = b""
        with suppress(OSError):
            while data := source.recv(1 << 16):
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self.changed += line.count(old)
                    to.sendall(line.replace(old, new) + b"\n")
        with suppress(OSError):
            to.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """End all connections."""
        self.listener.close()
        for one in self.sockets:
            one.close()
