"""SCRAM-SHA-256 (RFC 5802, RFC 7677): proving a password without sending it. Pure; the nonce comes from the session."""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from base64 import b64decode, b64encode

from tcpchat.core.meant import Meant
from tcpchat.core.text import fold

ITERATIONS = 120_000  # RFC 7677 asks for 4,096 at least, of 2015; the client does the work at a login, here it is a
# new password's (a twentieth of a second), and whoever has the file tries the more slowly
SCHEME = "SCRAM-SHA-256"
MESSAGE_MAX = 2_048
SECONDS = (
    30.0  # between the two messages of a client: it computes for a tenth of a second, its person has typed already
)


def verifier(password: str, salt: bytes, iterations: int = ITERATIONS) -> str:
    """What is kept to check a password by SCRAM (RFC 5803). Slow on purpose: not for the loop's thread."""
    salted = hashlib.pbkdf2_hmac("sha256", unicodedata.normalize("NFKC", password).encode(), salt, iterations)
    stored = hashlib.sha256(_mac(salted, b"Client Key")).digest()
    parts = (b64encode(stored).decode(), b64encode(_mac(salted, b"Server Key")).decode())
    return f"{SCHEME}${iterations}:{b64encode(salt).decode()}${parts[0]}:{parts[1]}"


def _mac(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, text, hashlib.sha256).digest()


class Exchange:
    """One login attempt: the client's first words are known, its proof is awaited."""

    def __init__(
        self, account: str, kept: str, first: str, nonce: str, then: Meant, until: float, secret: bytes
    ) -> None:
        self.kept, self.meant, self.until = kept, then, until
        self.known = kept.startswith(SCHEME)
        if not self.known:  # nobody learns from the answer whether the login exists
            salt = _mac(secret, fold(account).encode(errors="surrogatepass"))[:16]
            kept = f"{SCHEME}${ITERATIONS}:{b64encode(salt).decode()}$AAAA:AAAA"
        _, costs, keys = kept.split("$")
        iterations, salt_text = costs.split(":")
        self.stored, self.server = (b64decode(part) for part in keys.split(":"))
        self.nonce = attributes(first).get("r", "") + nonce
        self.first = first
        self.challenge = f"r={self.nonce},s={salt_text},i={iterations}"

    def finish(self, final: str) -> str:
        """The server's last word when the client's proof is right, else ""."""
        bare, _, proof = final.rpartition(",p=")
        words = attributes(bare)
        if not self.known or words.get("r") != self.nonce or words.get("c") not in ("biws", "eSws"):
            return ""
        text = f"{self.first},{self.challenge},{bare}".encode(errors="surrogatepass")
        try:
            given = b64decode(proof, validate=True)
        except ValueError:
            return ""
        signature = _mac(self.stored, text)
        if len(given) != len(signature):
            return ""
        key = bytes(a ^ b for a, b in zip(given, signature, strict=True))
        if not hmac.compare_digest(hashlib.sha256(key).digest(), self.stored):
            return ""
        return "v=" + b64encode(_mac(self.server, text)).decode()


def attributes(text: str) -> dict[str, str]:
    return {part[0]: part[2:] for part in text.split(",") if part[1:2] == "="}


def account_of(first: str) -> str:
    """The name in a client's first message (without its GS2 header)."""
    return attributes(first).get("n", "").replace("=2C", ",").replace("=3D", "=")
