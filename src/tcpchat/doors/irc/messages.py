"""PRIVMSG, NOTICE, TAGMSG and REDACT: what people say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcpchat.core import tags
from tcpchat.core.model import Accepted, AnyEvent, Message, Refused, Remove, Say, Typing
from tcpchat.doors.irc import encode, multiline, refusals, services, wire
from tcpchat.doors.irc.commands import Steps, command
from tcpchat.doors.irc.network import nick_of
from tcpchat.doors.irc.wire import MAX_LINE

if TYPE_CHECKING:
    from tcpchat.doors.irc.door import IrcDoor
    from tcpchat.doors.irc.labels import Answer
    from tcpchat.doors.irc.network import Face
    from tcpchat.doors.irc.wire import Line


PLAIN = 240  # ASCII characters of text and target that fit a line whatever name and host are before them
SHORT = 90  # characters that fit a line whatever is around them


class Pending:
    """A message on its way into the log."""

    __slots__ = ("answer", "face", "say", "shown", "verb")

    def __init__(self, say: Say, verb: str, shown: str, answer: Answer | None, face: Face | None) -> None:
        self.say, self.verb, self.shown, self.answer = say, verb, shown, answer
        self.face = face  # of whom it is for; None: a room, or somebody who is not here

    def answered(self, door: IrcDoor, event: AnyEvent) -> None:
        """It is durable, or was refused."""
        if self.answer is None and door.answer is None and type(event) is Accepted:
            self._accepted(door, event)
            return
        kept, door.answer = door.answer, self.answer
        if isinstance(event, Accepted):
            self._accepted(door, event)
        elif isinstance(event, Refused) and self.verb != "NOTICE":
            refusals.refuse_say(door, event, self.shown, self.verb)
        door.answer = kept
        answer = self.answer
        if answer is not None:
            answer.waits -= 1
            if answer.waits == 0:
                answer.flush(door)

    def _accepted(self, door: IrcDoor, event: Accepted) -> None:
        say = self.say
        if "echo-message" in door.caps:
            echo(door, self._message(door, event))
        if say.kind in ("text", "action"):
            door.receipts.said(say.to, event.seq)
        face = self.face
        if face is not None:
            if face is door.me:
                door.out += lines_of(door, self._message(door, event))
            if face.away and self.verb == "PRIVMSG":
                door.reply("RPL_AWAY", self.shown, text=face.away)

    def _message(self, door: IrcDoor, event: Accepted) -> Message:
        """As the others hear it."""
        say = self.say
        return Message(
            seq=event.seq, at=event.at, by=door.login, to=say.to, text=say.text, re=say.re, kind=say.kind,
            tags=say.tags, account=door.account, rank=say.rank, cuts=say.cuts,
        )  # fmt: skip


def lines_of(door: IrcDoor, message: Message) -> list[bytes]:
    return [wire.line(row) for row in encode.lines(door.network, message, door.dialect)]


def echo(door: IrcDoor, message: Message) -> None:
    """Own words come back once they are on disk (https://ircv3.net/specs/extensions/echo-message)."""
    for row in encode.lines(door.network, message, door.dialect - {"server-time"}):
        tags: list[tuple[str, str]] = []
        if row.startswith("@"):
            words, _, row = row[1:].partition(" ")
            tags = list(wire.parse_tags(words).items())
        inner = any(key == "batch" for key, _ in tags) or " BATCH -" in row[:120]  # time and msgid are on the batch
        if door.answer is not None:
            door.answer.lines.append((row, tags, -1 if inner else message.at))
        elif inner:
            door.send(wire.format_tags(tags) + row)
        else:
            door.write(row, tags, message.at)


# -- saying --------------------------------------------------------------------------------------------------


def client_tags(line: Line) -> dict[str, str] | None:
    """The tags that go on to the others: good ones with a "+", kept without it."""
    if not line.tags:
        return None
    found = {key[1:]: value for key, value in line.tags.items() if key[0] == "+" and tags.good(key[1:], value)}
    return found or None


def split_ctcp(text: str) -> tuple[str, str]:
    """The text and its kind: ``\\x01ACTION waves\\x01`` is an action."""
    if text.startswith("\x01ACTION "):
        return text[8:].removesuffix("\x01"), "action"
    return text, "text"


@command("PRIVMSG", "target{,target} :text", "Say something.", flows=True, early=False)
def privmsg(door: IrcDoor, line: Line) -> Steps | None:
    return speak(door, line)


@command("NOTICE", "target{,target} :text", "Say something that nobody answers by machine.", flows=True)
def notice(door: IrcDoor, line: Line) -> Steps | None:
    return speak(door, line)


@command("TAGMSG", "target{,target}", "Send tags without text.", flows=True)
def tagmsg(door: IrcDoor, line: Line) -> Steps | None:
    return speak(door, line)


def speak(door: IrcDoor, line: Line) -> Steps | None:
    if line.tags and "batch" in line.tags and door.gathering is None:
        door.fail("BATCH", "UNKNOWN_REFERENCE", line.tags["batch"][:64] or "*", text="There is no such batch")
        return None
    if door.gathering is not None and multiline.takes(door, line):
        return None
    verb, params = line.command, line.params
    if not params or not params[0]:
        if verb != "NOTICE":
            door.reply("ERR_NORECIPIENT", text=f"No recipient given ({verb})")
        return None
    if verb != "TAGMSG" and (len(params) < 2 or not params[1]):
        if verb != "NOTICE":
            door.reply("ERR_NOTEXTTOSEND")
        return None
    if line.tags is None and verb == "PRIVMSG" and say_plain(door, params[0], params[1]):
        return None
    targets = params[0].split(",")
    if len(targets) > door.network.targets_max:
        door.reply("ERR_TOOMANYTARGETS", targets[door.network.targets_max])
        return None
    text = params[1] if verb != "TAGMSG" else ""
    for target in targets:
        if target:
            service = services.find(target)
            if service is not None and verb == "PRIVMSG":
                return services.ask(door, service, text)
            say_one(door, verb, target, text, client_tags(line))
    return None


def say_at_once(door: IrcDoor, raw: bytes) -> bool:
    """The same for a line as it came, without CR LF; False: it has to be read with all that a line may have."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return False
    target, _, body = text[8:].partition(" :")
    if not body or not target or " " in target or "\0" in text or len(raw) > MAX_LINE - 2:
        return False
    return say_plain(door, target, body)


def say_plain(door: IrcDoor, target: str, text: str) -> bool:
    """A message as nearly all are, to one room or one person, short, nothing special; False: it is not one."""
    first = target[0]
    if first in "@+" or text[0] == "\x01" or "," in target or target == "#all":
        return False
    if len(text) > SHORT and not (text.isascii() and target.isascii() and len(text) + len(target) <= PLAIN):
        return False
    to = shown = target
    face: Face | None = None
    if first != "#":
        key = door.network.fold(target)
        face = door.network.people.get(key)
        if face is None or face.modes or key in services.SERVICES:
            return False
        door.me.accept(key)
        to, shown = "@" + face.login, nick_of(face.login)
    door.me.spoke = door.now
    door.refs = ref = door.refs + 1
    say = Say(to, text, 0, 0, "text", None, ref, "", (), "B" in door.me.modes)
    door.commands.append(say)
    door.says[ref] = Pending(say, "PRIVMSG", shown, door.answer, face)
    if door.answer is not None:
        door.answer.waits += 1
    return True


def say_one(
    door: IrcDoor,
    verb: str,
    target: str,
    text: str,
    attached: dict[str, str] | None,
    cuts: tuple[int, ...] = (),
    lines: int = 1,
) -> None:
    """Send one message to one target: of several lines, or one that fits a line."""
    network = door.network
    room = target.lstrip("@+") if target[0] in "@+" and "#" in target[:3] else target
    mark = target[: len(target) - len(room)]
    if verb == "TAGMSG":
        kind = "tag"
        if attached is not None and set(attached) == {"typing"}:
            typing(door, room, attached["typing"])
            return
    else:
        text, kind = split_ctcp(text)
        kind = "notice" if verb == "NOTICE" else kind
    ctcp = text.startswith("\x01") and kind != "action"
    if not room.startswith("#") and not admitted(door, verb, room, ctcp):
        return
    size = len(text) if kind != "action" else len(text) + len("\x01ACTION \x01")
    if (
        lines == 1
        and size > SHORT
        and not encode.fits(network, door.login, verb, target, text + " " * (size - len(text)))
    ):
        if verb != "NOTICE":
            door.reply("ERR_INPUTTOOLONG")
        return
    re = encode.seq_of(attached.get("draft/reply", "")) if attached else 0
    rank = "" if not mark else "op" if "@" in mark else "voice"
    to = room if room.startswith("#") else "@" + nick_as_known(door, room)
    shown = room if room.startswith("#") else to[1:].replace(" ", "_")
    cuts = cuts if kind != "action" else ()  # what stands around an action is not kept, so they would be off
    say = Say(
        to=to,
        text=text,
        re=re,
        kind=kind,
        tags=attached,
        ref=door.refs + 1,
        rank=rank,
        cuts=cuts,
        bot="B" in door.me.modes,
    )
    if verb != "NOTICE" and room.startswith("#") and room == "#all" and network.lobby != "#all":
        door.reply("ERR_NOSUCHCHANNEL", room)
        return
    door.me.spoke = door.now
    door.refs += 1
    door.commands.append(say)
    face = None if room.startswith("#") else network.people.get(network.fold(room))
    door.says[door.refs] = Pending(say, verb, mark + shown, door.answer, face)
    if door.answer is not None:
        door.answer.waits += 1


def nick_as_known(door: IrcDoor, nick: str) -> str:
    """The login behind a nick, as it is written."""
    face = door.network.people.get(door.network.fold(nick))
    return face.login if face is not None else nick


def admitted(door: IrcDoor, verb: str, nick: str, ctcp: bool) -> bool:
    """False, and an answer, when the other does not want this kind of message."""
    face = door.network.people.get(door.network.fold(nick))
    mine = door.me
    mine.accept(door.network.fold(nick))
    if face is None or door.is_me(nick) or "o" in mine.modes:
        return True
    if "T" in face.modes and ctcp:
        if verb == "PRIVMSG":
            door.reply("ERR_CANNOTSENDTOUSER", nick, text="This person takes no CTCP")
        return False
    if "R" in face.modes and not door.account and door.network.fold(door.login) not in (face.accepted or ()):
        if verb != "NOTICE":
            text = "This person takes messages only from people with an account"
            door.reply("ERR_NEEDREGGEDNICK", nick, text=text)
        return False
    return True


def typing(door: IrcDoor, target: str, state: str) -> None:
    """Typing notices pass and are not kept (https://ircv3.net/specs/client-tags/typing)."""
    to = target if target.startswith("#") else "@" + target
    door.tell(Typing(to=to, on=state == "active"))


@command("ACCEPT", "[-]nick{,[-]nick}", "Let somebody write to you although you have +R.", least=1)
def accept(door: IrcDoor, line: Line) -> None:
    face = door.network.face(door.login)
    for word in line.params[0].split(","):
        key = door.network.fold(word.lstrip("-"))
        face.accept(key)
        if word.startswith("-") and face.accepted:
            face.accepted.discard(key)


# -- taking back ---------------------------------------------------------------------------------------------


@command("REDACT", "target msgid [reason]", "Take a message back.", least=2)
def redact(door: IrcDoor, line: Line) -> Steps | None:
    """https://ircv3.net/specs/extensions/message-redaction"""
    target, word = line.params[:2]
    why = line.params[2] if len(line.params) > 2 else ""
    oper = "o" in door.network.face(door.login).modes
    if target.startswith("#") and door.network.fold(target) not in door.rooms and not oper:
        door.fail("REDACT", "INVALID_TARGET", target, text="You are not in this room")
        return None
    seq = encode.seq_of(word)
    if not seq:
        door.fail("REDACT", "UNKNOWN_MSGID", target, word, text="There is no such message")
        return None
    return remove(door, target, word, seq, why)


def remove(door: IrcDoor, target: str, word: str, seq: int, why: str) -> Steps:
    answer = yield Remove(seq=seq, why=why, to=target if target.startswith("#") else "@" + target)
    if not isinstance(answer, Refused):
        return
    if answer.code == "no_such_message":
        door.fail("REDACT", "UNKNOWN_MSGID", target, word, text=answer.text)
    elif answer.code in ("no_such_login", "no_such_room", "not_member"):
        door.fail("REDACT", "INVALID_TARGET", target, text=answer.text)
    else:
        door.fail("REDACT", "REDACT_FORBIDDEN", target, word, text=answer.text)
