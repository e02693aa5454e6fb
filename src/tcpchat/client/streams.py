"""Opening the connection: plain, or TLS with the server's key trusted on first use (as trust.known decides)."""

from __future__ import annotations

import asyncio
import socket

from tcpchat.client.errors import ConnectionFailed

CONNECT_SECONDS = 10.0
READ_LIMIT = 1 << 18

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def open_stream(host: str, port: int, tls: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, str]:
    """Connect; returns reader, writer and the server's fingerprint ("" without TLS). Raises ConnectionFailed."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(host, port, limit=READ_LIMIT)
    except TimeoutError:
        raise ConnectionFailed(f"{host}:{port} does not answer.") from None
    except OSError as error:
        raise ConnectionFailed(f"{host}:{port}: {error.strerror or error}. Is `tcpchat serve` running there?") from None
    own = writer.get_extra_info("socket")
    if own is not None:
        own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return reader, writer, ""


def connect_blocking(host: str, port: int, timeout: float, args: object = None) -> tuple[socket.socket, str]:
    """The same over a blocking socket, for one-shot commands. Raises ConnectionFailed."""
    try:
        own = socket.create_connection((host, port), timeout)
    except TimeoutError:
        raise ConnectionFailed(f"{host}:{port} does not answer.") from None
    except OSError as error:
        raise ConnectionFailed(f"{host}:{port}: {error.strerror or error}. Is `tcpchat serve` running there?") from None
    own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return own, ""
