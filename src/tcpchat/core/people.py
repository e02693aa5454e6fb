"""People: claiming, keys, passwords, names, preferences, who is here."""

from __future__ import annotations

from msgspec.structs import replace

from tcpchat.core import certificates, hashing, linking, messages, presence
from tcpchat.core import model as m
from tcpchat.core.answers import done, refuse, turn_away
from tcpchat.core.bans import banned
from tcpchat.core.claiming import may_claim, new_role, spend
from tcpchat.core.effects import Effects
from tcpchat.core.errors import CODES
from tcpchat.core.keytext import canonical
from tcpchat.core.meant import NOBODY
from tcpchat.core.owners import came_by, meant, of_password, opens
from tcpchat.core.rules import IRC_PREFERENCE, MEMBER, OWNER, challenge_text, good_login, good_room, unfit
from tcpchat.core.sessions import ARRIVING, CLOSED, NEW, OPEN, PASSWORD, Session, User
from tcpchat.core.stages import step
from tcpchat.core.state import LOOKS, Room
from tcpchat.core.welcome import welcome
from tcpchat.core.world import World

PREFERENCES_MAX = 150  # of one login or room; METADATA of IRC may have 100 of them


def _too_late(entry: m.Entry, code: str, out: Effects | None) -> None:
    """What an entry says was overtaken by another one: whoever waits for it is told."""
    if out is not None and entry.origin is not None and entry.origin.session.stage != CLOSED:
        session = entry.origin.session
        step(session, "overtaken")
        out.append(m.Tell(session, m.Refused(code, CODES[code].text, entry.origin.ref)))


# -- claiming --------------------------------------------------------------------------------------------------------


def claimed(chat: World, entry: m.Entry, fact: m.Claimed, out: Effects | None) -> None:
    """A login has an owner; of two claims the first in the log counts."""
    state, session = chat.state, entry.origin.session if entry.origin is not None else None
    user = state.taken(fact.login, fact.looks)
    if user is not None and (user.claimed or user.uid != fact.user):
        if out is not None and session is not None:
            if session.stage == ARRIVING:
                step(session, "refused")
                turn_away(session, "claimed", out)
            else:
                refuse(session, m.Key("claim", ref=entry.origin.ref if entry.origin else 0), "claimed", out, fact.login)
        return
    if user is None:
        user = state.add_user(fact.login, entry.seq, fact.device)
        user.delivered = entry.seq
    _claim(chat, user, fact)
    if out is None or session is None:
        return
    if session.stage == ARRIVING:
        welcome(chat, session, user, chat.now, out)
    elif session.stage == NEW and entry.origin is not None:
        session.account = user
        out.append(m.Tell(session, m.Done(entry.origin.ref, entry.seq, {"login": user.login})))
    else:
        done(entry, out, login=user.login)
        if user.sessions:
            presence.announce(chat, user, m.Presence(user.login, "account", account=user.login), out)


def _claim(chat: World, user: User, fact: m.Claimed) -> None:
    # A login without a key or password only posts by tokens: nobody can act as its owner.
    first = not chat.state.founded and (fact.key or fact.password) and fact.role != MEMBER
    user.role = user.role or (OWNER if first else MEMBER)
    chat.state.founded = chat.state.founded or user.role == OWNER
    user.claimed = True
    for number in user.rooms:
        chat.state.rooms[number].lasting = True
    user.name = fact.name or user.name
    user.password = fact.password or user.password
    if fact.key:
        user.own("keys")[canonical(fact.key)] = fact.label
    chat.guests.pop(user.uid, None)


def key(chat: World, session: Session, command: m.Key, now: float, out: Effects) -> None:
    """List, add, revoke keys; claim the own guest login with one."""
    user = session.user
    assert user is not None
    command = replace(command, key=canonical(command.key))
    if command.do == "list":
        out.append(m.Tell(session, m.Done(command.ref, data={"keys": dict(user.keys)})))
    elif command.do == "link":
        linking.show(chat, session, command, now, out)
    elif command.do in ("add", "claim"):
        if command.do == "add" and not user.claimed:
            refuse(session, command, "guest", out)
        elif len(user.keys) >= chat.limits.keys_per_login:
            refuse(session, command, "too_many", out)
        elif command.do == "claim" and user.claimed:
            refuse(session, command, "exists", out)
        elif command.do == "claim" and not may_claim(chat, session):
            refuse(session, command, "closed", out)
        elif command.do == "add" and certificates.is_certificate(command.key):
            _add_certificate(session, user, command, out)
        else:
            text = challenge_text(session.nonce, user.login, session.binding)
            out.append(m.Check(session, "key", command.signature, command.key, text, command))
    elif command.do == "revoke" and command.key in user.keys and len(user.keys) == 1 and not user.password:
        text = "This is the only key of the login: link another device or set a password first."
        refuse(session, command, "not_allowed", out, text=text)  # nobody could ever prove this login again
    elif command.do == "revoke" and command.key in user.keys:
        out.append(m.Append(m.KeyRevoked(user.uid, command.key), m.Origin(session, command.ref)))
    else:
        refuse(session, command, "bad_command", out)


def _add_certificate(session: Session, user: User, command: m.Key, out: Effects) -> None:
    """By its fingerprint: only who holds the certificate's key can show it."""
    key = certificates.key_of(command.key)
    if not key:
        refuse(session, command, "bad_command", out, command.key)
    else:
        fact = m.KeyAdded(user.uid, key, command.label, by=came_by(session, user))
        out.append(m.Append(fact, m.Origin(session, command.ref, command)))


def key_checked(chat: World, session: Session, command: m.Key, answer: str, out: Effects) -> None:
    """The owner of the session has shown that the key is theirs."""
    user = session.user
    if not answer or user is None:
        refuse(session, command, "wrong_proof", out)
    elif command.do == "claim" and not may_claim(chat, session):
        refuse(session, command, "closed", out)  # the invite code was used meanwhile
    elif command.do == "claim":
        role = new_role(chat, session)
        fact = m.Claimed(
            user.login, user.uid, command.key, label=command.label, device=session.device_id, role=role, looks=LOOKS
        )
        session.credential = command.key
        out.append(m.Append(fact, m.Origin(session, command.ref)))
        spend(chat, session, out)
    else:
        fact_added = m.KeyAdded(user.uid, command.key, command.label, by=came_by(session, user))
        out.append(m.Append(fact_added, m.Origin(session, command.ref, command)))


def key_added(chat: World, entry: m.Entry, fact: m.KeyAdded, out: Effects | None) -> None:
    user = chat.state.users.get(fact.user)
    if user is None:
        return
    if not opens(user, fact.by):  # its adder was locked out while it was on its way to the log
        _too_late(entry, "wrong_proof", out)
        return
    user.own("keys")[canonical(fact.key)] = fact.label
    if out is None:
        return
    if entry.origin is not None and entry.origin.session.stage == ARRIVING:  # a device that was linked to the login
        welcome(chat, entry.origin.session, user, chat.now, out)
    else:
        done(entry, out)


def key_revoked(chat: World, entry: m.Entry, fact: m.KeyRevoked, out: Effects | None) -> None:
    user = chat.state.users.get(fact.user)
    if user is not None:
        key = canonical(fact.key)
        user.own("keys").pop(key, None)
        if out is not None:
            done(entry, out)
            presence.lock_out(chat, user, key, chat.now, out)


def set_password(chat: World, session: Session, command: m.Password, now: float, out: Effects) -> None:
    """A new password for the own login (the old one is needed where there is one), or for a guest: a claim."""
    user = session.user
    then = meant(chat.state, user.login) if user is not None else NOBODY
    if user is None and command.account and session.traits.registers_first and session.stage == NEW:
        _register_early(chat, session, command, now, out)
    elif user is None or session.stage != OPEN:
        refuse(session, command, "hello_first", out)
    elif user.claimed and user.password and command.password:
        check = m.Check(session, "password", command.password, user.password, "", command, then)
        hashing.ask(chat, check, now, out, user.login)
    elif user.claimed and user.password:
        refuse(session, command, "wrong_password", out)
    elif not user.claimed and not may_claim(chat, session):
        refuse(session, command, "closed", out)
    else:
        hashing.ask(chat, m.Check(session, "hash", command.new, user.password, "", command, then), now, out)


def _register_early(chat: World, session: Session, command: m.Password, now: float, out: Effects) -> None:
    """IRC's REGISTER before the hello: a login that nobody has and nobody is using."""
    login = good_login(command.account, chat.limits)
    if not login:
        refuse(session, command, "bad_name", out, command.account)
    elif _somebodys(chat, login):
        refuse(session, command, "exists", out, login)
    elif why := unfit(login, chat.limits):
        out.append(m.Tell(session, m.Refused("bad_name", why, command.ref, about=(command.account,))))
    elif not may_claim(chat, session):
        refuse(session, command, "closed", out)
    else:
        check = m.Check(session, "hash", command.new, "", "", command, meant(chat.state, login))
        hashing.ask(chat, check, now, out)


def _somebodys(chat: World, login: str) -> bool:
    """Does a login, or one that looks the same, belong to somebody, or is somebody here by it?"""
    other = chat.state.find(login) or chat.state.lookalike(login)
    return other is not None and (other.claimed or bool(other.sessions))


def password_checked(chat: World, session: Session, check: m.Check, answer: str, now: float, out: Effects) -> None:
    """The old password fits (then the new one is hashed), or the hash of the new one is made."""
    command, user = check.command, session.user
    assert isinstance(command, m.Password)
    if not (user and user.claimed) and not may_claim(chat, session):
        refuse(session, command, "closed", out)  # the invite code was used meanwhile
    elif user is None and answer and check.what != "password" and session.stage == NEW:
        login = good_login(command.account, chat.limits)
        if _somebodys(chat, login):
            refuse(session, command, "exists", out, login)  # somebody has come while the hash was made
            return
        if wait := chat.newcomers.wait(session, chat.limits, now):
            out.append(m.Tell(session, m.Refused("too_fast", CODES["too_fast"].text, command.ref, after=wait)))
            return
        presence.vacate(chat, login, out)
        session.credential = PASSWORD
        made = m.Claimed(login, password=answer, role=new_role(chat, session), looks=LOOKS)
        out.append(m.Append(made, m.Origin(session, command.ref, command)))
        spend(chat, session, out)
    elif user is None or not answer or check.against != user.password:  # another one was set meanwhile
        refuse(session, command, "wrong_password", out)
    elif check.what == "password":
        again = m.Check(session, "hash", command.new, user.password, "", command, check.meant)
        hashing.ask(chat, again, now, out)
    elif user.claimed:
        fact_set = m.PasswordSet(user.uid, answer, user.uid, was=of_password(user))
        out.append(m.Append(fact_set, m.Origin(session, command.ref, command)))
    else:
        role = new_role(chat, session)
        fact = m.Claimed(user.login, user.uid, password=answer, device=session.device_id, role=role, looks=LOOKS)
        session.credential = PASSWORD
        out.append(m.Append(fact, m.Origin(session, command.ref)))
        spend(chat, session, out)


def password_set(chat: World, entry: m.Entry, fact: m.PasswordSet, out: Effects | None) -> None:
    user = chat.state.users.get(fact.user)
    if user is not None and fact.was and fact.was != of_password(user):
        _too_late(entry, "wrong_password", out)
    elif user is not None:
        user.password = fact.password
        if out is not None and not fact.same:
            done(entry, out)
            mine = entry.origin.session if entry.origin is not None else None  # who sets it knows the new one
            presence.lock_out(chat, user, PASSWORD, chat.now, out, mine)


# -- names -----------------------------------------------------------------------------------------------------------


def rename(chat: World, session: Session, command: m.Rename, now: float, out: Effects) -> None:
    """Another login for oneself, or another name for a room."""
    if command.room:
        _rename_room(chat, session, command, out)
        return
    user = session.user
    assert user is not None
    login = good_login(command.to, chat.limits)
    if not login or session.hook:
        refuse(session, command, "bad_name", out, command.to)
        return
    if banned(chat, session, login, now):
        refuse(session, command, "banned", out, login)
        return
    other = chat.state.find(login) or chat.state.lookalike(login)
    if other is not None and other is not user and (other.claimed or other.sessions):
        refuse(session, command, "claimed" if other.claimed else "in_use", out, login)
        return
    if chat.state.find(login) is not user and (why := unfit(login, chat.limits)):
        out.append(m.Tell(session, m.Refused("bad_name", why, command.ref, about=(command.to,))))
        return
    if other is not None and other is not user:
        presence.forget(other, out)
    if login == user.login:
        out.append(m.Tell(session, m.Done(command.ref)))
        return
    out.append(m.Append(m.Renamed(user.uid, login, looks=LOOKS), m.Origin(session, command.ref)))


def _rename_room(chat: World, session: Session, command: m.Rename, out: Effects) -> None:
    user, room, name = session.user, chat.known_room(session, command.room), good_room(command.to, chat.limits)
    assert user is not None
    if room is None:
        refuse(session, command, "no_such_room", out, command.room)
    elif not name:
        refuse(session, command, "bad_name", out, room.name, command.to)
    elif not (room.is_op(user.uid) or session.staff) or room.number == 1:
        refuse(session, command, "not_allowed", out, room.name, name)
    elif chat.state.room_taken(name) not in (None, room):
        refuse(session, command, "exists", out, room.name, name)
    else:
        fact = m.RoomRenamed(room.number, user.uid, name, command.why, looks=LOOKS)
        out.append(m.Append(fact, m.Origin(session, command.ref, command)))


def renamed(chat: World, entry: m.Entry, fact: m.Renamed, out: Effects | None) -> None:
    """The user goes by another login; whoever else got it meanwhile keeps it."""
    user, other = chat.state.users.get(fact.user), chat.state.taken(fact.login, fact.looks)
    if user is None:
        return
    session = entry.origin.session if entry.origin is not None else None
    if other is not None and other is not user:
        if out is not None and session is not None:
            refuse(
                session, m.Rename(fact.login, ref=entry.origin.ref if entry.origin else 0), "in_use", out, fact.login
            )
        return
    old = user.login
    chat.state.rename_user(user, fact.login)
    if out is not None:
        presence.announce(chat, user, m.Presence(old, "renamed", text=user.login, account=user.account), out)
        done(entry, out, login=user.login)


def deleted(chat: World, entry: m.Entry, fact: m.Deleted, out: Effects | None) -> None:
    """A login is gone; the log erases its texts if that was asked for."""
    user = chat.state.users.get(fact.user)
    if user is None:
        return
    if out is not None:
        chat.links.pop(user.uid, None)
        for session in list(chat.sessions.values()):
            if session.stage != CLOSED and user in (session.user, session.account):
                presence.end(chat, session, chat.now, "deleted", out)
    if fact.erase:
        messages.erase_recent(chat, user)
    presence.drop(chat, user, entry.at, out)
    if out is not None:
        done(entry, out)


# -- preferences, away -----------------------------------------------------------------------------------------------


def prefer(chat: World, session: Session, command: m.Set, now: float, out: Effects) -> None:
    """A lasting preference of the login, or of a room by its operators."""
    user = session.user
    assert user is not None
    if command.key == "name" and not (command.room or command.login):
        command = replace(command, value=command.value[: chat.limits.max_name])
    if not command.key:
        refuse(session, command, "bad_command", out, command.key)
        return
    number, prefs = 0, user.prefs
    if command.login:
        other = chat.state.find(command.login)
        if other is None or not (session.staff and command.key.startswith(IRC_PREFERENCE)):
            refuse(session, command, "not_allowed" if other else "no_such_login", out, command.login, command.key)
            return
        user, prefs = other, other.prefs
    elif command.room:
        room = chat.known_room(session, command.room)
        if room is None or not (room.is_op(user.uid) or session.staff):
            refuse(session, command, "not_allowed" if room else "no_such_room", out, command.room, command.key)
            return
        number, prefs = room.number, room.prefs
    if command.key not in prefs and len(prefs) >= PREFERENCES_MAX:
        refuse(session, command, "too_many", out, command.key)
        return
    fact = m.Preferred(user.uid, command.key, command.value, number)
    out.append(m.Append(fact, m.Origin(session, command.ref)))


def preferred(chat: World, entry: m.Entry, fact: m.Preferred, out: Effects | None) -> None:
    user = chat.state.users.get(fact.user)
    room = chat.state.rooms.get(fact.room) if fact.room else None
    prefs = room.prefs if room is not None else user.own("prefs") if user is not None else None
    if prefs is None:
        return
    if fact.value:
        prefs[fact.key] = fact.value
    else:
        prefs.pop(fact.key, None)
    named = user is not None and not fact.room and fact.key == "name"
    if user is not None and named:
        user.name = fact.value
    if out is None:
        return
    if user is not None and named:
        event = m.Presence(user.login, "name", text=fact.value, account=user.account, name=fact.value)
        presence.announce(chat, user, event, out)
    if fact.key.startswith(IRC_PREFERENCE):
        _tell_preference(chat, entry, fact, user, room, out)
    done(entry, out, key=fact.key, value=fact.value)


def _tell_preference(
    chat: World, entry: m.Entry, fact: m.Preferred, user: User | None, room: Room | None, out: Effects
) -> None:
    """What everybody may read, they are told when it changes: of a room those who are in it."""
    by = entry.origin.session if entry.origin is not None else None
    if room is not None:
        out.append(m.FanOut(m.Preference(room.name, fact.key, fact.value), room.audience, by))
    elif user is not None:
        presence.announce(chat, user, m.Preference("@" + user.login, fact.key, fact.value), out, by)


def away(chat: World, session: Session, command: m.Away, now: float, out: Effects) -> None:
    """Away holds for the session; the login is away when all its sessions are."""
    user = session.user
    assert user is not None
    why = command.why
    before = away_text(user)
    session.away = why
    chat.reshow(user)
    after = away_text(user)
    out.append(m.Tell(session, m.Done(command.ref, data={"away": why})))
    if before != after:
        event = m.Presence(user.login, "away" if after else "back", text=after, account=user.account)
        presence.announce(chat, user, event, out)


def away_text(user: User) -> str:
    """Why the login is away; "" while one of its sessions is here."""
    texts = [session.away for session in user.sessions if not session.quiet]
    return texts[-1] if texts and all(texts) else ""
