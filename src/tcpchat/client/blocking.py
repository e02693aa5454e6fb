"""A connection over a blocking socket, plain or in TLS: for commands that ask and end, without an event loop."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable

from tcpchat.client.errors import ConnectionFailed
from tcpchat.client.first_use import NewServer, Trusting, verified


def connect_blocking(
    host: str, port: int, timeout: float, tls: str = "auto", note: Callable[[NewServer, str], None] | None = None
) -> tuple[socket.socket, str]:
    """Connect; returns the socket and the server's fingerprint ("" without TLS).

    A key that is seen for the first time is trusted, and ``note`` is called with it and with
    why it is not remembered ("" where it is).
    Raises ConnectionFailed, KeyChanged.
    """
    trust = Trusting(host, port, tls)
    if not trust.plain:
        own = _open(trust, timeout, trust.context())
        if own is not None:
            try:
                return own, _judge(trust, own, timeout, note)
            except BaseException:
                own.close()
                raise
    return _connect(host, port, timeout), ""


def _judge(trust: Trusting, own: ssl.SSLSocket, timeout: float, note: Callable[[NewServer, str], None] | None) -> str:
    shown = trust.judge(own.getpeercert(binary_form=True))
    if (new := trust.first_time(shown)) is not None:
        if _system_trusts(trust, shown, timeout):
            trust.remember("system")
        else:
            unkept = trust.remember(shown)
            if note is not None:
                note(new, unkept)
    return shown


def _open(trust: Trusting, timeout: float, context: ssl.SSLContext) -> ssl.SSLSocket | None:
    """Connect and shake hands; None: the server has no TLS, and plain will do."""
    plain = _connect(trust.host, trust.port, timeout)
    try:
        return context.wrap_socket(plain, server_hostname=trust.host)
    except ssl.SSLCertVerificationError as error:
        plain.close()
        raise trust.not_vouched(error.verify_message) from None
    except OSError as error:
        plain.close()
        trust.no_tls(getattr(error, "reason", None) or "it does not answer the handshake")
        return None


def _system_trusts(trust: Trusting, shown: str, timeout: float) -> bool:
    """Does the operating system vouch for this very key? Asked once per server, over a connection of its own."""
    plain = _connect(trust.host, trust.port, timeout)
    try:
        with verified().wrap_socket(plain, server_hostname=trust.host) as own:
            return trust.judge(own.getpeercert(binary_form=True)) == shown
    except OSError:
        return False
    finally:
        plain.close()


def _connect(host: str, port: int, timeout: float) -> socket.socket:
    try:
        own = socket.create_connection((host, port), timeout)
    except (TimeoutError, BlockingIOError):  # the latter with no time at all
        raise ConnectionFailed(f"{host}:{port} does not answer.") from None
    except UnicodeError:
        raise ConnectionFailed(f"{host}:{port}: this cannot be the name of a machine.") from None
    except OSError as error:
        reason = error.strerror or error
        raise ConnectionFailed(f"{host}:{port}: {reason}. Is `tcpchat serve` running there?") from None
    own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return own
