"""Logins by certificate: a client's TLS has shown one, and its fingerprint is among the keys of a login.

A certificate is kept as a key ``x509:<SHA-256 in hex>``: it is listed, limited and revoked as the others are. Whoever
knows a fingerprint may register it; only who holds the certificate's key can show it.
"""

from __future__ import annotations

import re

from tcpchat.core import model as m
from tcpchat.core.answers import refuse, wrong
from tcpchat.core.bans import banned
from tcpchat.core.effects import Effects
from tcpchat.core.presence import identified
from tcpchat.core.sessions import ARRIVING, CHECKING, ENTERING, OPEN, Session, User
from tcpchat.core.stages import step
from tcpchat.core.world import World

PREFIX = "x509:"
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


def key_of(fingerprint: str) -> str:
    """A fingerprint as a login keeps it; "" for what is none. Colons and capitals, as tools print them, are fine."""
    text = fingerprint.strip().removeprefix(PREFIX).replace(":", "").lower()
    return PREFIX + text if _FINGERPRINT.fullmatch(text) else ""


def is_certificate(key: str) -> bool:
    return key.startswith(PREFIX)


def signs(user: User) -> bool:
    """Has this login a key that answers a challenge?"""
    return not all(map(is_certificate, user.keys))


def opens(session: Session, user: User) -> bool:
    """Has this connection shown a certificate of this login?"""
    return bool(session.certfp) and PREFIX + session.certfp in user.keys


def enters(session: Session, user: User) -> bool:
    """The same, and it is what the session came in by."""
    if opens(session, user):
        session.credential = PREFIX + session.certfp
        return True
    return False


def external(chat: World, session: Session, command: m.External, now: float, out: Effects) -> None:
    """Log in by the certificate that the connection has shown (SASL EXTERNAL, RFC 4422 appendix A)."""
    user = _owner(chat, session, command.account)
    if session.stage in (CHECKING, ARRIVING, ENTERING):
        refuse(session, command, "too_many_pending", out)
    elif user is None:
        wrong(session, "wrong_proof", out, command.ref)
    elif ban := banned(chat, session, user.login, now):
        refuse(session, command, "banned", out, text=ban)
    else:
        enters(session, user)
        out.append(m.Tell(session, m.Done(command.ref, data={"account": user.login})))
        if session.stage == OPEN:
            identified(chat, session, user, out)
        else:
            session.account = user
            step(session, "vouched")


def _owner(chat: World, session: Session, account: str) -> User | None:
    """Whose certificate it is. One that several logins have opens the one that is named."""
    user = chat.state.find(account) if account else session.account
    if account or (user is not None and opens(session, user)):
        return user if user is not None and opens(session, user) else None
    found = [user for user in chat.state.users.values() if opens(session, user)] if session.certfp else []
    return found[0] if len(found) == 1 else None
