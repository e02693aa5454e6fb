"""Peers that speak TLS over a blocking socket, with nothing of ours in between."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable
from typing import Any

from tcpchat.server import Server

Start = Callable[..., Server]  # what the fixture of this name is: in a thread
SECONDS = 20


def anyone() -> ssl.SSLContext:
    """A context that takes any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def dial(port: int, host: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection((host, port), SECONDS)


def secure(port: int, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
    return (context or anyone()).wrap_socket(dial(port), server_hostname="localhost")


def rest(sock: socket.socket) -> bytes:
    """All bytes until the server closes, in whatever way."""
    out = b""
    try:
        while data := sock.recv(65536):
            out += data
    except OSError:
        pass
    return out


class Native:
    """A native peer."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.file = sock.makefile("rb")

    def send(self, kind: str, **fields: Any) -> None:
        self.socket.sendall(json.dumps({"t": kind, **fields}).encode() + b"\n")

    def until(self, *kinds: str) -> dict[str, Any]:
        for line in self.file:
            event: dict[str, Any] = json.loads(line)
            if event["t"] in kinds:
                return event
        raise AssertionError(f"closed before {kinds}")

    def enter(self, login: str, **hello: Any) -> dict[str, Any]:
        self.send("hello", login=login, **hello)
        return self.until("welcome", "refused", "challenge")

    def close(self) -> None:
        self.file.close()
        self.socket.close()

    def __enter__(self) -> Native:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
