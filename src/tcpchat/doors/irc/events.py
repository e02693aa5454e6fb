"""What the chat tells, as IRC lines: one function per kind of event, chosen by a table."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tcpchat.core.model import (
    Accepted,
    Amended,
    Announced,
    AnyEvent,
    Change,
    Forked,
    Goodbye,
    MarkRead,
    Message,
    Pinged,
    Ponged,
    Preference,
    Presence,
    Receipt,
    Refused,
    RoomEvent,
    TypingNotice,
)
from tcpchat.doors.irc import chghost, encode, metadata, operators, wire
from tcpchat.doors.irc.joins import on_joined, on_left, on_offline, on_online, seq_tags, shared, show_join
from tcpchat.doors.irc.network import LETTERS, PROPS, nick_of

if TYPE_CHECKING:
    from tcpchat.doors.irc.door import IrcDoor


def deliver(door: IrcDoor, event: AnyEvent) -> None:
    """Tell this client what happened."""
    handler = HANDLERS.get(type(event))
    if handler is not None:
        kept, door.answer = door.answer, door.answer if caused(door, event) else None
        handler(door, event)
        door.answer = kept


def caused(door: IrcDoor, event: AnyEvent) -> bool:
    """True when the event answers the command being handled: it is this client's own doing."""
    if door.running is None:
        return False
    by = getattr(event, "by", "") or getattr(event, "login", "")
    return bool(by) and door.is_me(by)


# -- messages ------------------------------------------------------------------------------------------------


def on_message(door: IrcDoor, event: Message) -> None:
    """A message for this client alone: a page of what it missed, or live while its pipe was full."""
    if hidden(door, event.to):
        return
    if door.entering or event.seq <= door.head:
        door.replay.append(event)
        return
    show_message(door, event)
    door.receipts.tell(event.seq)


def show_message(door: IrcDoor, event: Message, extra: tuple[tuple[str, str], ...] = ()) -> None:
    if door.is_me(event.by) and event.kind == "tag" and "echo-message" not in door.caps:
        return
    for line in encode.lines(door.network, event, door.dialect, extra):
        door.send(line)


def flush_replay(door: IrcDoor) -> None:
    """Show what was missed: a chathistory batch per conversation, or plain lines with their time."""
    from tcpchat.doors.irc import history

    events, door.replay = door.replay, []
    history.show_missed(door, events)


def on_amended(door: IrcDoor, event: Amended) -> None:
    if hidden(door, event.to):
        return
    door.receipts.tell(event.seq)
    place = place_of(door, event.to, event.by)
    if event.removed:
        if "draft/message-redaction" in door.caps:
            why = [event.why] if event.why else []
            door.relay(event.by, "REDACT", place, encode.msgid(event.target), *why, at=event.at)
        elif not door.is_me(event.by):
            door.put(f":{door.network.mask(event.by)} NOTICE {place} :took a message back", (), event.at)
        return
    tags = [("+draft/edit", encode.msgid(event.target))] if "message-tags" in door.caps else []
    start = f":{door.network.mask(event.by)} PRIVMSG {place}"
    for piece, _ in encode.split("(edited) " + event.text, encode.space(start)):
        door.put(f"{start} :{piece}", tags, event.at)


def place_of(door: IrcDoor, to: str, by: str) -> str:
    """How a conversation is named in a line about it."""
    return to if to.startswith("#") else nick_of(to.removeprefix("@"))


SET_BACK = "This server was set back, as by a restore: the newest messages that you saw are not on it any more."


def on_forked(door: IrcDoor, event: Forked) -> None:
    door.notice(SET_BACK)


def on_receipt(door: IrcDoor, event: Receipt) -> None:
    door.receipts.receipt(event)


def on_markread(door: IrcDoor, event: MarkRead) -> None:
    target = place_of(door, event.to, "")
    if "draft/read-marker" in door.caps and not hidden(door, event.to):
        door.put(f":{door.network.server} MARKREAD {target} {mark_word(event.at)}")


def mark_word(at: int) -> str:
    return f"timestamp={encode.stamp(at)}" if at else "*"


def on_typing(door: IrcDoor, event: TypingNotice) -> None:
    data = encode.typing(door.network, event, door.dialect)
    if data:
        door.out.append(data)


def on_accepted(door: IrcDoor, event: Accepted) -> None:
    """The answer to a message that nobody here waits for."""


# -- rooms ---------------------------------------------------------------------------------------------------


def hidden(door: IrcDoor, room: str) -> bool:
    """True for the room of everybody when the lobby is switched off for IRC."""
    return door.network.hides(room)


def on_room(door: IrcDoor, event: RoomEvent) -> None:
    if hidden(door, event.room) or door.entering:
        return
    handler = ROOM.get(event.what)
    if handler is not None:
        handler(door, event)
    door.receipts.tell(event.seq)


def on_kicked(door: IrcDoor, event: RoomEvent) -> None:
    key = door.network.fold(event.room)
    if key not in door.rooms:
        return
    nick = nick_of(event.login)
    mask = door.network.mask(event.by) if event.by else door.network.server
    text = event.text or nick_of(event.by)
    tags = door.author_tags(event.by, seq_tags(door, event.seq)) if event.by else seq_tags(door, event.seq)
    door.put(f":{mask} KICK {event.room} {nick} :{text}", tags, event.at)
    forget(door, event.login, key)


def forget(door: IrcDoor, login: str, key: str) -> None:
    if door.is_me(login):
        door.rooms.pop(key, None)


def on_topic(door: IrcDoor, event: RoomEvent) -> None:
    if door.network.fold(event.room) in door.rooms:
        tags = door.author_tags(event.by, seq_tags(door, event.seq))
        door.put(f":{door.network.mask(event.by)} TOPIC {event.room} :{event.text}", tags, event.at)


def on_invited(door: IrcDoor, event: RoomEvent) -> None:
    if door.is_me(event.login):
        door.relay(event.by, "INVITE", door.nick, event.room, tags=seq_tags(door, event.seq), at=event.at)
    elif "invite-notify" in door.caps and not door.is_me(event.by):
        door.relay(event.by, "INVITE", nick_of(event.login), event.room, at=event.at)


def on_mode(door: IrcDoor, event: RoomEvent) -> None:
    if door.network.fold(event.room) not in door.rooms:
        return
    words = mode_words(event.changes)
    if words and "draft/named-modes" in door.caps:
        show_props(door, event)
    elif words:
        mask = door.network.mask(event.by) if event.by else door.network.server
        tags = door.author_tags(event.by, seq_tags(door, event.seq)) if event.by else seq_tags(door, event.seq)
        door.put(wire.join("MODE", [event.room, *words], mask), tags, event.at)


def show_props(door: IrcDoor, event: RoomEvent) -> None:
    """The same by names, for those with draft/named-modes."""
    words = []
    for change in event.changes:
        name = PROPS.get(LETTERS.get(change.name, ""))
        if name is not None:
            value = f"={nick_of(change.arg)}" if change.arg else ""
            words.append(f"{'+' if change.on else '-'}{name}{value}")
    mask = door.network.mask(event.by) if event.by else door.network.server
    door.put(wire.join("PROP", [event.room, *words], mask), seq_tags(door, event.seq), event.at)


def mode_words(changes: tuple[Change, ...]) -> list[str]:
    """Changes as IRC writes them: ``+ov-t duck rabbit``."""
    letters, arguments, sign = "", [], ""
    for change in changes:
        letter = LETTERS.get(change.name)
        if letter is None:
            continue
        mark = "+" if change.on else "-"
        if mark != sign:
            letters += mark
            sign = mark
        letters += letter
        if change.arg and (change.on or letter != "l"):
            arguments.append(nick_of(change.arg))
        elif letter == "k":
            arguments.append("*")
    return [letters, *arguments] if letters else []


def on_renamed_room(door: IrcDoor, event: RoomEvent) -> None:
    """https://ircv3.net/specs/extensions/channel-rename: those without it see a PART and a JOIN."""
    key = door.network.fold(event.room)
    if key not in door.rooms:
        return
    del door.rooms[key]
    door.rooms[door.network.fold(event.text)] = event.text
    why = event.name
    if "draft/channel-rename" in door.caps:
        door.put(f":{door.network.mask(event.by)} RENAME {event.room} {event.text} :{why}", (), event.at)
        return
    if key == door.network.fold(event.text):
        return  # another case only: to clients it is the same room ("Fallback")
    why = why or f"Renamed to {event.text}"
    door.put(f":{door.network.mask(door.login)} PART {event.room} :{why}", (), event.at)
    show_join(door, door.login, event.text, event.at)
    door.queue.append(lambda: show_again(door, event.text))


def show_again(door: IrcDoor, room: str) -> None:
    """Topic and names of a room that has a new name."""
    from tcpchat.doors.irc import channels

    door.running = channels.describe(door, room)
    door._go_on(None)


# -- people --------------------------------------------------------------------------------------------------


def on_presence(door: IrcDoor, event: Presence) -> None:
    handler = PRESENCE.get(event.what)
    if handler is not None:
        handler(door, event)


def monitors(door: IrcDoor, login: str) -> bool:
    return door.network.fold(login) in door.monitored


def watches(door: IrcDoor, event: Presence, cap: str) -> bool:
    """True when this client is to hear of a change of somebody: shared room, or extended-monitor."""
    if cap and cap not in door.caps:
        return False
    extended = {"extended-monitor", "draft/extended-monitor"} & door.caps
    return bool(shared(door, event.rooms)) or (bool(extended) and monitors(door, event.login))


def on_away(door: IrcDoor, event: Presence) -> None:
    door.network.face(event.login).away = event.text
    if not door.is_me(event.login) and watches(door, event, "away-notify"):
        door.relay(event.login, "AWAY", *([event.text] if event.text else []))


def on_renamed(door: IrcDoor, event: Presence) -> None:
    network, new = door.network, event.text
    old_face = network.people.get(network.fold(event.login))
    if old_face is not None and old_face.login == event.login:
        mask = old_face.mask
        network.rename(event.login, new)
    else:  # another door of this server has heard it before
        face = network.face(new)
        mask = f"{nick_of(event.login)}!{face.user}@{face.host}"
    mine = door.login == event.login or door.is_me(event.login)
    if mine:
        door.login, door.nick = new, nick_of(new)
    changed = network.fold(event.login) != network.fold(new)
    if monitors(door, event.login) and changed:
        door.reply("RPL_MONOFFLINE", text=nick_of(event.login))
    if mine or shared(door, event.rooms):
        door.put(f":{mask} NICK {nick_of(new)}", door.author_tags(new))
    if monitors(door, new) and changed:
        door.reply("RPL_MONONLINE", text=network.mask(new))


def on_name(door: IrcDoor, event: Presence) -> None:
    door.network.face(event.login).real = event.text
    if event.text in door.renaming and door.is_me(event.login):
        door.renaming = without(door.renaming, event.text)  # its own doing is answered by SETNAME itself
    elif (door.is_me(event.login) and "setname" in door.caps) or watches(door, event, "setname"):
        show_name(door, event.login, event.text)


def without(words: tuple[str, ...], word: str) -> tuple[str, ...]:
    """These words without the first that is this one."""
    place = words.index(word)
    return words[:place] + words[place + 1 :]


def show_name(door: IrcDoor, login: str, real: str) -> None:
    door.put(f":{door.network.mask(login)} SETNAME :{real}", door.author_tags(login))


def on_account(door: IrcDoor, event: Presence) -> None:
    door.network.face(event.login).account = event.account
    if door.is_me(event.login):
        door.account = event.account
    elif watches(door, event, "account-notify"):
        door.relay(event.login, "ACCOUNT", nick_of(event.account) or "*")


def on_host(door: IrcDoor, event: Presence) -> None:
    if watches(door, event, "chghost"):
        chghost.show(door, event)


# -- the rest ------------------------------------------------------------------------------------------------


def on_refused(door: IrcDoor, event: Refused) -> None:
    """A refusal that no step waits for: the connection's own, or a fault."""
    if event.fatal or not door.registered:
        door.error(f"Closing link: {event.text}")
    else:
        door.notice(event.text)


def on_goodbye(door: IrcDoor, event: Goodbye) -> None:
    door.error(f"Closing link: {door.address or 'client'} ({event.why})")


def on_pinged(door: IrcDoor, event: Pinged) -> None:
    if door.registered:
        door.send(f"PING :{event.token}")


def nothing(door: IrcDoor, event: Any) -> None:
    """Told to all doors, and nothing to say about on IRC."""


ROOM: dict[str, Callable[[IrcDoor, RoomEvent], None]] = {
    "invited": on_invited,
    "joined": on_joined,
    "kicked": on_kicked,
    "left": on_left,
    "made": nothing,
    "mode": on_mode,
    "renamed": on_renamed_room,
    "topic": on_topic,
}
PRESENCE: dict[str, Callable[[IrcDoor, Presence], None]] = {
    "account": on_account,
    "away": on_away,
    "back": on_away,
    "host": on_host,
    "name": on_name,
    "offline": on_offline,
    "online": on_online,
    "renamed": on_renamed,
}
HANDLERS: dict[type, Callable[[IrcDoor, Any], None]] = {
    Accepted: on_accepted,
    Amended: on_amended,
    Announced: operators.on_announced,
    Forked: on_forked,
    Goodbye: on_goodbye,
    MarkRead: on_markread,
    Message: on_message,
    Pinged: on_pinged,
    Ponged: nothing,
    Preference: metadata.on_preferred,
    Presence: on_presence,
    Receipt: on_receipt,
    Refused: on_refused,
    RoomEvent: on_room,
    TypingNotice: on_typing,
}
