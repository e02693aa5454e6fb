"""May this server be talked to? TLS first, the key that it showed first from then on, and never back to plain.

On this machine itself (localhost) nothing is pinned: nobody stands between, servers come and go on the same port, and
one without TLS may be talked to in plain.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import NamedTuple

from tcpchat.client.errors import ConnectionFailed, KeyChanged, NotTrusted
from tcpchat.client.identity import home
from tcpchat.trust import fingerprint
from tcpchat.trust.known import SYSTEM, Known, KnownError, KnownNotKept, address

MODES = ("auto", "never", "always")
ALPN = ["tcpchat"]  # tells the server that nobody sits here who could be asked for a certificate


class NewServer(NamedTuple):
    """A server that is seen for the first time."""

    address: str
    fingerprint: str
    words: str


Ask = Callable[[NewServer], Awaitable[bool]]  # may be asked of a person; without one a first key is trusted


def known_servers() -> Known:
    """The file of the servers that are known."""
    return Known(home("state") / "known_servers")


def is_loopback(host: str) -> bool:
    """Is this, by its name, the machine itself?"""
    if host.casefold().rstrip(".") == "localhost":
        return True
    try:
        return ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


class Trusting:
    """The decisions about one connection. ``mode``: "auto", "never" (plain) or "always" (TLS, also on this machine).

    Raises ConnectionFailed when the file of known servers cannot be used, KeyChanged for plain to one known with TLS.
    """

    def __init__(self, host: str, port: int, mode: str = "auto") -> None:
        if mode == "auto":
            mode = os.environ.get("TCPCHAT_TLS") or "auto"
        if mode not in MODES:
            raise ConnectionFailed(f"TCPCHAT_TLS is {mode!r}; it may be {', '.join(MODES)}.")
        self.host, self.port, self.mode = host, port, mode
        self.address = address(host, port)
        self.local = is_loopback(host)
        self.known = known_servers()
        try:
            self.trusted = "" if self.local else self.known.find(host, port)
        except KnownError as error:
            raise ConnectionFailed(str(error)) from None
        if mode == "never" and self.trusted:
            raise self.downgrade()

    @property
    def plain(self) -> bool:
        """Only plain is wanted."""
        return self.mode == "never"

    def context(self) -> ssl.SSLContext:
        """How to connect: a pinned key needs no certificate authority, one that the system vouches for does."""
        return verified() if self.trusted == SYSTEM else unverified()

    def no_tls(self, why: str) -> None:
        """The server does not speak TLS: return if plain will do, else raise.

        Not final for a known one: a server that restarts, or is full, looks the same.
        """
        if self.trusted:
            raise ConnectionFailed(
                f"{self.address} is known with TLS and does not speak it now ({why}). It is not talked to in plain, "
                f"where anybody could read along. If it gave up TLS: tcpchat trust forget {self.address}"
            )
        if not self.local or self.mode == "always":
            text = f"{self.address} does not speak TLS ({why}); TCPCHAT_TLS=never talks in plain, for all to read."
            raise ConnectionFailed(text)

    def downgrade(self) -> KeyChanged:
        """The error for plain, asked for, to a server that is known with TLS."""
        return KeyChanged(
            f"{self.address} is known with TLS and not talked to in plain, where anybody could read along and answer "
            f"in its name. If that is meant: tcpchat trust forget {self.address}"
        )

    def not_vouched(self, why: str) -> KeyChanged:
        """The error for a server whose certificate the system trusted, and now does not."""
        return KeyChanged(
            f"{self.address} had a certificate that this system trusts, and now has not ({why}). Somebody may be in "
            f"between. If its operator says that this is right: tcpchat trust forget {self.address}"
        )

    def judge(self, certificate: bytes | None) -> str:
        """The fingerprint of what the server showed. Raises KeyChanged, ConnectionFailed."""
        try:
            shown = fingerprint.of_certificate(certificate or b"")
        except ValueError:
            raise ConnectionFailed(f"{self.address} shows a certificate that cannot be read.") from None
        if self.trusted not in ("", SYSTEM, shown):
            raise KeyChanged(
                f"THE KEY OF {self.address} HAS CHANGED. Somebody may be in between, or it was set up anew.\n"
                f"  trusted {self.trusted}  ({fingerprint.words(self.trusted)})\n"
                f"  now     {shown}  ({fingerprint.words(shown)})\n"
                f"Ask its operator. If the new one is right: tcpchat trust forget {self.address}"
            )
        return shown

    def first_time(self, shown: str) -> NewServer | None:
        """Whom to ask about, if nobody knows this server yet."""
        if self.local or self.trusted:
            return None
        return NewServer(self.address, shown, fingerprint.words(shown))

    def remember(self, shown: str) -> str:
        """Trust this key (or "system") from now on; "", or why that could not be written down: then it is trusted this
        once. Raises ConnectionFailed for a damaged file."""
        try:
            self.known.add(self.host, self.port, shown)
        except KnownNotKept as error:
            return str(error)
        except KnownError as error:
            raise ConnectionFailed(str(error)) from None
        return ""

    def refused(self, new: NewServer) -> NotTrusted:
        """The error for a person who does not trust the key."""
        return NotTrusted(f"The key of {new.address} was not trusted: {new.fingerprint}")


def unverified() -> ssl.SSLContext:
    """TLS with whoever answers; who that is, its key says."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    made.set_alpn_protocols(ALPN)
    return made


def verified() -> ssl.SSLContext:
    """TLS with a server that the system's certificate authorities vouch for (20 to 40 ms to make)."""
    made = ssl.create_default_context()
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.set_alpn_protocols(ALPN)
    return made
