"""A short session over a blocking socket: what `send`, `who` and the like need, without an event loop."""

from __future__ import annotations

import argparse
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from tcpchat.cli.common import NOT_ALLOWED, Ended, password_option, settings, tell
from tcpchat.client import first_use
from tcpchat.client.blocking import connect_blocking
from tcpchat.client.errors import ConnectionFailed, Refused, TimedOut
from tcpchat.client.first_use import NewServer
from tcpchat.client.identity import load_key, parse_address
from tcpchat.client.outcomes import Ended as PeerEnded
from tcpchat.client.outcomes import Opened, Passed
from tcpchat.client.peer import Peer
from tcpchat.client.proving import proving
from tcpchat.client.record import Record
from tcpchat.core import model as m
from tcpchat.core.errors import CODES

if TYPE_CHECKING:
    from tcpchat.trust.keys import Key

E = TypeVar("E", bound=m.Event)

TICK = 0.001  # seconds; a socket cannot wait for less without being told not to wait at all


class Session:
    """One connection, logged in. Use as a context manager."""

    def __init__(
        self,
        args: argparse.Namespace,
        *,
        device: str = "",
        after: int | None = None,
        quiet: bool = True,
        label: str = "cli",
        operator: str = "",
        token: str = "",
    ) -> None:
        chosen = settings(args)
        self.args = args
        self.host, self.port = parse_address(chosen["server"])
        self.timeout = chosen["timeout"]
        # With the secret of the data folder the session is nobody's: for operators' acts.
        self._operator = bool(operator)
        if operator:
            hello = m.Hello(chosen["user"], token=f"admin:{operator}")
        else:
            hello = m.Hello(chosen["user"], label=label, after=after, claim=True, token=token, quiet=quiet)
        self.peer = Peer(hello, Record(device), password=self._password, prove=proving(self.host, self.port))
        self._events: deque[Any] = deque()
        self._ref = 0
        self.fingerprint = ""
        self._socket: socket.socket | None = None

    @property
    def login(self) -> str:
        """The own login, as the server writes it."""
        return self.peer.login

    @property
    def welcome(self) -> m.Welcome | None:
        """What the server said when it let this session in."""
        return self.peer.welcome

    def __enter__(self) -> Session:
        self._socket, self.fingerprint = connect_blocking(self.host, self.port, self.timeout, note=self._new)
        try:
            self._enter()
        except BaseException:
            self._socket.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        assert self._socket is not None
        try:
            self.send(m.Bye())
        except ConnectionFailed:
            pass
        self._socket.close()

    @property
    def _private(self) -> bool:
        return bool(self.fingerprint) or first_use.is_loopback(self.host)

    def _enter(self) -> None:
        if not self._operator:
            self.peer.signer = self._load_key()
        self.peer.connected(time.monotonic(), fingerprint=self.fingerprint, private=self._private)
        self._flush()
        try:
            self.wait(lambda one: isinstance(one, m.Done if self._operator else Opened), self.timeout)
        except Refused as error:
            if error.code in ("wrong_proof", "claimed"):
                code = "insecure" if "password" in error.about and not self._private else "claimed"
                raise Refused(code, CODES[code].text) from None
            raise

    def _new(self, server: NewServer, unkept: str) -> None:
        words = f"server key {server.fingerprint} ({server.words})"
        how = f"trusted this time: {unkept}." if unkept else "trusted from now on."
        tell(self.args, f"First time at {server.address}: {words} is {how}")

    def _load_key(self) -> Key | None:
        from tcpchat.trust.keys import KeyFileError, KeyNotKept

        try:
            return load_key(self.login)
        except KeyNotKept as error:
            tell(self.args, f"{error}: going on as a guest, without a key (TCPCHAT_HOME names another folder).")
            return None
        except KeyFileError as error:
            raise Ended(NOT_ALLOWED, str(error)) from None

    def _password(self) -> str:
        """The password, from where it was put, or asked for."""
        password = password_option()
        if password is None:
            if self.args.no_input or not sys.stdin.isatty():
                text = (
                    f"The login {self.login} needs a password: put it in a file and name it in TCPCHAT_PASSWORD_FILE."
                )
                raise Ended(NOT_ALLOWED, text)
            import getpass

            password = getpass.getpass(f"Password of {self.login}: ")
        return password

    def send(self, command: m.Command) -> None:
        """Write one command. Raises ConnectionFailed."""
        self.peer.send(command)
        self._flush()

    def confirm(self, seq: int) -> None:
        """Tell the server that everything up to ``seq`` is done with here. Raises ConnectionFailed."""
        self.peer.cursor.take(seq)
        self._flush()

    def _flush(self) -> None:
        assert self._socket is not None
        if data := self.peer.data_to_send():
            try:
                self._socket.sendall(data)
            except OSError as error:
                raise ConnectionFailed(f"The connection was lost: {error.strerror or error}") from None

    def events(self, timeout: float | None) -> Iterator[Any]:
        """Events as they come, for at most ``timeout`` seconds (None: without end). Raises ConnectionFailed, and
        Refused when the server ends the session for good."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            while self._events:
                event = self._events.popleft()
                if isinstance(event, PeerEnded):
                    raise event.error if event.goodbye is None else ConnectionFailed(str(event.error))
                if not isinstance(event, Passed):
                    yield event
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                return
            self._receive(left)

    def _receive(self, left: float | None) -> None:
        """Wait for bytes, or for what the peer wants to do in time."""
        assert self._socket is not None
        timer = self.peer.next_timer
        waits = [one for one in (left, timer and timer - time.monotonic()) if one is not None]
        self._socket.settimeout(max(min(waits), TICK) if waits else None)
        try:
            data = self._socket.recv(1 << 16)
        except TimeoutError:
            self._events += self.peer.tick(time.monotonic())
        except OSError as error:
            raise ConnectionFailed(f"The connection was lost: {error.strerror or error}") from None
        else:
            if not data:
                raise ConnectionFailed("The server closed the connection.")
            self._events += self.peer.receive(data, time.monotonic())
        if self.peer.state != "ended":
            self._flush()

    def wait(self, wanted: Callable[[Any], bool], timeout: float | None) -> Any:
        """The next event that is wanted; a Refused is raised. Raises Refused, TimedOut, ConnectionFailed."""
        for event in self.events(timeout):
            if isinstance(event, m.Refused):
                raise Refused(event.code, event.text, event.after, event.about)
            if wanted(event):
                return event
        raise TimedOut(f"No answer from {self.host}:{self.port} after {timeout:g} s.")

    def ask(self, command: m.Command, kind: type[E]) -> E:
        """Send a command and return its answer. Raises as ``wait``."""
        self._ref += 1
        self.send(msgspec.structs.replace(command, ref=self._ref))
        answer: E = self.wait(lambda one: isinstance(one, kind) and getattr(one, "ref", 0) == self._ref, self.timeout)
        return answer
