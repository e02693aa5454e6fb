"""The page's files, read once, served from memory: never a directory, never a path from a request on the disk."""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "webmanifest": "application/manifest+json",
}
# Everything from this server, nothing inline, nobody may frame the page. 'self' covers this server's own WebSocket
# (CSP 3, 6.7.2.8); Safari before 15.4 does not know that.
SECURITY_HEADERS: tuple[tuple[str, str], ...] = (
    (
        "Content-Security-Policy",
        "default-src 'self'; connect-src 'self'; img-src 'self' data:; object-src 'none'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)

# To browsers that have come by TLS with a certificate that they trust, where plain is not taken anyway. It holds for
# all ports of the name, hence nothing of subdomains and a time that ends (RFC 6797 6.1.1, 11.2).
TLS_ONLY = ("Strict-Transport-Security", "max-age=2592000")


@dataclass(frozen=True, slots=True)
class Asset:
    """One file of the page: its bytes, plain and gzipped, its media type, and the entity tag that names these bytes."""

    body: bytes
    gzipped: bytes
    type: str
    etag: str


# What stands in the sources for people only: indentation, lines that are comments, and blanks around some signs.
_FOR_PEOPLE = re.compile(rb"^[ \t]*//[^\n]*\n|^[ \t]+|^\n", re.MULTILINE)
_AROUND = {
    "css": re.compile(rb"\s*([{};,>])\s*|(?<=:) (?=[^{}]*[;}])"),
    "js": re.compile(rb" (=>|=|===|!==|&&|\|\|) "),  # none of them stands in a text of the page (a test says so)
}


@cache
def assets() -> dict[str, Asset]:
    """All files of the page by the name they have in a URL ("" is the page itself)."""
    found: dict[str, Asset] = {}
    for entry in files("tcpchat.doors.web").joinpath("page").iterdir():
        ending = entry.name.rpartition(".")[2]
        kind = TYPES.get(ending)
        if kind is None or not entry.is_file():
            continue
        body = _FOR_PEOPLE.sub(b"", entry.read_bytes())
        if around := _AROUND.get(ending):
            body = around.sub(rb"\1", body)
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        found[entry.name] = Asset(body, gzip.compress(body, mtime=0), kind, etag)
    if "index.html" in found:
        found[""] = found["index.html"]
    return found
