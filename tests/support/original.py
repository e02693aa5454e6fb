"""The original client, re-created from how it behaves on the wire: for the tests of the door and for walks.

It reads once with a 1,024 byte buffer and parses what it got as one object; it reads nothing while its menu is open;
it answers INCMESS with MESSACC and nothing else; on the bare end of a connection it falls over.
"""

from __future__ import annotations

import json
import select
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

BLOCK = 1024


class Screen:
    """What the original does with one read: lines on its screen, and maybe an answer."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.objects: list[tuple[str, Any]] = []
        self.tracebacks: list[str] = []
        self.ended = ""  # "bye" or "eof"

    def read(self, raw: bytes) -> bytes:
        """Take what one recv brought; the return value is sent."""
        if not raw:
            self.tracebacks.append("end of the connection without BYE")
            self.ended = self.ended or "eof"
            return b""
        try:
            item = json.loads(raw.decode("utf-8"))
            kind, body = item["TYPE"], item["BODY"]
            self.objects.append((kind, body))
            return self._show(kind, body)
        except (ValueError, KeyError, TypeError) as error:
            self.tracebacks.append(repr(error))
            return b""

    def _show(self, kind: str, body: Any) -> bytes:
        if kind == "STATE":
            self.shown.append(f"< Server is {body} >")
        elif kind == "INCMESS":
            author, text = body
            self.shown.append(f"{author}  : {text}")
            return pack("MESSACC", author)
        elif kind == "BROADCAST":
            author, text = body
            self.shown.append(f"broadcast - {author} : {text}")
        elif kind == "MESSTAT":
            good = "< Message have been delivered! >  =)"
            self.shown.append(good if body else "< Message sending failure >       =(")
        elif kind == "WHOAVAIL":
            self.shown += ["Users:", "; ".join(body)]
        elif kind == "BYE":
            self.shown.append("< Server Dead. =( >")
            self.ended = "bye"
        return b""


def pack(kind: str, body: Any = "BODY") -> bytes:
    """An object as the original sends it: escaped, without a delimiter."""
    return json.dumps({"TYPE": kind, "BODY": body}).encode()


class OriginalClient:
    """The original client over a real socket. ``menu_open`` and ``menu_close`` do what a person does with Enter."""

    def __init__(self, host: str, port: int, login: str, *, menu: bool = False) -> None:
        self.login = login
        self.screen = Screen()
        self._socket = socket.create_connection((host, port), timeout=10)
        self._change = threading.Condition()
        self._reads = not menu
        self._closed = False
        self._send("HI", login)
        self._thread = threading.Thread(target=self._loop, name=f"original {login}", daemon=True)
        self._thread.start()

    # -- what a person does ------------------------------------------------------------------------------------

    def menu_open(self) -> None:
        """From here on nothing is read."""
        with self._change:
            self._reads = False

    def menu_close(self) -> None:
        with self._change:
            self._reads = True
            self._change.notify_all()

    def state(self) -> None:
        self._choose("STATE")

    def who(self) -> None:
        self._choose("WHOAVAIL")

    def send_to(self, login: str, text: str) -> None:
        self._choose("SENDTO", [login, text])

    def everyone(self, text: str) -> None:
        self._choose("EVERY1", text)

    def bye(self) -> None:
        self._choose("BYE")

    def kill(self) -> None:
        """The program is gone, without a word."""
        with self._change:
            self._closed = True
            self._change.notify_all()
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._thread.join(10)
        self._socket.close()

    # -- what a test looks at ----------------------------------------------------------------------------------

    @property
    def shown(self) -> list[str]:
        """The lines on its screen so far."""
        with self._change:
            return list(self.screen.shown)

    def wait_for(self, line: str | Callable[[list[str]], bool], timeout: float = 15.0) -> list[str]:
        """Wait until a line is on the screen (or until the lines satisfy); the lines then."""
        fits = line if callable(line) else lambda shown: line in shown
        with self._change:
            if not self._change.wait_for(lambda: fits(self.screen.shown), timeout):
                raise AssertionError(f"{self.login} waits for {line!r}; sees {self.screen.shown!r}")
            return list(self.screen.shown)

    def wait_end(self, timeout: float = 15.0) -> str:
        """Wait for the end; "bye" is the good one."""
        with self._change:
            if not self._change.wait_for(lambda: bool(self.screen.ended), timeout):
                raise AssertionError(f"{self.login} is still connected")
            return self.screen.ended

    def __enter__(self) -> OriginalClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    # -- its insides -------------------------------------------------------------------------------------------

    def _choose(self, kind: str, body: Any = "BODY") -> None:
        """A choice in the menu: the object goes out, the menu closes."""
        self._send(kind, body)
        self.menu_close()

    def _send(self, kind: str, body: Any) -> None:
        self._socket.sendall(pack(kind, body))

    def _loop(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._reads or self._closed)
            readable, _, _ = select.select([self._socket], [], [], 0.05)
            with self._change:
                if self._closed:
                    return
                if not (readable and self._reads):
                    continue  # the menu was opened meanwhile
                answer = self.screen.read(self._recv())
                self._change.notify_all()
                ended = self.screen.ended
            if answer:
                self._answer(answer)
            if ended:
                return

    def _recv(self) -> bytes:
        try:
            return self._socket.recv(BLOCK)
        except OSError:
            return b""

    def _answer(self, answer: bytes) -> None:
        try:
            self._socket.sendall(answer)
        except OSError:
            pass  # the next read says so
