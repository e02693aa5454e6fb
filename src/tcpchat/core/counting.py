"""Counting what peers ask for: every command of every door, also those that are refused, also before the hello.

Messages have rates of their own (core.talking). All else goes through the coarse count of *signals*, which no client
of ours comes near, and what makes the chat work or write also through the login's *commands*. Before a session is open
what it asks for is its own affair: a login must not be made to wait by those who only say its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcpchat.core import model as m
from tcpchat.core.bounds import REF_MAX
from tcpchat.core.errors import CODES
from tcpchat.core.feed import OPEN, Session
from tcpchat.core.rules import Bucket

if TYPE_CHECKING:
    from tcpchat.core.chat import Chat, Effects

BLOCK = 64  # signals that are drawn at a time, so that most cost one subtraction
EXCESS_MAX = 1_000  # commands in a row in spite of too_fast; who sends more is not listening, and is hung up
KNOCKS_PER_SECOND, KNOCK_BURST = 5.0, 60  # hellos and proofs of one connection that is not open yet,
STRANGER_SIGNALS_PER_SECOND, STRANGER_SIGNAL_BURST = 50.0, 500  # and its pings and questions of status
HASH_COST = 10  # commands that one making or checking of a password counts as: it takes tens of milliseconds

# What costs less than telling that it came too fast; counted as signals alone.
SIGNALS = frozenset({m.Confirm, m.Read, m.Ping, m.Pong, m.Status, m.Bye, m.Fault})

# What says who somebody is; before the session is open these are counted by connection.
KNOCKS = frozenset({m.Hello, m.Proof, m.Guess, m.Password, m.Scram, m.External})

COSTS: dict[type, float] = {m.Password: HASH_COST}  # in commands; all others: 1


def counted(chat: Chat, session: Session, command: m.Command, now: float, out: Effects) -> bool:
    """Count a command that is no message; False when it came too fast, which was told."""
    session.spare -= 1
    if session.spare < 0 and not _drawn(chat, session, now):
        _excess(chat, session, command, now, out)
        return False
    kind = type(command)
    if kind in SIGNALS or session.trusted:
        return True
    user, limits = session.user, chat.limits
    if session.stage != OPEN or user is None:
        if kind not in KNOCKS:
            return True  # it waits, and is counted when its turn comes
        bucket = session.knocks = session.knocks or Bucket()
        wait = bucket.take(now, KNOCKS_PER_SECOND, KNOCK_BURST, COSTS.get(kind, 1.0))
    elif not limits.commands_per_second:
        return True
    else:
        bucket = user.commands = user.commands or Bucket()
        wait = bucket.take(now, limits.commands_per_second, limits.command_burst, COSTS.get(kind, 1.0))
    if wait and kind is not m.Typing:  # a passing notice may pass unseen
        too_fast(session, command, wait, out)
    return not wait


def odd(chat: Chat, session: Session, command: m.Command, now: float, out: Effects) -> bool:
    """Count a message that will not get as far as being counted as one (a repeat, a gap, before the hello)."""
    session.spare -= 1
    if session.spare < 0 and not _drawn(chat, session, now):
        _excess(chat, session, command, now, out)
        return False
    return True


def owe(chat: Chat, session: Session, commands: float) -> None:
    """What was asked for was as much work as so many commands more."""
    user, limits = session.user, chat.limits
    if user is not None and limits.commands_per_second and not session.trusted:
        user.commands = user.commands or Bucket()
        user.commands.owe(min(commands, limits.command_burst / 4))


def _drawn(chat: Chat, session: Session, now: float) -> bool:
    """Fetch the next signals from the bucket of the login, or of a connection that is nobody's yet."""
    limits, user = chat.limits, session.user
    if not limits.signals_per_second:
        session.spare = BLOCK
        return True
    if user is not None:
        bucket = user.signals = user.signals or Bucket()
        got = bucket.draw(now, limits.signals_per_second, limits.signal_burst, BLOCK)
    else:
        bucket = session.signals = session.signals or Bucket()
        got = bucket.draw(now, STRANGER_SIGNALS_PER_SECOND, STRANGER_SIGNAL_BURST, BLOCK)
    session.spare = got - 1
    if got:
        session.excess = 0
    return got > 0


def _excess(chat: Chat, session: Session, command: m.Command, now: float, out: Effects) -> None:
    """It is not taken. Confirmations are: the last one says it all, a little later."""
    session.spare = 0
    session.excess += 1
    if session.excess >= EXCESS_MAX:
        event = m.Refused("too_fast", CODES["too_fast"].text, fatal=True)
        out += [m.Tell(session, event), m.HangUp(session, "too_fast")]
    elif isinstance(command, m.Confirm):
        kept = chat.late.get(session)
        if kept is None or kept.seq < command.seq:
            chat.late[session] = command
    elif type(command) not in (m.Pong, m.Typing):
        too_fast(session, command, 1 / max(chat.limits.signals_per_second, 1.0), out)


def too_fast(session: Session, command: m.Command, wait: float, out: Effects) -> None:
    refuse_cut(session, command, "too_fast", out, max(wait, 0.001))


def refuse_cut(session: Session, command: m.Command, code: str, out: Effects, after: float = 0.0) -> None:
    """A refusal of what was not looked at closely: what is repeated from it is short."""
    ref, to = getattr(command, "ref", 0), getattr(command, "to", "")
    ref = ref[:REF_MAX] if isinstance(ref, str) else ref
    event = m.Refused(
        code, CODES[code].text, ref, getattr(command, "n", 0), after, about=(to,) if 0 < len(to) <= REF_MAX else ()
    )
    out.append(m.Tell(session, event))


def tick(chat: Chat, now: float, out: Effects) -> None:
    """Carry out the confirmations that came too fast."""
    if chat.late:
        from tcpchat.core.receipts import confirm

        late, chat.late = chat.late, {}
        for session, command in late.items():
            if session.stage == OPEN:
                confirm(chat, session, command, now, out)
