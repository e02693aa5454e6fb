"""What an attacker has: sockets, every protocol of the port, other addresses, and patience."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tcpchat.core.proofs import proof_text
from tcpchat.core.rules import challenge_text
from tcpchat.trust.keys import Key

from .rawpeer import PATIENCE, Peer

_refs = itertools.count(1)


async def ask(peer: Peer, kind: str, /, **fields: Any) -> dict[str, Any]:
    """Send a command and return its answer, be it a refusal."""
    ref = next(_refs)
    peer.raw(json.dumps({"t": kind, **fields, "ref": ref}).encode() + b"\n")
    while True:
        event = await peer.read()
        if event.get("ref") == ref:
            return event


async def refused(peer: Peer, kind: str, /, **fields: Any) -> str:
    """The code with which a command is refused; "" if it is not."""
    event = await ask(peer, kind, **fields)
    return str(event["code"]) if event["t"] == "refused" else ""


async def hello(port: int, login: str, *, address: str = "127.0.0.1", **fields: Any) -> tuple[Peer, dict[str, Any]]:
    """Connect from an address and say hello; the peer and the first thing it is told."""
    sock = socket.socket()
    sock.setblocking(False)
    sock.bind((address, 0))
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    peer = Peer(*await asyncio.open_connection(sock=sock, limit=1 << 17))
    peer.send("hello", login=login, **fields)
    return peer, await peer.read()


def signed(key: Key, challenge: dict[str, Any], login: str, *, at: str = "", mode: str = "plain") -> dict[str, Any]:
    """The fields of a proof; with ``at`` of the version that names the server."""
    if at:
        text = proof_text(challenge["nonce"], login, challenge["server"], at, mode, "")
        return {"signature": key.sign(text), "key": key.public, "at": at}
    return {"signature": key.sign(challenge_text(challenge["nonce"], login, "")), "key": key.public}


async def own(port: int, login: str, key: Key | None = None, *, address: str = "127.0.0.1") -> tuple[Peer, Key]:
    """Claim a login with a key, or come back with it."""
    key = key or Key.make()
    peer, challenge = await hello(port, login, address=address, key=key.public, claim=True)
    assert challenge["t"] == "challenge", challenge
    peer.send("proof", **signed(key, challenge, login))
    peer.welcome = await peer.until("welcome")
    return peer, key


async def talk(port: int, data: bytes, *, address: str = "127.0.0.1", half_close: bool = True) -> bytes:
    """Send bytes; everything that comes until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
    try:
        writer.write(data)
        if half_close:
            writer.write_eof()
        return await asyncio.wait_for(_all(reader), PATIENCE)
    finally:
        writer.close()
        try:
            await writer.wait_closed()
        except OSError:
            pass


async def _all(reader: asyncio.StreamReader) -> bytes:
    """What comes until the end; a server that closes on unread bytes resets the connection, which is an end too."""
    said = bytearray()
    try:
        while piece := await reader.read(65_536):
            said += piece
    except ConnectionError:
        pass
    return bytes(said)


async def http(
    port: int, method: str, path: str, body: bytes = b"", *, address: str = "127.0.0.1"
) -> tuple[int, bytes]:
    """One request: its status and body."""
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    answer = await talk(port, head.encode() + body, address=address, half_close=False)
    first, _, rest = answer.partition(b"\r\n\r\n")
    return int(first.split()[1]), rest


@asynccontextmanager
async def irc(port: int, nick: str, *lines: str, address: str = "127.0.0.1") -> AsyncIterator[Irc]:
    """An IRC client that has sent these lines, then NICK and USER."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
    client = Irc(reader, writer)
    client.send(*lines, f"NICK {nick}", f"USER {nick} 0 * :{nick}")
    try:
        yield client
    finally:
        writer.close()
        try:
            await writer.wait_closed()
        except OSError:
            pass


class Irc:
    """Lines up and down."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, *lines: str) -> None:
        self.writer.write("".join(line + "\r\n" for line in lines).encode())

    async def until(self, *wanted: str) -> list[str]:
        """Lines up to the first with one of these commands; all when the server closes."""
        seen: list[str] = []
        while True:
            try:
                line = (await asyncio.wait_for(self.reader.readline(), PATIENCE)).decode().rstrip("\r\n")
            except ConnectionResetError:
                line = ""
            if not line:
                return seen
            seen.append(line)
            words = line.split(" ")
            command = words[1] if words[0][:1] == ":" else words[0]
            if command == "PING":
                self.send(f"PONG {words[-1]}")
            if command in wanted:
                return seen

    async def ask(self, *lines: str) -> list[str]:
        """What comes back for these lines."""
        token = f"sync{next(_refs)}"
        self.send(*lines, f"PING {token}")
        return (await self.until("PONG"))[:-1]


def texts(events: list[dict[str, Any]]) -> list[str]:
    """The texts of the messages among events."""
    return [event["text"] for event in events if event["t"] == "message"]


def seed(kind: str, body: object) -> bytes:
    """An object of the original protocol."""
    return json.dumps({"TYPE": kind, "BODY": body}).encode()
