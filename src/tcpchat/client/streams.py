"""Opening the connection: the one place that knows whether bytes travel plain or inside TLS."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl

from tcpchat.client.errors import ConnectionFailed
from tcpchat.client.first_use import Ask, Trusting, verified

logger = logging.getLogger("tcpchat.client")

CONNECT_SECONDS = 10.0
HANDSHAKE_SECONDS = 5.0  # a server that does not speak TLS may also just stay silent
READ_LIMIT = 1 << 18

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter, str]


async def open_stream(host: str, port: int, tls: str, ask: Ask | None = None) -> Stream:
    """Connect; returns reader, writer and the server's fingerprint ("" without TLS).

    ``ask`` is asked whether a key that is seen for the first time shall be trusted; without it it is.
    Raises ConnectionFailed, KeyChanged.
    """
    trust = Trusting(host, port, tls)
    if not trust.plain:
        try:
            return await _secure(trust, ask)
        except _NoTls as error:
            trust.no_tls(str(error))
    return *await _open(host, port), ""


class _NoTls(Exception):
    """Somebody answers there, but not in TLS."""


async def _secure(trust: Trusting, ask: Ask | None) -> Stream:
    reader, writer = await _open_tls(trust, trust.context())
    try:
        shown = trust.judge(_certificate(writer))
        if (new := trust.first_time(shown)) is not None:
            if await _system_trusts(trust, shown):
                trust.remember("system")
            elif ask is None or await ask(new):
                if unkept := trust.remember(shown):
                    logger.warning("! %s is trusted this time: %s", trust.address, unkept)
            else:
                raise trust.refused(new)
    except BaseException:
        await _drop(writer)
        raise
    return reader, writer, shown


async def _open_tls(trust: Trusting, context: ssl.SSLContext) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    try:
        return await _open(trust.host, trust.port, context)
    except ssl.SSLCertVerificationError as error:
        raise trust.not_vouched(error.verify_message) from None
    except ssl.SSLError as error:
        raise _NoTls(error.reason or "no handshake") from None
    except (ConnectionResetError, ConnectionAbortedError, BrokenPipeError, TimeoutError):
        raise _NoTls("it does not answer the handshake") from None


async def _open(
    host: str, port: int, context: ssl.SSLContext | None = None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect, then (with a context) shake hands. Raises ConnectionFailed for the first, OSErrors for the second."""
    reader, writer = await _connect(host, port)
    if context is None:
        return reader, writer
    try:
        await writer.start_tls(context, server_hostname=host, ssl_handshake_timeout=HANDSHAKE_SECONDS)
    except BaseException:
        writer.transport.abort()
        raise
    return reader, writer


async def _connect(host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
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
    return reader, writer


async def _system_trusts(trust: Trusting, shown: str) -> bool:
    """Does the operating system vouch for this very key? Asked once per server, over a connection of its own."""
    try:
        _, writer = await _open(trust.host, trust.port, verified())
    except (OSError, ConnectionFailed):
        return False
    try:
        return trust.judge(_certificate(writer)) == shown
    finally:
        await _drop(writer)


def _certificate(writer: asyncio.StreamWriter) -> bytes | None:
    own: ssl.SSLObject | None = writer.get_extra_info("ssl_object")
    return own.getpeercert(binary_form=True) if own is not None else None


async def _drop(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
