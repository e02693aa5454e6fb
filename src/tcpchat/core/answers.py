"""Answers that every topic gives: refusals, and "done"."""

from __future__ import annotations

from tcpchat.core import model as m
from tcpchat.core.effects import Effects
from tcpchat.core.errors import CODES
from tcpchat.core.sessions import OPEN, Session
from tcpchat.core.stages import step

TRIES = 3  # wrong proofs of one connection
TRIES_OPEN = 10  # wrong passwords of a guest that is in already


def refusal(
    code: str, ref: int | str = 0, n: int = 0, text: str = "", after: float = 0.0, expected: int = 0,
    about: tuple[str, ...] = (), fatal: bool = False,
) -> m.Refused:  # fmt: skip
    """A Refused with the code's own text unless another is given."""
    return m.Refused(code, text or CODES[code].text, ref, n, after, expected, fatal, about)


def refuse(
    session: Session,
    command: m.Command,
    code: str,
    out: Effects,
    *about: str,
    text: str = "",
    after: float = 0.0,
    expected: int = 0,
) -> None:
    """Answer a command with a refusal. ``about``: the names that it is about."""
    event = refusal(code, getattr(command, "ref", 0), getattr(command, "n", 0), text, after, expected, about)
    out.append(m.Tell(session, event))


def turn_away(
    session: Session, code: str, out: Effects, *, fatal: bool = True, ref: int | str = 0, text: str = "",
    after: float = 0.0,
) -> None:  # fmt: skip
    """A refusal of the hello: the peer may try another one unless the connection ends here."""
    login = session.hello.login if session.hello else ""
    event = m.Refused(code, text or CODES[code].text, ref, after=after, fatal=fatal, about=(login,))
    out.append(m.Tell(session, event))
    early, session.early = session.early, ()
    for command in early:  # it was meant for the session that did not begin
        number, ref = getattr(command, "n", 0), getattr(command, "ref", 0)
        out.append(m.Tell(session, m.Refused("hello_first", CODES["hello_first"].text, ref, number)))
    if fatal and not session.traits.stays_refused:
        out.append(m.HangUp(session, code))


def wrong(session: Session, code: str, out: Effects, ref: int | str = 0, text: str = "") -> None:
    """A wrong proof or password; after a few the connection ends."""
    session.tries += 1
    fatal = session.tries >= (TRIES_OPEN if session.stage == OPEN else TRIES)
    step(session, "wrong")
    out.append(m.Tell(session, m.Refused(code, text or CODES[code].text, ref, fatal=fatal)))
    if fatal:
        out.append(m.HangUp(session, code))


def done(entry: m.Entry, out: Effects, **data: str) -> None:
    """What was asked for is in the log: tell who asked."""
    if entry.origin is not None and entry.origin.session.stage == OPEN:
        out.append(m.Tell(entry.origin.session, m.Done(entry.origin.ref, entry.seq, dict(data))))
