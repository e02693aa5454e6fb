"""Tokens: secrets by which a machine posts to one room, and reads it, under a name of that room.

A token belongs to its room and its login by their numbers. The login, "monitor/ops", is made with the first token of
that name and goes with the last; no person can have such a name, so that nobody's is taken. Only hashes are kept.
"""

from __future__ import annotations

from hashlib import sha256

from tcpchat.core import model as m
from tcpchat.core.answers import refuse, turn_away
from tcpchat.core.effects import Effects
from tcpchat.core.errors import CODES
from tcpchat.core.rules import HOOK, MEMBER, good_login
from tcpchat.core.sessions import Session, User
from tcpchat.core.state import Room
from tcpchat.core.text import fold
from tcpchat.core.welcome import welcome
from tcpchat.core.world import World

SECRET_MIN = 16  # characters: it is not typed but copied, and nobody shall guess it
PER_ROOM = 50  # tokens of one room: one for each thing that posts there


def hash_token(secret: str) -> str:
    """What is kept of a token: it is long and random, so one SHA-256 is enough."""
    return sha256(secret.encode(errors="surrogatepass")).hexdigest()


def may_handle(chat: World, session: Session, command: m.Admin, proved: bool = True) -> bool:
    """Operators of a room handle its tokens, if they have proved who they are."""
    room, user = chat.state.room(command.args.get("room", "")), session.user
    return room is not None and user is not None and (user.claimed or not proved) and room.is_op(user.uid)


def _rule(session: Session, command: m.Admin, out: Effects, **args: str) -> None:
    by = session.user.uid if session.user is not None else 0
    out.append(m.Append(m.Ruled(by, command.do, 0, args), m.Origin(session, command.ref, command)))


def _note(session: Session, room: int, text: str, out: Effects) -> None:
    """Those who are in the room learn who else reads it."""
    user = session.user
    who = user.login if user is not None else "The server's machine"
    out.append(m.Append(m.Noted(room, user.uid if user is not None else 0, f"{who} {text}")))


# -- acts ------------------------------------------------------------------------------------------------------------


def make(chat: World, session: Session, command: m.Admin, user: User | None, now: float, out: Effects) -> None:
    """A token that lets a machine post to one room, and read it."""
    room, name = chat.state.room(command.args.get("room", "")), good_login(command.args.get("name", ""), chat.limits)
    secret = command.args.get("secret", "")
    if room is None:
        refuse(session, command, "no_such_room", out, command.args.get("room", ""))
        return
    if not name or len(secret) < SECRET_MIN:
        refuse(session, command, "bad_name" if not name else "bad_command", out)
        return
    login, key = name + HOOK + room.name.removeprefix("#"), hash_token(secret)
    taken = chat.state.taken(login)
    if key in chat.state.rules.get("token", {}) or (taken is not None and not _is_of(chat, taken, room)):
        refuse(session, command, "exists", out, login)
    elif len(chat.state.tokens_of("room", room.number)) >= PER_ROOM:
        refuse(session, command, "too_many", out, room.name)
    elif taken is None and (wait := chat.newcomers.wait(session, chat.limits, now)):
        text = CODES["too_fast"].text
        out.append(m.Tell(session, m.Refused("too_fast", text, command.ref, after=wait, about=(login,))))
    else:
        _rule(session, command, out, hash=key, room=room.name, name=login, number=str(room.number))
        _note(session, room.number, f"made a token: {login} may post here, and read what is said.", out)


def _is_of(chat: World, user: User, room: Room) -> bool:
    """Does this login post to this room, by its tokens?"""
    tokens = chat.state.rules.get("token", {})
    return any(tokens[key]["room"] == str(room.number) for key in chat.state.tokens_of("user", user.uid))


def list_them(chat: World, session: Session, command: m.Admin, user: User | None, now: float, out: Effects) -> None:
    """The tokens of a room, or of all rooms: the beginnings of their hashes."""
    shown = {}
    for key, details in chat.state.rules.get("token", {}).items():
        room, hook = chat.state.rooms.get(int(details["room"])), chat.state.users.get(int(details["user"]))
        if _concerns(chat, command, details) and room is not None:
            shown[key[:12]] = {"room": room.name, "name": hook.login if hook is not None else ""}
    out.append(m.Tell(session, m.Done(command.ref, data={"tokens": shown})))


def _concerns(chat: World, command: m.Admin, details: dict[str, str]) -> bool:
    """Is this token one of the room that the act is about? Without a room it is about all."""
    if not command.args.get("room", ""):
        return True
    room = chat.state.room(command.args["room"])
    return room is not None and details["room"] == str(room.number)


def revoke(chat: World, session: Session, command: m.Admin, user: User | None, now: float, out: Effects) -> None:
    """End a token; the beginning of its hash names it, among those of its room."""
    start, table = command.args.get("token", ""), chat.state.rules.get("token", {})
    found = [key for key, details in table.items() if start and key.startswith(start)]
    found = [key for key in found if _concerns(chat, command, table[key])]
    if len(found) != 1:
        refuse(session, command, "bad_command", out, start)
        return
    details = table[found[0]]
    hook = chat.state.users.get(int(details["user"]))
    _rule(session, command, out, hash=found[0])
    if int(details["room"]) in chat.state.rooms:
        _note(session, int(details["room"]), f"revoked a token of {hook.login if hook is not None else 'nobody'}.", out)


# -- applied ---------------------------------------------------------------------------------------------------------


def made(chat: World, seq: int, args: dict[str, str]) -> None:
    """A token is in force, and the login that it posts under is there."""
    state, key = chat.state, args["hash"]
    if "number" not in args:  # of version 0.1.0: its login was claimed before it
        found = state.numbered(args["name"], args["room"])
        state.add_token(key, int(found["room"]), int(found["user"]))
        return
    room = state.rooms.get(int(args["number"]))
    if room is None or key in state.rules.get("token", {}):
        return
    user = state.by_fold.get(fold(args["name"]))
    if user is None:
        user = state.add_user(args["name"], seq)
        user.claimed, user.role, user.delivered, user.name = True, MEMBER, seq, f"posts to {room.name}"
    elif not _is_of(chat, user, room):
        return  # another room has taken this one's name meanwhile
    state.add_token(key, room.number, user.uid)


def revoked(chat: World, args: dict[str, str]) -> None:
    """A token is in force no more."""
    chat.state.drop_tokens("hash", args["hash"])


# -- in --------------------------------------------------------------------------------------------------------------


def enter(chat: World, session: Session, command: m.Hello, now: float, out: Effects) -> bool:
    """A hello with a room token: the session may post to that room, read it, and nothing else."""
    key = hash_token(command.token)
    details = chat.state.rules.get("token", {}).get(key)
    if details is None:
        if command.login:
            return False  # an invite code, looked at when it claims
        turn_away(session, "not_allowed", out)
        return True
    room, user = chat.state.rooms.get(int(details["room"])), chat.state.users.get(int(details["user"]))
    if room is None or user is None:
        turn_away(session, "no_such_room", out)
        return True
    session.hook, session.credential, session.quiet = room.number, key, command.quiet
    welcome(chat, session, user, now, out)
    return True
