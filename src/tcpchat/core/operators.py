"""Operators' acts: roles, bans, mutes, deletion, announcements, codes and tokens. One table; every act is a fact.

Who may: owners everything, moderators what is marked so, room operators their room's tokens (tokens.py); a trusted
session (the command line on the server's own machine) is an owner.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tcpchat.core import hashing, presence, tokens
from tcpchat.core import model as m
from tcpchat.core.answers import refuse
from tcpchat.core.bans import banned
from tcpchat.core.claiming import new_role
from tcpchat.core.effects import Effects
from tcpchat.core.errors import CODES
from tcpchat.core.owners import meant, still
from tcpchat.core.rules import ALL, MODERATOR, OWNER, ROLES, good_login, unfit
from tcpchat.core.sessions import OPEN, Session, User
from tcpchat.core.state import LOOKS
from tcpchat.core.text import utf8_length
from tcpchat.core.world import World

SECONDS_MAX = 1e10  # longer than that is for good
LOG_LIMIT = 500  # acts shown by `admin log`
CLOCK_DRIFT = 1.0  # seconds that the time of day may be off from what is shown before it counts as set
CLOCK_PAUSE = 10.0  # seconds between two corrections: a clock that is set again and again writes no more than that
EXPIRY_CHECK = 10.0  # seconds between two looks for what has run out


class Act(NamedTuple):
    """One act: who may do it, which arguments it takes, and what it proposes."""

    roles: tuple[str, ...]
    takes: str
    propose: Callable[[World, Session, m.Admin, User | None, float, Effects], None]
    about: str


def rank(session: Session) -> str:
    """The role that this session acts in."""
    if session.trusted:
        return OWNER
    role = session.user.role if session.user is not None else ""
    if not session.staff:
        return ""
    return role if role == OWNER else MODERATOR


def admin(chat: World, session: Session, command: m.Admin, now: float, out: Effects) -> None:
    """Check who asks, find whom it is about, propose."""
    act = ACTS.get(command.do)
    if act is None:
        refuse(session, command, "bad_command", out, command.do)
        return
    if rank(session) not in act.roles and not _is_own_affair(chat, session, command):
        guest = command.do.startswith("token") and tokens.may_handle(chat, session, command, proved=False)
        refuse(session, command, "guest" if guest else "not_allowed", out, command.do)
        return
    login = command.args.get("login", "")
    user = (chat.state.taken(login) if command.do == "ban" else chat.state.find(login)) if login else None
    if login and user is None and "login" in act.takes.split() and command.do not in ("account", "ban", "unban"):
        refuse(session, command, "no_such_login", out, login)
        return
    if user is not None and user.role == OWNER and rank(session) != OWNER:
        refuse(session, command, "not_allowed", out, login)
        return
    act.propose(chat, session, command, user, now, out)


def _room_delete(chat: World, session: Session, command: m.Admin, user: User | None, now: float, out: Effects) -> None:
    room = chat.state.room(command.args.get("room", ""))
    if room is None or room.number == ALL:
        refuse(session, command, "no_such_room" if room is None else "not_allowed", out, command.args.get("room", ""))
        return
    by = session.user.uid if session.user is not None else 0
    out.append(m.Append(m.RoomEnded(room.number, by, command.args.get("why", ""))))
    _rule(session, command, None, out, room=room.name)


def _is_own_affair(chat: World, session: Session, command: m.Admin) -> bool:
    """Operators of a room delete it and handle its tokens, and everybody may delete the own login."""
    if command.do == "delete" and session.user is not None:
        return session.user.claimed and chat.state.find(command.args.get("login", "")) is session.user
    if command.do == "room_delete" and session.user is not None:
        room = chat.state.room(command.args.get("room", ""))
        return room is not None and room.is_op(session.user.uid)
    return command.do.startswith("token") and tokens.may_handle(chat, session, command)


def _rule(session: Session, command: m.Admin, user: User | None, out: Effects, **args: str) -> None:
    by = session.user.uid if session.user is not None else 0
    given = {key: value for key, value in command.args.items() if key not in ("why", "secret")}
    fact = m.Ruled(by, command.do, user.uid if user else 0, {**given, **args}, command.args.get("why", ""))
    out.append(m.Append(fact, m.Origin(session, command.ref, command)))


def _until(chat: World, command: m.Admin, now: float) -> str:
    """The end of a ban or mute in ms, from its length in seconds; "0" = no end."""
    try:
        seconds = float(command.args.get("seconds", ""))
    except ValueError:
        return "0"
    return str(chat.ms(now + seconds)) if 0 < seconds < SECONDS_MAX else "0"


# -- proposals -------------------------------------------------------------------------------------------------------


def _role(chat: World, session: Session, command: m.Admin, user: User | None, now: float, out: Effects) -> None:
    if user is None or command.args.get("role", "") not in ROLES:
        refuse(session, command, "bad_command", out)
    elif not user.claimed:
        refuse(session, command, "guest", out, user.login)
    elif command.args["role"] != OWNER and _is_last_owner(chat, user):
        refuse(session, command, "not_allowed", out, user.login)
    else:
        _rule(session, command, user, out)


def _is_last_owner(chat: World, user: User) -> bool:
    """A place without an owner could never have one again."""
    return user.role == OWNER and not any(one.role == OWNER for one in chat.state.users.values() if one is not user)


def _ban(chat: World, session: Session, command: m.Admin, user: User | None, now: float, out: Effects) -> None:
    login, address = command.args.get("login", ""), command.args.get("address", "")
    if not login and not address:
        refuse(session, command, "bad_command", out)
    elif user is not None and user.role == OWNER:
        refuse(session, command, "not_allowed", out, login)  # the role has to go first
    else:
        key = f"login:{login}" if login else f"network:{address}"
        _rule(session, command, user, out, key=key, until=_until(chat, command, now))


def _unban(chat: World, session: Session, command: m.Admin, user: User | None, now: float, out: Effects) -> None:
    login, address = command.args.get("login", ""), command.args.get("address", "")
    key = f"login:{login}" if login else f"network:{address}"
    if key not in chat.state.rules.get("ban", {}):
        refuse(session, command, "no_such_login", out, login or address)
        return
    _rule(session, command, user, out, key=key)


def _mute(chat: World, session: Session, command: m.Admin, user: User | None, now: float, out: Effects) -> None:
    until = _until(chat, command, now)
    _rule(session, command, user, out, until=until if until != "0" else "-1")


def _about_user(chat: World, session: Session, command: m.Admin, user: User | None, now: float, out: Effects) -> None:
    if user is None:
        refuse(session, command, "bad_command", out)
    else:
        _rule(session, command, user, out)


def _delete(chat: World, session: Session, command: m.Admin, user: User | None, now: float, out: Effects) -> None:
    if user is None or _is_last_owner(chat, user):
        refuse(session, command, "bad_command" if user is None else "not_allowed", out)
        return
    by = session.user.uid if session.user is not None else 0
    fact = m.Deleted(user.uid, by, command.args.get("erase", "") in ("1", "yes", "true", "on"))
    out.append(m.Append(fact, m.Origin(session, command.ref, command)))


def _announce(chat: World, session: Session, command: m.Admin, user: User | None, now: float, out: Effects) -> None:
    text = command.args.get("text", "")
    if command.args.get("kind", "") not in ("", "wallops"):
        refuse(session, command, "bad_command", out)
    elif not text or utf8_length(text) > chat.limits.max_text:
        refuse(session, command, "too_long" if text else "empty", out)
    else:
        _rule(session, command, None, out)


def _account(chat: World, session: Session, command: m.Admin, user: User | None, now: float, out: Effects) -> None:
    """Make a login, or give one a new password."""
    secret = command.args.get("secret", "")
    login = good_login(command.args.get("login", ""), chat.limits)
    if user is None and (not login or unfit(login, chat.limits, staff=True)):
        refuse(session, command, "bad_name", out)
    elif not secret:
        refuse(session, command, "empty", out)
    else:
        check = m.Check(session, "hash", secret, "", "", command, meant(chat.state, command.args["login"]))
        hashing.ask(chat, check, now, out)


def checked(chat: World, session: Session, check: m.Check, command: m.Admin, answer: str, out: Effects) -> None:
    """The hash of an account's password has been made."""
    login = command.args.get("login", "")
    if rank(session) not in ACTS[command.do].roles:  # the role was taken away meanwhile
        refuse(session, command, "not_allowed", out, command.do)
        return
    if not answer or not still(chat.state, check.meant):  # the name is another's by now
        refuse(session, command, "exists" if answer else "unavailable", out, login)
        return
    user = chat.state.find(login)
    by = session.user.uid if session.user is not None else 0
    fact: m.AnyFact
    if user is not None and user.claimed:
        fact = m.PasswordSet(user.uid, answer, by)
    else:
        role = new_role(chat, session)
        fact = m.Claimed(
            good_login(login, chat.limits), user.uid if user else 0, password=answer, role=role, looks=LOOKS
        )
    out.append(m.Append(fact, m.Origin(session, command.ref, command)))


def _list(chat: World, session: Session, command: m.Admin, user: User | None, now: float, out: Effects) -> None:
    """What is in force: bans, invite codes."""
    table = chat.state.rules.get({"bans": "ban", "invites": "invite"}[command.do], {})
    shown = {key: dict(details) for key, details in table.items()}
    out.append(m.Tell(session, m.Done(command.ref, data={command.do: shown})))


def _users(chat: World, session: Session, command: m.Admin, user: User | None, now: float, out: Effects) -> None:
    rows = [
        {"login": one.login, "role": one.role, "claimed": one.claimed, "online": one.online, "keys": len(one.keys),
         "password": bool(one.password), "muted": one.muted, "seen": one.seen}
        for one in chat.state.users.values()
    ]  # fmt: skip
    out.append(m.Tell(session, m.Done(command.ref, data={"users": rows})))


def _code(chat: World, session: Session, command: m.Admin, user: User | None, now: float, out: Effects) -> None:
    """An invite code: made by who asks (random values come from outside), kept as it is, used once."""
    if len(command.args.get("code", "")) < 8:
        refuse(session, command, "bad_command", out, "code")
    else:
        _rule(session, command, None, out, until=_until(chat, command, now))


def _show_log(chat: World, session: Session, command: m.Admin, user: User | None, now: float, out: Effects) -> None:
    query = m.Query(kind="page", rooms=(0,), limit=LOG_LIMIT, events=True)
    out.append(m.Load(session, query, command))


def logged(chat: World, session: Session, command: m.Admin, result: m.Result, out: Effects) -> None:
    """The acts, oldest first, with the names of now."""
    if rank(session) not in ACTS[command.do].roles:  # the role was taken away meanwhile
        refuse(session, command, "not_allowed", out, command.do)
        return
    rows = []
    for row in result.rows:
        if isinstance(row.fact, m.Ruled | m.Deleted | m.Claimed | m.Renamed):
            rows.append(_told(chat, row))
    out.append(m.Tell(session, m.Done(command.ref, data={"log": rows})))


def _told(chat: World, row: m.Row) -> dict[str, object]:
    def name(uid: int) -> str:
        user = chat.state.users.get(uid)
        return user.login if user else ("the server's machine" if not uid else f"#{uid}")

    fact = row.fact
    if isinstance(fact, m.Ruled):
        args = {key: value for key, value in fact.args.items() if key not in ("hash", "code")}
        who = name(fact.user) if fact.user else ""
        return {
            "seq": row.seq,
            "at": row.at,
            "by": name(fact.by),
            "do": fact.do,
            "login": who,
            "args": args,
            "why": fact.why,
        }
    if isinstance(fact, m.Deleted):
        return {
            "seq": row.seq,
            "at": row.at,
            "by": name(fact.by),
            "do": "delete",
            "login": name(fact.user),
            "args": {},
            "why": "",
        }
    login = fact.login if isinstance(fact, m.Claimed | m.Renamed) else ""
    do = "claim" if isinstance(fact, m.Claimed) else "rename"
    return {"seq": row.seq, "at": row.at, "by": login, "do": do, "login": login, "args": {}, "why": ""}


STAFF = (OWNER, MODERATOR)
ACTS: dict[str, Act] = {
    "role": Act((OWNER,), "login role", _role, "Give a login a role: owner, moderator, member."),
    "ban": Act(STAFF, "login address seconds why", _ban, "Keep out a login, an address or a network."),
    "unban": Act(STAFF, "login address", _unban, "Let in again."),
    "bans": Act(STAFF, "", _list, "List what is banned."),
    "mute": Act(STAFF, "login seconds why", _mute, "A login may read but not write."),
    "unmute": Act(STAFF, "login", _about_user, "It may write again."),
    "kick": Act(STAFF, "login why", _about_user, "Close the connections of a login."),
    "delete": Act((OWNER,), "login erase", _delete, "Delete a login; erase=on erases its messages' text too."),
    "announce": Act(
        STAFF, "text kind", _announce, "Tell everybody who is here; kind=wallops: those who want to hear operators."
    ),
    "account": Act((OWNER,), "login secret", _account, "Make a login with a password, or set a new password."),
    "users": Act(STAFF, "", _users, "List all logins."),
    "invite": Act(STAFF, "code seconds", _code, "Make an invite code for a closed server."),
    "invites": Act(STAFF, "", _list, "List invite codes."),
    "token": Act(
        (OWNER,), "room name secret", tokens.make, "Make a token that posts to a room; its operators may too."
    ),
    "tokens": Act((OWNER,), "room", tokens.list_them, "List tokens; those of a room: its operators may too."),
    "token_revoke": Act((OWNER,), "room token", tokens.revoke, "Revoke a token; its room's operators may too."),
    "room_delete": Act((OWNER,), "room why", _room_delete, "Delete a room; its operators may too."),
    "log": Act(STAFF, "", _show_log, "Show the acts of operators."),
}


# -- applied ---------------------------------------------------------------------------------------------------------


def ruled(chat: World, entry: m.Entry, fact: m.Ruled, out: Effects | None) -> None:
    """An act takes effect."""
    user = chat.state.users.get(fact.user)
    _change(chat, entry, fact, user)
    if out is None:
        return
    if fact.do == "clock":
        chat.offset += int(fact.args["ms"]) / 1000
    if fact.do == "kick" and user is not None:
        hang_up(chat, user, chat.now, f"{CODES['banned'].text} {fact.why}", out)
    if fact.do == "token_revoke":
        for session in [one for one in chat.sessions.values() if one.hook and one.credential == fact.args["hash"]]:
            presence.end(chat, session, chat.now, "revoked", out)
    if fact.do == "ban":
        _enforce_bans(chat, chat.now, out)
    if fact.do == "announce":
        _tell_announcement(chat, entry, fact, out)
    if entry.origin is not None and entry.origin.session.stage == OPEN:
        out.append(m.Tell(entry.origin.session, m.Done(entry.origin.ref, entry.seq)))


def _tell_announcement(chat: World, entry: m.Entry, fact: m.Ruled, out: Effects) -> None:
    actor, text, kind = chat.state.users.get(fact.by), fact.args["text"], fact.args.get("kind", "")
    by = actor.login if actor else chat.limits.server_name
    event: m.Message | m.Announced
    if kind:
        event = m.Announced(entry.seq, entry.at, by, text, kind)
    else:
        event = m.Message(entry.seq, entry.at, by, "#all", text, kind="notice", system=True)
    out.append(m.FanOut(event, chat.everyone))


def _change(chat: World, entry: m.Entry, fact: m.Ruled, user: User | None) -> None:
    rules, args = chat.state.rules, fact.args
    match fact.do:
        case "role" if user is not None and (args["role"] == OWNER or not _is_last_owner(chat, user)):
            user.role = args["role"]
            chat.state.founded = chat.state.founded or user.role == OWNER
        case "mute" if user is not None:
            user.muted = int(args.get("until", "-1"))
        case "unmute" if user is not None:
            user.muted = 0
        case "ban":
            rules.setdefault("ban", {})[args["key"]] = {
                "until": args.get("until", "0"),
                "why": fact.why,
                "by": str(fact.by),
            }
        case "clock":
            _move_ends(chat, int(args["ms"]))
        case "unban":
            rules.get("ban", {}).pop(args["key"], None)
        case "expire":
            rules.get(args["kind"], {}).pop(args["key"], None)
            chat.codes.spending.discard(args["key"])
        case "invite":
            rules.setdefault("invite", {})[args["code"]] = {"until": args.get("until", "0")}
        case "token":
            tokens.made(chat, entry.seq, args)
        case "token_revoke":
            tokens.revoked(chat, args)


def _move_ends(chat: World, ms: int) -> None:
    """The time of day was set: what is to last so and so long still does, so its end moves too."""
    for user in chat.state.users.values():
        if user.muted > 0:
            user.muted = max(user.muted + ms, 1)
    for table in chat.state.rules.values():
        for details in table.values():
            if (until := int(details.get("until", "0"))) > 0:
                details["until"] = str(max(until + ms, 1))


def set_clock(chat: World, wall: float, now: float, out: Effects) -> None:
    """See Chat.set_clock: a fact like any other, so that a replay moves the same ends by the same time."""
    drift = wall - now - chat.offset
    if abs(drift) > CLOCK_DRIFT and now >= chat.due.clock:
        chat.due.clock = now + CLOCK_PAUSE
        out.append(m.Append(m.Ruled(0, "clock", args={"ms": str(int(drift * 1000))})))


def hang_up(chat: World, user: User, now: float, why: str, out: Effects) -> None:
    """End all sessions of a login."""
    for session in list(user.sessions):
        presence.end(chat, session, now, "banned", out, why)


def _enforce_bans(chat: World, now: float, out: Effects) -> None:
    for session in list(chat.sessions.values()):
        user = session.user
        if (
            user is not None
            and session.stage == OPEN
            and not session.trusted
            and (why := banned(chat, session, user.login, now))
        ):
            hang_up(chat, user, now, why, out)


def kick_from_chat(chat: World, session: Session, command: m.Kick, now: float, out: Effects) -> None:
    """Kick without a room: the connections of a login end."""
    target = chat.state.find(command.login)
    if rank(session) not in STAFF:
        refuse(session, command, "not_allowed", out, command.login)
    elif target is None:
        refuse(session, command, "no_such_login", out, command.login)
    elif target.role == OWNER and rank(session) != OWNER:
        refuse(session, command, "not_allowed", out, command.login)
    else:
        by = session.user.uid if session.user is not None else 0
        fact = m.Ruled(by, "kick", target.uid, {}, command.why)
        out.append(m.Append(fact, m.Origin(session, command.ref, command)))


def tick(chat: World, now: float, out: Effects) -> None:
    """Forget bans and invite codes that have run out: a fact like any other, so that every replay forgets them too."""
    if now < chat.due.rules:
        return
    chat.due.rules = now + EXPIRY_CHECK
    for kind, table in chat.state.rules.items():
        for key, details in table.items():
            if 0 < int(details.get("until", "0")) < chat.ms(now):
                out.append(m.Append(m.Ruled(0, "expire", args={"kind": kind, "key": key})))
