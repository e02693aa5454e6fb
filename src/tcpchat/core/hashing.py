"""Having passwords checked and made: tens of milliseconds of work each, for one of its kind at a time.

One at a time for every session, whatever it is for; whose turn it is among many is decided by address
(tcpchat.trust.checking).
"""

from __future__ import annotations

from msgspec.structs import replace

from tcpchat.core import model as m
from tcpchat.core.effects import Effects
from tcpchat.core.errors import CODES
from tcpchat.core.owners import owner
from tcpchat.core.sessions import Session
from tcpchat.core.world import World


def ask(chat: World, check: m.Check, now: float, out: Effects, login: str = "") -> bool:
    """Have it checked or made. ``login``: it is a guess at this one. False when it has to wait, which was told."""
    session, ref = check.session, getattr(check.command, "ref", 0)
    if session.guessing:
        out.append(m.Tell(session, m.Refused("too_many_pending", CODES["too_many_pending"].text, ref)))
        return False
    if check.what == "password" and (wait := chat.guesses.begin(session, login, owner(chat.state, check.meant), now)):
        out.append(m.Tell(session, m.Refused("too_fast", CODES["too_fast"].text, ref, after=max(round(wait, 1), 0.1))))
        return False
    session.guessing = True
    if check.what == "hash" and not chat.limits.scram:
        check = replace(check, what="argon")
    out.append(check)
    return True


def answered(chat: World, session: Session, right: bool) -> None:
    """An answer has come, or (``right``) nothing is known about it."""
    session.guessing = False
    chat.guesses.end(session, right)
