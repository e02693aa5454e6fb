"""The passwords that are settings of the server and nobody's login: of OPER, and of whoever may come in (PASS)."""

from __future__ import annotations

from tcpchat.core import model as m
from tcpchat.core.answers import wrong
from tcpchat.core.effects import Effects
from tcpchat.core.errors import CODES
from tcpchat.core.sessions import Session
from tcpchat.core.world import World


def guess(chat: World, session: Session, command: m.Guess, now: float, out: Effects) -> None:
    """One was tried. The door has compared it; whether that counts is decided as for every password: not in plain from
    another machine, not too soon after wrong ones, and a wrong one is counted."""
    if command.what == "unoper":
        session.oper = False
    elif not (session.secure or session.local or session.trusted):
        out.append(m.Tell(session, m.Refused("insecure", CODES["insecure"].text, command.ref)))
        return
    elif wait := chat.guesses.wait(session.address, now):
        text = CODES["too_fast"].text
        out.append(m.Tell(session, m.Refused("too_fast", text, command.ref, after=round(wait, 1))))
        return
    elif not command.right:
        chat.guesses.wrong(session.address, now)
        wrong(session, "wrong_password", out, command.ref)
        return
    elif command.what == "oper":
        session.oper = True  # trusted from now on as a moderator is: KILL and REDACT go through the same gate
    out.append(m.Tell(session, m.Done(command.ref)))
