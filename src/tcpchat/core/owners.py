"""Whose a login was when something was begun under its name.

Names change hands: a login is renamed or deleted, and somebody else claims its name. A proof, a password or a login by
SCRAM takes more than one step, and must open the login that it was begun for, never the one that has its name by then.
So each keeps a ``Meant`` that is made here, and asks at its end whether it still holds.
"""

from __future__ import annotations

from hashlib import sha256

from tcpchat.core.meant import Meant
from tcpchat.core.sessions import PASSWORD, Session, User
from tcpchat.core.state import State
from tcpchat.core.text import fold


def meant(state: State, name: str) -> Meant:
    """Whom the name means now."""
    user = state.find(name) if name else None
    return Meant(user.uid if user is not None and user.claimed else 0, fold(name))


def still(state: State, then: Meant) -> bool:
    """Does the name mean the same as then?"""
    return meant(state, then.name).uid == then.uid


def owner(state: State, then: Meant) -> User | None:
    """The login that was meant, if it still has the name; None also where nobody had claimed it."""
    return state.users.get(then.uid) if then.uid and still(state, then) else None


def came_by(session: Session, user: User) -> str:
    """What a session came in by, as a fact keeps it: it may only add keys while that opens the login; "" = a guest."""
    if session.credential == PASSWORD and session.user is user:
        return of_password(user)
    return session.credential if session.credential in user.keys else ""


def opens(user: User, by: str) -> bool:
    """Does what ``came_by`` named still open this login?"""
    return not by or by in user.keys or by == of_password(user)


def of_password(user: User) -> str:
    """A password of a login, as a fact names it without its hash."""
    return f"{PASSWORD}:{sha256(user.password.partition(' ')[0].encode()).hexdigest()[:32]}"
