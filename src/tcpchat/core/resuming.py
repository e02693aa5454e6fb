"""Where a session's feed begins: which of a client's past is of this log.

A cursor means a place in one log. A log that was restored from a backup, or made anew, goes on with other entries under
the same numbers, so each line of entries has an id (a *lineage*): a client says of which its cursor is, and is told how
much of it counts here.
"""

from __future__ import annotations

from typing import NamedTuple

from tcpchat.core import model as m
from tcpchat.core.effects import Effects
from tcpchat.core.sessions import SILENT, Device, Session, User
from tcpchat.core.world import World


class Past(NamedTuple):
    """What counts here of what a client has."""

    after: int | None  # its cursor, as far as it is of this log; None = nothing is known
    lost: int  # first seq of its log that is not in this one; 0 = it is the same log


def past(chat: World, offer: m.Hello) -> Past:
    """Judge the cursor of a hello. Who names no log has its cursor capped by the head, as before logs had ids."""
    after, head = offer.after, chat.state.seq
    if after is not None:
        after = head if after < 0 else min(after, head)
    if not offer.log or not chat.lineage.all or offer.log == chat.log_id:
        return Past(after, 0)
    place = next((at for at, (name, _) in enumerate(chat.lineage.all) if name == offer.log), -1)
    if place < 0:
        return Past(after if offer.after is not None and offer.after <= 0 else None, 1)
    # What began later may have begun earlier in the log: the least counts.
    shared = min(since for _, since in chat.lineage.all[place + 1 :])
    return Past(after if offer.after is None or offer.after < 0 else min(offer.after, shared), shared + 1)


def proves_a_loss(chat: World, offer: m.Hello) -> bool:
    """Has this client seen entries of this very lineage that the log has not? Then the log went back in time."""
    return bool(offer.log) and offer.log == chat.log_id and max(offer.after or 0, offer.seen) > chat.state.seq


def prove(chat: World, session: Session, offer: m.Hello, out: Effects) -> None:
    """Have a new lineage begun; the session waits for it. It begins where this run did: nothing older can be doubted by
    what this server knows, and nothing newer is what the client has seen."""
    chat.lineage.proving.append(session)
    if len(chat.lineage.proving) == 1:
        why = f"{offer.login} has its message {max(offer.after or 0, offer.seen)}, and it ends at {chat.state.seq}"
        out.append(m.Fork(why, chat.lineage.began_at))


def lost(chat: World, session: Session, user: User, known: Past) -> int:
    """The first seq that a client may have had of another log than this; 0 = none.

    IRC clients name no log. Who has confirmed nothing since this one was set back is told the first time."""
    if not session.traits.names_no_log or len(chat.lineage.all) < 2:
        return known.lost
    since = chat.lineage.all[-1][1]
    return since + 1 if max(user.since, user.delivered) <= since else 0


def start(session: Session, user: User, known: Past, head: int) -> int:
    """Where this session's feed begins."""
    if known.after is not None:
        return known.after
    device = session.device
    if device is not None and device.cursor:
        return min(device.cursor, head)
    return min(user.delivered, head) if user.delivered else max(user.since, 0)


def early(session: Session, after: int, known: Past) -> tuple[m.Command, ...]:
    """What was sent behind the hello; without what it says of another log's messages."""
    commands, session.early = session.early, ()
    if not known.lost:
        return commands
    return tuple(one for one in commands if not (isinstance(one, m.Confirm | m.Read) and one.seq > after))


def take_device(session: Session, user: User) -> Device:
    """This device's numbering and cursor."""
    device = user.devices.get(session.device_id)
    if device is None:
        device = user.devices[session.device_id] = Device()
        if len(user.devices) - user.numbered > SILENT:
            _forget_silent(user)
    return device


def _forget_silent(user: User) -> None:
    for name in [name for name, device in user.devices.items() if device.session is None and not device.last]:
        del user.devices[name]
