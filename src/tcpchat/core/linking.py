"""Linking devices: a short code, shown on one device of a login, lets another device add its key.

Codes live ten minutes, once, and only in memory: a restart or another node does not know them, and the device that is
being linked just asks for a new one.
"""

from __future__ import annotations

from hashlib import sha256

from tcpchat.core import model as m
from tcpchat.core.answers import turn_away
from tcpchat.core.effects import Effects
from tcpchat.core.errors import CODES
from tcpchat.core.owners import came_by, meant
from tcpchat.core.sessions import Session, User
from tcpchat.core.stages import challenge
from tcpchat.core.world import CODE_SECONDS, Link, World

LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"  # without I and O
NONE = Link("", 0.0, "")
LENGTH = 8  # 36 bits, 5 tries an address in ten minutes


def show(chat: World, session: Session, command: m.Key, now: float, out: Effects) -> None:
    """A new code for the own login; the one before it is void."""
    user = session.user
    assert user is not None
    if not user.claimed or not session.private:
        code = "insecure" if user.claimed else "guest"
        out.append(m.Tell(session, m.Refused(code, CODES[code].text, command.ref)))
        return
    code = _code(f"{session.nonce}\n{user.uid}\n{now}")
    chat.links[user.uid] = Link(code, now + CODE_SECONDS, came_by(session, user))
    out.append(m.Tell(session, m.Done(command.ref, data={"code": code, "seconds": str(CODE_SECONDS)})))


def _code(seed: str) -> str:
    """Random as the session's nonce is, which comes from outside."""
    number = int.from_bytes(sha256(b"link\n" + seed.encode()).digest(), "big")
    letters = []
    for _ in range(LENGTH):
        number, place = divmod(number, len(LETTERS))
        letters.append(LETTERS[place])
    return "".join(letters)


def offered(chat: World, session: Session, command: m.Hello, user: User, now: float, out: Effects) -> None:
    """A device brings a code: if it fits, the device has only to prove that it holds the key that it names."""
    if not session.private:  # whoever reads along could spend it first, with a key of their own
        turn_away(session, "insecure", out, text="A code is only taken over TLS or from this machine.")
        return
    wait = chat.codes.guesses.wait(session.address, now)
    code, until, _ = chat.links.get(user.uid, NONE)
    if wait:
        text = f"{CODES['too_fast'].text} Too many wrong codes from your address."
        out.append(m.Tell(session, m.Refused("too_fast", text, after=wait, fatal=True)))
        out.append(m.HangUp(session, "too_fast"))
    elif not code or until < now or command.token.replace("-", "").upper() != code:
        chat.codes.guesses.wrong(session.address, now)
        turn_away(session, "wrong_proof", out, text="This code does not fit, or it has run out.")
    elif len(user.keys) >= chat.limits.keys_per_login:
        turn_away(session, "too_many", out)
    else:
        session.linking = code
        challenge(session, meant(chat.state, user.login))
        out.append(m.Tell(session, m.Challenge(session.nonce, ("key",), user.login, chat.server_id)))


def spend(chat: World, session: Session, user: User, now: float) -> Link | None:
    """Take the code that this session came with; None when it is gone or was taken meanwhile."""
    code, session.linking = session.linking, ""
    link = chat.links.get(user.uid, NONE)
    if not code or code != link.code or link.until < now:
        return None
    del chat.links[user.uid]
    return link
