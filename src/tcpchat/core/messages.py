"""Saying, editing and deleting: the hot path, and its exactly-once numbering."""

from __future__ import annotations

import msgspec

from tcpchat.core import counting
from tcpchat.core import model as m
from tcpchat.core.answers import refuse
from tcpchat.core.bounds import FORMAT_COST, message_size
from tcpchat.core.devices import too_many
from tcpchat.core.effects import Effects
from tcpchat.core.errors import CODES
from tcpchat.core.rules import ALL, WINDOW, Limits, dm_room, dm_users, mask_matches, muting_mask, wait_of
from tcpchat.core.sessions import OPEN, Audience, Session, User
from tcpchat.core.state import MENTIONS_MAX, Room
from tcpchat.core.tags import RANKS, good_cuts
from tcpchat.core.text import fold
from tcpchat.core.world import World

KINDS = {"text", "action", "notice", "tag"}
SILENCING = frozenset({"moderated", "registered_speak"})  # switches of a room that silence some who are in it
HEAVY = 1 + FORMAT_COST  # times its bytes that a text can count for, see message_size
MENTIONED_MAX = 64  # words with "@" of one message that are looked up


def say(chat: World, session: Session, command: m.Say, now: float, out: Effects) -> None:
    """Propose a message, or answer a repeat, or refuse."""
    user, device, n = session.user, session.device, command.n
    assert user is not None
    assert device is not None
    if n:
        if n <= device.proposed:
            if counting.odd(chat, session, command, now, out):
                _repeat(session, command, out)
            return
        if n != device.proposed + 1:
            if not counting.odd(chat, session, command, now, out):
                return
            expected = device.proposed + 1
            out.append(m.Tell(session, m.Refused("gap", CODES["gap"].text, command.ref, n, 0.0, expected)))
            return
        if n > device.last + WINDOW:
            if not counting.odd(chat, session, command, now, out):
                return
            refuse(session, command, "too_many_pending", out, command.to)
            return
    if chat.limits.messages_per_second and (wait := _too_fast(chat.limits, user, len(command.text), now)):
        if counting.odd(chat, session, command, now, out):
            refuse(session, command, "too_fast", out, command.to, after=wait)
        return
    size = len(command.text) if command.text.isascii() else 2 * len(command.text)
    user.room_left -= size + counting.ENTRY_BYTES
    if user.room_left < 0 and (wait := _too_much(chat, session, user, size, now)):
        if counting.odd(chat, session, command, now, out):
            refused = m.Refused("too_fast", counting.QUOTA, command.ref, n, wait, about=(command.to,))
            out.append(m.Tell(session, refused))
        return
    if n == 1 and too_many(user.devices, user.numbered, user.claimed, chat.ms(now), chat.limits):
        code = "too_many_devices"
    else:
        code = _target(chat, session, user, command, out, now)
    if code:
        refuse(session, command, code, out, command.to)
    elif n:
        device.proposed = n


def _repeat(session: Session, command: m.Say, out: Effects) -> None:
    """A number again: its first answer again. What is still on its way to the log is answered when it is there."""
    device = session.device
    assert device is not None
    if command.n < 0:
        refuse(session, command, "bad_command", out, command.to)
        return
    device.session = session
    if command.n <= device.last:
        out.append(m.Tell(session, m.Accepted(command.n, device.place(command.n), 0, command.ref)))


def _target(chat: World, session: Session, user: User, command: m.Say, out: Effects, now: float) -> str:
    """Append the proposal and return "", or the code of a refusal."""
    limits, text, kind = chat.limits, command.text, command.kind
    if not text and kind != "tag":
        return "empty"
    try:
        size = len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError:
        return "bad_text"
    if size > limits.max_text or (size * HEAVY > limits.max_text and message_size(text) > limits.max_text):
        return "too_long"
    if command.re and not 0 < command.re <= chat.state.seq:
        return "no_such_message"
    if kind not in KINDS:
        return "bad_command"
    if (command.cuts and not good_cuts(command.cuts, len(text))) or (command.rank and not _ranked(command)):
        return "bad_command"
    if user.muted and silenced(chat, user, now):
        return "muted"
    to = command.to
    if to[:1] == "@":
        return _direct(chat, session, user, command, to[1:], out)
    room = chat.state.room(to)
    if room is None:
        return "no_such_room"
    if code := may_speak(chat, session, user, room):
        return code if chat.known_room(session, to) is room else "no_such_room"
    if "no_ctcp" in room.modes and text.startswith("\x01") and kind != "action":
        return "not_allowed"
    _append(session, user, command, room.number, room.name, 0, out)
    return ""


def _ranked(command: m.Say) -> bool:
    """Only in a room can there be some of a rank."""
    return command.rank in RANKS and command.to[:1] != "@"


def silenced(chat: World, user: User, now: float) -> bool:
    """Has an operator muted this login, and is it not over yet?"""
    return user.muted < 0 or user.muted > chat.ms(now)


def _direct(chat: World, session: Session, user: User, command: m.Say, login: str, out: Effects) -> str:
    peer = chat.state.find(login)
    if peer is None:
        return "no_such_login"
    if session.hook:
        return "not_allowed"
    _append(session, user, command, dm_room(user.uid, peer.uid), "@" + peer.login, peer.uid, out)
    return ""


def _append(session: Session, user: User, command: m.Say, room: int, to: str, peer: int, out: Effects) -> None:
    account = user.login if user.claimed else session.account.login if session.account else ""
    fact = m.Said(
        room, user.uid, user.login, command.text, to, session.device_id if command.n else "", command.n, peer,
        command.re, command.kind, command.tags, account, command.rank, command.cuts,
        command.bot or session.bot,
    )  # fmt: skip
    out.append(m.Append(fact, m.Origin(session, command.ref)))


def may_speak(chat: World, session: Session, user: User, room: Room) -> str:
    """ "" or the code why this user may not speak in this room."""
    if session.hook:
        return "" if session.hook == room.number else "not_allowed"
    if room.number == ALL and not room.modes and not room.lists:
        return ""
    if "members_only" in room.modes and not chat.state.is_member(user, room):
        return "not_member"
    if not room.lists and room.modes.keys().isdisjoint(SILENCING):
        return ""
    if room.has_voice(user.uid):
        return ""
    if "moderated" in room.modes and not session.staff:
        return "muted"
    if "registered_speak" in room.modes and not user.account:
        return "muted"
    return "muted" if _muted_here(room, user) else ""


def _muted_here(room: Room, user: User) -> bool:
    """A ban of the room silences who is already in, and mute masks do only that."""
    if not room.lists:
        return False

    def hit(name: str) -> bool:
        masks = (muting_mask(change.arg) or change.arg for change in room.lists.get(name, ()))
        return any(mask_matches(mask, user.login, user.account, user.host) for mask in masks)

    return hit("ban") and not hit("except")


def _too_fast(limits: Limits, user: User, size: int, now: float) -> float:
    """Token buckets of one login; seconds to wait, or 0 after taking the tokens."""
    rate, passed = limits.messages_per_second, now - user.tokens_at
    tokens = limits.message_burst if user.tokens < 0 else min(limits.message_burst, user.tokens + passed * rate)
    user.tokens, user.tokens_at = tokens, now
    if tokens < 1:
        return wait_of(1 - tokens, rate)
    if limits.bytes_per_second:
        full = limits.byte_burst
        bytes_left = full if user.byte_tokens < 0 else min(full, user.byte_tokens + passed * limits.bytes_per_second)
        user.byte_tokens = bytes_left
        if bytes_left < size:
            return wait_of(size - bytes_left, limits.bytes_per_second)
        user.byte_tokens = bytes_left - size
    user.tokens = tokens - 1
    return 0.0


def _too_much(chat: World, session: Session, user: User, size: int, now: float) -> float:
    """Seconds to wait until the login's (or its address's) share of the disk has room for this, or 0."""
    if session.trusted or not chat.limits.messages_per_second:
        user.room_left += counting.GROWTH_BLOCK
        return 0.0
    return counting.overdrawn(chat, session, user, size, now)


def withdraw(chat: World, fact: m.Said, origin: m.Origin | None, out: Effects) -> None:
    """The log did not take it: its number is free again."""
    user = chat.state.users.get(fact.user)
    device = user.devices.get(fact.device) if user and fact.n else None
    if device is not None and device.proposed >= fact.n:
        device.proposed = device.last
    session = (
        device.session if device is not None and device.session is not None else origin.session if origin else None
    )
    if session is not None and session.stage == OPEN:
        text = CODES["unavailable"].text
        out.append(m.Tell(session, m.Refused("unavailable", text, origin.ref if origin else 0, fact.n, 1.0)))


# -- applied ---------------------------------------------------------------------------------------------------------


def said(chat: World, entry: m.Entry, fact: m.Said, out: Effects | None) -> None:
    """A message is in the log: count it, answer its author, let it be heard."""
    state, seq, number, n = chat.state, entry.seq, fact.room, fact.n
    user = state.users.get(fact.user)
    if user is None:
        return  # deleted while it was on its way: it stays in the log, nobody hears it
    session: Session | None = entry.origin.session if entry.origin is not None else None
    if n:
        device = user.devices.get(fact.device)
        if device is None or not device.last:
            device = state.numbering(user, fact.device, entry.at, chat.limits)
            if session is not None and session.device_id == fact.device:
                session.device, device.session = device, session
        if n <= device.last:
            return  # proposed twice (on two nodes): the first one counts
        device.note(n, seq, entry.at)
        session = device.session or session
    if number < 0:
        to, audience = _said_directly(chat, user, number, seq, session, out)
    else:
        room = state.rooms.get(number)
        if room is None:
            return
        to, audience = room.name, room.audience
        _read_own(user, number, room.head, seq)
        room.head = seq
        if "@" in fact.text:
            _note_mentions(chat, room, user, fact, seq)
    if out is None:
        return
    if session is not None and session.stage == OPEN:
        out.append(m.Tell(session, m.Accepted(n, seq, entry.at, entry.origin.ref if entry.origin else 0)))
    if audience is not None and audience.size:
        event = m.Message(
            seq, entry.at, user.login, to, fact.text, fact.re, fact.kind, fact.tags, fact.account, 0, False, "",
            fact.rank, fact.cuts, False, fact.bot,
        )  # fmt: skip
        if fact.rank:
            _fan_out(chat, fact, event, audience, session, out)
        else:
            out.append(m.FanOut(event, audience, session))
    if number > 0 and fact.kind != "tag":
        state.rooms[number].await_receipts(user.uid, seq)
    elif not audience:
        failed = m.Receipt(fact.to, seq, "failed", fact.to.removeprefix("@"), at=entry.at)  # gone meanwhile
        chat.tell_user(user, failed, out)


def _fan_out(
    chat: World,
    fact: m.Said | m.Edited | m.Removed,
    event: m.Message | m.Amended,
    audience: Audience,
    but: Session | None,
    out: Effects,
) -> None:
    """Tell all of an audience, or those of it who may hear this."""
    if fact.rank:
        hearers = [one for one in audience if one is not but and one.live and may_hear(chat, one.user, fact)]
        out += [m.Tell(one, event) for one in hearers]
    else:
        out.append(m.FanOut(event, audience, but))


def may_hear(chat: World, user: User | None, fact: m.AnyFact) -> bool:
    """False for a message to the operators (or the voiced) of a room, and its changes, and somebody who is none and
    did not write it."""
    if not isinstance(fact, m.Said | m.Edited | m.Removed) or not fact.rank or user is None:
        return True
    room = chat.state.rooms.get(fact.room)
    if room is None or fact.user == user.uid:
        return True
    return room.has_voice(user.uid) if fact.rank == "voice" else room.is_op(user.uid)


def _said_directly(
    chat: World, user: User, number: int, seq: int, session: Session | None, out: Effects | None
) -> tuple[str, Audience | None]:
    """Bookkeeping of a direct message; whom it is shown as going to, and who hears it."""
    a, b = dm_users(number)
    peer = chat.state.users.get(b if a == user.uid else a)
    if peer is None:
        return "", None
    heads = chat.state.heads
    if number not in user.directs:
        user.own("directs")[number] = peer.uid
        peer.own("directs")[number] = user.uid
    _read_own(user, number, heads.get(number, 0), seq)
    heads[number] = seq
    if peer is not user:
        if seq > peer.delivered:
            peer.await_receipt(number, seq)
    elif out is not None:
        # A note to oneself: the device that wrote it has it.
        chat.tell_user(user, m.Receipt("@" + user.login, seq, "delivered", user.login), out)
    return "@" + peer.login, chat.audience(number)


def _read_own(user: User, number: int, head: int, seq: int) -> None:
    """Who had read everything has read the own words too. At a start the kept cursor may be ahead of what is replayed:
    it does not go back."""
    if head <= user.reads.get(number, 0) < seq:
        user.own("reads")[number] = seq


def _note_mentions(chat: World, room: Room, author: User, fact: m.Said, seq: int) -> None:
    """Remember unread ``@name`` mentions for those they name."""
    for part in fact.text.split("@", MENTIONED_MAX + 1)[1 : MENTIONED_MAX + 1]:
        word = part.split(None, 1)[0].rstrip(".,:;!?)") if part and not part[0].isspace() else ""
        user = chat.state.by_fold.get(fold(word)) if word else None
        if user is not None and user is not author and chat.state.is_member(user, room) and may_hear(chat, user, fact):
            if user.reads.get(room.number, 0) >= seq:
                continue  # at a start: it was read before
            seqs = user.own("mentions").setdefault(room.number, [])
            if len(seqs) < MENTIONS_MAX:
                seqs.append(seq)


def _forget_mentions(chat: World, fact: m.Removed) -> None:
    """What was taken back mentions nobody."""
    number, room = fact.room, chat.state.rooms.get(fact.room)
    for user in chat.state.members(room) if room is not None else ():
        if fact.seq in user.mentions.get(number, ()):
            user.own("mentions")[number] = [seq for seq in user.mentions[number] if seq != fact.seq]


def edit(chat: World, session: Session, command: m.Edit, now: float, out: Effects) -> None:
    """Ask the log whose message it is; the answer decides (see amend)."""
    if not command.text:
        refuse(session, command, "empty", out)
    elif message_size(command.text) > chat.limits.max_text:
        refuse(session, command, "too_long", out)
    elif session.user is not None and silenced(chat, session.user, now):
        refuse(session, command, "muted", out)
    else:
        remove(chat, session, command, now, out)


def remove(chat: World, session: Session, command: m.Edit | m.Remove, now: float, out: Effects) -> None:
    """As edit."""
    if not 0 < command.seq <= chat.state.seq:
        refuse(session, command, "no_such_message", out)
        return
    out.append(m.Load(session, m.Query(kind="entry", seq=command.seq), command))


def may_see(chat: World, user: User, number: int) -> bool:
    """Is this conversation one of the user's?"""
    if number < 0:
        return user.uid in dm_users(number)
    room = chat.state.rooms.get(number)
    return room is not None and chat.state.is_member(user, room)


def amend(chat: World, session: Session, command: m.Edit | m.Remove, row: m.Row | None, out: Effects) -> None:
    """The log has shown the message: propose its change, if it is there and one's own (or one moderates)."""
    user = session.user
    assert user is not None
    fact = row.fact if row is not None else None
    if row is None or not isinstance(fact, m.Said) or row.removed:
        return refuse(session, command, "no_such_message", out)
    if not may_see(chat, user, fact.room) and not (session.oper and fact.room > 0):
        return refuse(session, command, "no_such_message", out)
    if isinstance(command, m.Remove) and command.to and not _is_there(chat, user, command.to, fact.room):
        return refuse(session, command, "no_such_message", out)
    room = chat.state.rooms.get(fact.room)
    moderates = room is not None and (room.is_op(user.uid) or session.staff)
    if fact.user != user.uid and not (moderates and isinstance(command, m.Remove)):
        return refuse(session, command, "not_allowed", out)
    if room is not None and isinstance(command, m.Edit) and (code := may_speak(chat, session, user, room)):
        return refuse(session, command, code, out)
    change: m.Edited | m.Removed
    if isinstance(command, m.Edit):
        change = m.Edited(fact.room, user.uid, command.seq, command.text, fact.rank)
    else:
        change = m.Removed(fact.room, user.uid, command.seq, command.why, fact.rank)
    out.append(m.Append(change, m.Origin(session, command.ref, command, fact)))
    return None


def _is_there(chat: World, user: User, to: str, number: int) -> bool:
    """Is this the number of the conversation that the user means?"""
    if to.startswith("#"):
        room = chat.state.room(to)
        return room is not None and room.number == number
    peer = chat.state.find(to.removeprefix("@"))
    return peer is not None and dm_room(user.uid, peer.uid) == number


def edited(chat: World, entry: m.Entry, fact: m.Edited, out: Effects | None) -> None:
    _amended(chat, entry, fact, fact.text, False, "", out)


def removed(chat: World, entry: m.Entry, fact: m.Removed, out: Effects | None) -> None:
    _forget_mentions(chat, fact)
    _amended(chat, entry, fact, "", True, fact.why, out)


def _amended(
    chat: World, entry: m.Entry, fact: m.Edited | m.Removed, text: str, gone: bool, why: str, out: Effects | None
) -> None:
    _amend_recent(chat, entry.at, fact.seq, text, gone)
    if fact.room < 0:
        chat.state.amended[fact.room] = entry.seq
    if out is None:
        return
    event = amended_event(chat, entry.seq, entry.at, fact)
    audience = chat.audience(fact.room)
    if event is not None and audience is not None:
        _fan_out(chat, fact, event, audience, None, out)
    if entry.origin is not None:
        session = entry.origin.session
        if event is not None and session.live and (audience is None or session not in audience):
            out.append(m.Tell(session, event))  # an operator of the server, who is not in the room
        out.append(m.Tell(session, m.Done(entry.origin.ref, entry.seq)))


def _amend_recent(chat: World, at: int, seq: int, text: str, gone: bool) -> None:
    """Who catches up from the newest entries at hand gets the text of now, as from the log."""
    recent = chat.recent
    place = seq - recent[0].seq if recent else -1
    if 0 <= place < len(recent) and type(said := recent[place].fact) is m.Said:
        tags = None if gone else said.tags
        fact = msgspec.structs.replace(said, text=text, tags=tags)
        recent[place] = m.Row(seq, recent[place].at, fact, 0 if gone else at, gone)


def erase_recent(chat: World, user: User) -> None:
    """As the log does: the text of everything this user said is gone."""
    for place, entry in enumerate(chat.recent):
        if type(said := entry.fact) is m.Said and said.user == user.uid:
            fact = msgspec.structs.replace(said, text="", tags=None, cuts=())
            chat.recent[place] = m.Row(entry.seq, entry.at, fact, 0, True)


def conversation(chat: World, number: int, author: int) -> str:
    """How a conversation is written: "#room", or "@" and the one the author talks to."""
    if number > 0:
        room = chat.state.rooms.get(number)
        return room.name if room else ""
    a, b = dm_users(number)
    peer = chat.state.users.get(b if a == author else a)
    return "@" + peer.login if peer else ""


def amended_event(chat: World, seq: int, at: int, fact: m.Edited | m.Removed) -> m.Amended | None:
    """The event of an edit or deletion, live or replayed."""
    user = chat.state.users.get(fact.user)
    to = conversation(chat, fact.room, fact.user)
    if not to:
        return None
    by = user.login if user else ""
    if isinstance(fact, m.Edited):
        return m.Amended(seq, at, by, to, fact.seq, fact.text)
    return m.Amended(seq, at, by, to, fact.seq, "", True, fact.why)


def typing(chat: World, session: Session, command: m.Typing, now: float, out: Effects) -> None:
    """Pass the notice on to who is there; it is never stored."""
    user = session.user
    assert user is not None
    if command.to.startswith("@"):
        peer = chat.state.find(command.to[1:])
        if peer is not None and peer is not user:
            notice = m.TypingNotice(user.login, "@" + peer.login, command.on, user.account)
            chat.tell_user(peer, notice, out)
        return
    room = chat.state.room(command.to)
    if room is not None and chat.state.is_member(user, room) and not may_speak(chat, session, user, room):
        out.append(m.FanOut(m.TypingNotice(user.login, room.name, command.on, user.account), room.audience, session))
