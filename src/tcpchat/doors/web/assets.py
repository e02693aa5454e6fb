"""The page's files, read once, served from memory: never a directory, never a path from a request on the disk."""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass, replace
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


# The page itself is asked for anew each time; what it names has a version in its path, so that those bytes never change
# and need not be asked for again (RFC 9111, 5.2.2.4; RFC 8246).
ASK_AGAIN = "no-cache"
KEEP = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file of the page: its bytes, plain and gzipped, its media type, its entity tag, how long to keep it."""

    body: bytes
    gzipped: bytes
    type: str
    etag: str
    cache: str


def _asset(body: bytes, kind: str, cache: str) -> Asset:
    return Asset(body, gzip.compress(body, mtime=0), kind, f'"{_digest(body)}"', cache)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _read() -> dict[str, bytes]:
    folder = files("tcpchat.doors.web").joinpath("page")
    entries = sorted((entry for entry in folder.iterdir() if entry.is_file()), key=lambda entry: entry.name)
    return {entry.name: entry.read_bytes() for entry in entries if entry.name.rpartition(".")[2] in TYPES}


def _versioned(page: bytes, names: Collection[str], version: str) -> bytes:
    """The page with links to its files as they are in this version."""

    def link(match: re.Match[bytes]) -> bytes:
        name = match[2].decode()
        return f'{match[1].decode()}="{version}/{name}"'.encode() if name in names else match[0]

    return re.sub(rb'\b(href|src)="([\w.]+)"', link, page)


@cache
def assets() -> dict[str, Asset]:
    """All files of the page by their path in a URL: "" is the page itself, "VERSION/app.js" a file that may be kept.

    The version is made of all their contents, and stands in the path as a folder: modules that import each other by
    relative names are always of one version. The plain name ("app.js") is whatever is current.
    """
    sources = _read()
    version = _digest(b"".join(_digest(body).encode() + name.encode() for name, body in sources.items()))
    found: dict[str, Asset] = {}
    for name, body in sources.items():
        kind = TYPES[name.rpartition(".")[2]]
        if name == "index.html":
            found[""] = found[name] = _asset(_versioned(body, sources, version), kind, ASK_AGAIN)
        else:
            found[name] = _asset(body, kind, ASK_AGAIN)
            found[f"{version}/{name}"] = replace(found[name], cache=KEEP)
    return found
