"""In: the welcome of who is who they say, with their rooms, their counts and their feed."""

from __future__ import annotations

from collections.abc import Sequence

from tcpchat.core import feed, history, presence, receipts, resuming
from tcpchat.core import model as m
from tcpchat.core.answers import turn_away
from tcpchat.core.bans import banned
from tcpchat.core.effects import Effects
from tcpchat.core.rules import ALL, WINDOW
from tcpchat.core.sessions import CLOSED, ENTERING, Session, User
from tcpchat.core.stages import step
from tcpchat.core.world import World


def welcome(chat: World, session: Session, user: User, now: float, out: Effects) -> None:
    """Let somebody in who is who they say; counts of unread messages come from the log when there can be any."""
    offer = session.hello
    assert offer is not None
    if not session.trusted and user.claimed and (ban := banned(chat, session, user.login, now)):
        turn_away(session, "banned", out, text=ban)
        return
    session.user = user
    step(session, "known")
    if resuming.proves_a_loss(chat, offer):
        resuming.prove(chat, session, offer, out)
        return
    take_device(chat, session, user, now, out)
    unanswered = session.device is not None and session.device.unanswered  # waits for that, as it does for counts
    if user.directs or user.rooms or user.reads or unanswered or chat.state.rooms[ALL].head > user.since:
        session.asking = True
        out.append(m.Load(session, history.count_query(chat, user), offer))
    else:
        begin(chat, session, {}, now, out)


def take_device(chat: World, session: Session, user: User, now: float, out: Effects) -> None:
    """This device's numbering; an older connection of the same device is dead or wrong and makes room."""
    device = resuming.take_device(session, user)
    older = device.session
    if older is not None and older is not session and older.stage != CLOSED:
        presence.end(chat, older, now, "replaced", out)
    device.session = session
    session.device = device


def begin(chat: World, session: Session, counts: dict[int, int], now: float, out: Effects) -> None:
    """Welcome, the rooms, the state, and then the feed."""
    user, offer, device = session.user, session.hello, session.device
    if user is None or offer is None or device is None or session.stage != ENTERING:
        return
    step(session, "counted")
    session.asking = False
    chat.strangers.pop(session.id, None)
    known = resuming.past(chat, offer)
    session.sent = after = resuming.start(session, user, known, chat.state.seq)
    limits = chat.limits
    account = user.account or (session.account.login if session.account else "")
    out.append(
        m.Tell(
            session,
            m.Welcome(
                user.login, chat.state.seq, after, device.last, device.recent(), limits.server_name, limits.version,
                user.claimed, user.role, chat.ready, account, session.device_id, WINDOW, limits.max_text,
                session.binding, chat.ms(now), chat.log_id, resuming.lost(chat, session, user, known),
                chat.state.forgot,
            ),
        )
    )  # fmt: skip
    present(chat, session, user, now, out)
    out.append(m.Tell(session, history.room_list(chat, session, m.Rooms(), counts)))
    if not session.hook:
        out.append(m.Tell(session, chat.status(now)))
        session.ready = chat.ready
    if known.after and offer.after != -1:
        receipts.confirm(chat, session, m.Confirm(after), now, out)
    if session.quiet and not session.hook:
        session.sent = -1  # a one-shot script: answers and receipts, no feed
    else:
        feed.advance(chat, session, out)
    for command in resuming.early(session, after, known):
        out += chat.gate(session, command, now)


def present(chat: World, session: Session, user: User, now: float, out: Effects) -> None:
    """Count it as present, and let it hear its rooms."""
    was = user.online
    user.sessions.append(session)
    chat.reshow(user)
    if session.traits.gives_host and session.hello and sum(one.traits.gives_host for one in user.sessions) == 1:
        before, user.host = user.host, session.hello.host
        if was and before != user.host:
            event = m.Presence(user.login, "host", text=user.host, account=user.account, was=before)
            presence.announce(chat, user, event, out, session)
    user.seen = chat.ms(now)
    if session.hook or not session.quiet:
        for audience in chat.audiences(session):
            audience.add(session)
    if was or not user.online:
        return
    user.online_since = chat.ms(now)
    presence.count(chat, user, 1)
    account = user.account or (session.account.login if session.account else "")
    event = m.Presence(user.login, "online", account=account, name=user.name, bot=session.bot)
    presence.announce(chat, user, event, out, session)
    chat.update_ready(out)


def forked(chat: World, lineages: Sequence[tuple[str, int]], now: float, out: Effects) -> None:
    """A new lineage has begun (or, empty, could not): tell it to who is here, and let in who has waited for it."""
    waiting, chat.lineage.proving = chat.lineage.proving, []
    if lineages:
        chat.lineage.all = tuple(lineages)
        for session in chat.everyone:
            if not session.traits.has_no_cursor:
                out.append(m.Tell(session, m.Forked(chat.log_id)))
    for session in waiting:
        if session.user is None or session.stage != ENTERING:
            continue
        if lineages:
            welcome(chat, session, session.user, now, out)
        else:
            turn_away(session, "unavailable", out, after=1.0)
