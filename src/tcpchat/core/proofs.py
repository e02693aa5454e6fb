"""What a key signs to prove a login: a text that is good for one connection, one name and one server.

Version 2 names the server by its id, the address that the client meant and how it speaks, so that a proof that was
given to one server is no use at another, without TLS too. Version 1 names the certificate only: without TLS it is bound
to nothing, and is taken from this machine alone, for clients of before.
"""

from __future__ import annotations

from hashlib import sha256
from ipaddress import ip_address

from tcpchat.core.commands import Proof
from tcpchat.core.rules import challenge_text
from tcpchat.core.sessions import Session, Way
from tcpchat.core.text import fold

VERSION = "tcpchat-auth-2"
ID_LENGTH = 32  # hex digits: nobody finds a second log with the same id


def server_id(first: str) -> str:
    """By which a server is known, from the first id of its log: a restored one keeps it, a new one has another."""
    return sha256(b"tcpchat server\n" + first.encode()).hexdigest()[:ID_LENGTH] if first else ""


def proof_text(nonce: str, login: str, server: str, at: str, mode: str, binding: str) -> str:
    """Version 2: ``server`` is the id in the challenge, ``at`` the HOST:PORT that the client meant to talk to,
    ``binding`` the fingerprint of the certificate that it was shown ("" without TLS, and in a browser)."""
    return "\n".join((VERSION, nonce, fold(login), server, at, mode, binding))


def signed(session: Session, command: Proof, login: str, server: str) -> str:
    """The text that this proof has to be a signature of; "" when none would do on this connection."""
    if command.at:
        if not server or not _meant(command.at, session.way):
            return ""
        return proof_text(session.nonce, login, server, command.at, session.way.mode, session.binding)
    return challenge_text(session.nonce, login, session.binding) if session.binding or session.local else ""


def _meant(at: str, way: Way) -> bool:
    """May this server have been meant? It knows only some of its names, but a port of this machine is one server's."""
    host, _, port = at.rpartition(":")
    return way.mode != "plain" or not way.port or not is_loopback(host.strip("[]")) or port == str(way.port)


def is_loopback(host: str) -> bool:
    """Is this, by its name, the machine itself?"""
    if host.casefold().rstrip(".") == "localhost":
        return True
    try:
        return ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False
