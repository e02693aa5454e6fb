"""A short session over a blocking socket: what `send`, `who` and the like need, without an event loop."""

from __future__ import annotations

import argparse
import socket
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from tcpchat.cli.common import NOT_ALLOWED, Ended, password_option, settings, tell
from tcpchat.client.blocking import connect_blocking
from tcpchat.client.errors import ConnectionFailed, Refused, TimedOut
from tcpchat.client.first_use import NewServer, is_loopback
from tcpchat.client.identity import load_key, parse_address
from tcpchat.core import model as m
from tcpchat.core.errors import CODES
from tcpchat.core.rules import challenge_text
from tcpchat.doors.native import ClientSide

if TYPE_CHECKING:
    from tcpchat.trust.keys import Key

E = TypeVar("E", bound=m.Event)


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
        self.login, self.timeout = chosen["user"], chosen["timeout"]
        self._operator = operator  # the secret of the data folder: then the session is nobody's, for operators' acts
        self._hello = {"device": device, "after": after, "quiet": quiet, "label": label, "token": token}
        self.wire = ClientSide()
        self.welcome: m.Welcome | None = None
        self._events: list[m.AnyEvent] = []
        self._ref = 0
        self.fingerprint = ""
        self._socket: socket.socket | None = None

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

    def _enter(self) -> None:
        if self._operator:
            self.send(m.Hello(self.login, token=f"admin:{self._operator}"))
            self.wait(lambda one: isinstance(one, m.Done), self.timeout)
            return
        key = self._load_key()
        public, claim = (key.public, True) if key is not None else ("", False)
        self.send(m.Hello(self.login, key=public, claim=claim, **self._hello))  # type: ignore[arg-type]
        event = self.wait(lambda one: isinstance(one, m.Challenge | m.Welcome), self.timeout)
        if isinstance(event, m.Challenge):
            event = self._prove(event, key)
        assert isinstance(event, m.Welcome)
        self.welcome, self.login = event, event.login

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

    def _prove(self, challenge: m.Challenge, key: Key | None) -> m.AnyEvent:
        """By the key; where it does not fit, by a password."""
        try:
            if key is None or "key" not in challenge.methods:
                raise Refused("wrong_proof", "")
            text = challenge_text(challenge.nonce, self.login, self.fingerprint)
            self.send(m.Proof(key.sign(text), key.public))
            return self.wait(lambda one: isinstance(one, m.Welcome), self.timeout)
        except Refused as error:
            if error.code != "wrong_proof":
                raise
        if "password" not in challenge.methods:
            raise Refused("claimed", CODES["claimed"].text)
        return self._by_password()

    def _by_password(self) -> m.AnyEvent:
        if not self.fingerprint and not is_loopback(self.host):
            raise Refused("insecure", CODES["insecure"].text)
        password = password_option()
        if password is None:
            if self.args.no_input or not sys.stdin.isatty():
                text = (
                    f"The login {self.login} needs a password: put it in a file and name it in TCPCHAT_PASSWORD_FILE."
                )
                raise Ended(NOT_ALLOWED, text)
            import getpass

            password = getpass.getpass(f"Password of {self.login}: ")
        self.send(m.Password(password))
        return self.wait(lambda one: isinstance(one, m.Welcome), self.timeout)

    def send(self, command: m.Command) -> None:
        """Write one command. Raises ConnectionFailed."""
        assert self._socket is not None
        self.wire.send(command)
        try:
            self._socket.sendall(self.wire.data_to_send())
        except OSError as error:
            raise ConnectionFailed(f"The connection was lost: {error.strerror or error}") from None

    def events(self, timeout: float | None) -> Iterator[m.AnyEvent]:
        """Events as they come, for at most ``timeout`` seconds (None: without end). Raises ConnectionFailed."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            while self._events:
                event = self._events.pop(0)
                if isinstance(event, m.Pinged):
                    self.send(m.Pong(event.token))
                    continue
                yield event
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                return
            self._receive(left)

    def _receive(self, left: float | None) -> None:
        assert self._socket is not None
        self._socket.settimeout(left)
        try:
            data = self._socket.recv(1 << 16)
        except TimeoutError:
            return
        except OSError as error:
            raise ConnectionFailed(f"The connection was lost: {error.strerror or error}") from None
        if not data:
            raise ConnectionFailed("The server closed the connection.")
        self._events += self.wire.receive(data)
        if self.wire.fault:
            raise ConnectionFailed(self.wire.fault)

    def wait(self, wanted: Callable[[m.AnyEvent], bool], timeout: float | None) -> m.AnyEvent:
        """The next event that is wanted; a Refused is raised. Raises Refused, TimedOut, ConnectionFailed."""
        for event in self.events(timeout):
            if isinstance(event, m.Refused):
                raise Refused(event.code, event.text, event.after, event.about)
            if isinstance(event, m.Goodbye):
                raise ConnectionFailed(event.why or "The server said goodbye.")
            if wanted(event):
                return event
        raise TimedOut(f"No answer from {self.host}:{self.port} after {timeout:g} s.")

    def ask(self, command: m.Command, kind: type[E]) -> E:
        """Send a command and return its answer. Raises as ``wait``."""
        self._ref += 1
        self.send(msgspec.structs.replace(command, ref=self._ref))
        answer: Any = self.wait(lambda one: isinstance(one, kind) and getattr(one, "ref", 0) == self._ref, self.timeout)
        found: E = answer
        return found
