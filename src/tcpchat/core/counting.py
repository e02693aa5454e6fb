"""Counting what peers ask for: every command of every door, also those that are refused, also before the hello.

Messages have rates of their own (core.messages). All else goes through the coarse count of *signals*, which no client
of ours comes near, and what makes the chat work or write also through the login's *commands*. Before a session is open
what it asks for is its own affair: a login must not be made to wait by those who only say its name.
"""

from __future__ import annotations

from tcpchat.core import model as m
from tcpchat.core.bounds import REF_MAX
from tcpchat.core.effects import Effects
from tcpchat.core.errors import CODES
from tcpchat.core.rules import Bucket
from tcpchat.core.sessions import OPEN, Session, User
from tcpchat.core.world import World

BLOCK = 64  # signals that are drawn at a time, so that most cost one subtraction
ENTRY_BYTES = 150  # of an entry in the log besides its texts
QUOTA = "So much was written from here in the last hour that your share of the disk is used up; wait."
GROWTH_BLOCK = 131_072  # bytes that are drawn at a time: more than the longest command has
EXCESS_MAX = 1_000  # commands in spite of too_fast, less those that came in time; who sends more is hung up
KNOCKS_PER_SECOND, KNOCK_BURST = 5.0, 60  # hellos and proofs of one connection that is not open yet,
STRANGER_SIGNALS_PER_SECOND, STRANGER_SIGNAL_BURST = 50.0, 500  # and its pings and questions of status
HASH_COST = 10  # commands that one making or checking of a password counts as: it takes tens of milliseconds

# What costs less than telling that it came too fast; counted as signals alone.
SIGNALS = frozenset({m.Confirm, m.Read, m.Ping, m.Pong, m.Status, m.Bye, m.Fault})

# What leaves its texts in the log for good; messages are counted where their rates are.
KEPT = frozenset(
    {m.Remove, m.Join, m.Leave, m.Topic, m.Invite, m.Kick, m.Mode, m.Rename, m.Set, m.Key, m.Admin, m.Edit}
)

# What says who somebody is; before the session is open these are counted by connection.
KNOCKS = frozenset({m.Hello, m.Proof, m.Guess, m.Password, m.Scram, m.External})

COSTS: dict[type, float] = {m.Password: HASH_COST}  # in commands; all others: 1


def counted(chat: World, session: Session, command: m.Command, now: float, out: Effects) -> bool:
    """Count a command that is no message, and has taken one of the session's spare signals (Chat.receive does so
    itself, for the sake of confirmations); False when it came too fast, which was told."""
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


def odd(chat: World, session: Session, command: m.Command, now: float, out: Effects) -> bool:
    """Count a message that will not get as far as being counted as one (a repeat, a gap, before the hello)."""
    session.spare -= 1
    if session.spare < 0 and not _drawn(chat, session, now):
        _excess(chat, session, command, now, out)
        return False
    return True


def grows(chat: World, session: Session, size: int, now: float) -> float:
    """Count what is about to be kept in the log for good: 0, or the seconds until there is room for it in this login's
    budget (of guests: their address's). Drawn in blocks, so that most messages cost one subtraction."""
    user = session.user
    if user is None or session.trusted:
        return 0.0
    user.room_left -= size + ENTRY_BYTES
    return 0.0 if user.room_left >= 0 else overdrawn(chat, session, user, size, now)


def overdrawn(chat: World, session: Session, user: User, size: int, now: float) -> float:
    """As ``grows``, when what was drawn before is used up."""
    limits = chat.limits
    hourly = limits.login_bytes_per_hour if user.claimed else limits.guest_bytes_per_hour
    bucket = (user.stored or Bucket()) if user.claimed else chat.newcomers.stored(session)
    if bucket is None or not hourly:
        user.room_left = GROWTH_BLOCK
        return 0.0
    if user.claimed:
        user.stored = bucket
    wait = bucket.take(now, hourly / 3_600, hourly, GROWTH_BLOCK)
    if wait:
        user.room_left += size + ENTRY_BYTES
    else:
        user.room_left += GROWTH_BLOCK
    return wait


def owe(chat: World, session: Session, commands: float) -> None:
    """What was asked for was as much work as so many commands more."""
    user, limits = session.user, chat.limits
    if user is not None and limits.commands_per_second and not session.trusted:
        user.commands = user.commands or Bucket()
        user.commands.owe(min(commands, limits.command_burst / 4))


def _drawn(chat: World, session: Session, now: float) -> bool:
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
    session.excess = max(0, session.excess - got)
    return got > 0


def _excess(chat: World, session: Session, command: m.Command, now: float, out: Effects) -> None:
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
