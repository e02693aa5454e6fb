"""Opening the connection: the one place that knows whether bytes travel plain or inside TLS."""

from __future__ import annotations

import asyncio
import socket

from tcpchat.client.errors import ConnectionFailed

CONNECT_SECONDS = 10.0
READ_LIMIT = 1 << 18


async def open_stream(host: str, port: int, tls: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, str]:
    """Connect; returns reader, writer and the server's fingerprint ("" without TLS). Raises ConnectionFailed."""
    if tls == "always":
        raise ConnectionFailed("This client cannot do TLS yet, and without it was not allowed to connect.")
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(host, port, limit=READ_LIMIT)
    except TimeoutError:
        raise ConnectionFailed(f"{host}:{port} does not answer.") from None
    except (OSError, UnicodeError) as error:  # UnicodeError: a host name that cannot be one
        reason = getattr(error, "strerror", None) or error
        raise ConnectionFailed(f"{host}:{port}: {reason}. Is `tcpchat serve` running there?") from None
    own = writer.get_extra_info("socket")
    if own is not None:
        own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return reader, writer, ""
