"""A line that goes dead without a word: bytes go in and never come out, and nobody closes anything."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class Swallower:
    """Passes bytes on to a port. ``freeze`` makes the connections that are there silent for good, and with
    ``newer=True`` also those that come until ``thaw``."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        self.accepted = 0
        self._silent: set[socket.socket] = set()
        self._sockets: list[socket.socket] = []
        self._all_silent = False
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def freeze(self, newer: bool = False) -> None:
        self._silent |= set(self._sockets)
        self._all_silent, self.accepted = newer, 0

    def thaw(self) -> None:
        """What comes from now on is passed on; what was frozen stays so."""
        self._all_silent, self.accepted = False, 0

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                self._sockets.append(near)
                far = socket.create_connection(("127.0.0.1", self.target))
                self._sockets.append(far)
                if self._all_silent:
                    self._silent |= {near, far}
                self.accepted += 1
                for way in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=way, daemon=True).start()

    def _carry(self, source: socket.socket, to: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                if source not in self._silent:
                    to.sendall(data)
        if source not in self._silent:
            with suppress(OSError):
                to.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)  # close() alone does not wake up accept()
        self._accepting.join()
        self.listener.close()
        for one in self._sockets:
            one.close()
