"""NickServ, ChanServ, HistServ and Receipts: thin words over the real thing, for people's habits."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from tcpchat.core.model import Admin, Change, Done, Mode, Page, Password, ReceiptList, Refused, Rename
from tcpchat.core.model import History as HistoryCommand
from tcpchat.core.model import Receipts as ReceiptsCommand
from tcpchat.doors.irc import certificates, encode, identifying
from tcpchat.doors.irc.commands import Steps, command
from tcpchat.doors.irc.network import nick_of

if TYPE_CHECKING:
    from tcpchat.doors.irc.door import IrcDoor
    from tcpchat.doors.irc.wire import Line

Word = Callable[["IrcDoor", list[str]], Steps]


class Service(NamedTuple):
    """One service: its name, what it is for, its words."""

    name: str
    help: str
    words: dict[str, tuple[str, Word]]


def find(nick: str) -> Service | None:
    return SERVICES.get(nick.lower())


def ask(door: IrcDoor, service: Service, text: str) -> Steps:
    """Somebody wrote to a service."""
    parts = text.split()
    word = parts[0].upper() if parts else "HELP"
    entry = service.words.get(word)
    if entry is None and service.name == "HistServ" and parts:
        entry, parts = service.words["PLAY"], ["PLAY", *parts]
    if entry is None:
        yield from help_(door, service, word)
        return
    yield from entry[1](door, parts[1:])


def help_(door: IrcDoor, service: Service, word: str) -> Steps:
    say(door, service.name, service.help if word == "HELP" else f"Unknown word {word}. {service.help}")
    for usage, _ in service.words.values():
        say(door, service.name, f"  {usage}")
    return
    yield  # a generator like all of them


def say(door: IrcDoor, service: str, text: str) -> None:
    door.notice(text, service)


def outcome(door: IrcDoor, service: str, answer: object, good: str) -> None:
    say(door, service, answer.text if isinstance(answer, Refused) else good)


# -- NickServ ------------------------------------------------------------------------------------------------


def ns_register(door: IrcDoor, words: list[str]) -> Steps:
    if not words:
        say(door, "NickServ", "REGISTER password")
        return
    if door.account:
        say(door, "NickServ", "This login has an owner already: you.")
        return
    answer = yield Password(password="", new=words[0])
    if isinstance(answer, Done):
        from tcpchat.doors.irc.sasl import say_logged_in

        say(door, "NickServ", "Account created")
        say_logged_in(door, str(answer.data.get("login", door.login)))
    else:
        outcome(door, "NickServ", answer, "")


def ns_set(door: IrcDoor, words: list[str]) -> Steps:
    if len(words) >= 2 and words[0].upper() == "PASSWORD":
        answer = yield Password(password=words[2] if len(words) > 2 else "", new=words[1])
        outcome(door, "NickServ", answer, "Your password has been changed.")
    else:
        say(door, "NickServ", "SET PASSWORD new [old]")


def ns_rename(door: IrcDoor, words: list[str]) -> Steps:
    if not words:
        say(door, "NickServ", "RENAME name")
        return
    answer = yield Rename(to=words[0])
    outcome(door, "NickServ", answer, f"Your login is {words[0]} from now on, everywhere.")


def ns_info(door: IrcDoor, words: list[str]) -> Steps:
    face = door.network.people.get(door.network.fold(words[0] if words else door.login))
    if face is None:
        say(door, "NickServ", "I know nobody of this name.")
    else:
        account = nick_of(face.account) if face.account else "no account"
        say(door, "NickServ", f"{nick_of(face.login)}: {account}, {'here' if face.online else 'not here'}")
    return
    yield


# -- ChanServ ------------------------------------------------------------------------------------------------


def cs_register(door: IrcDoor, words: list[str]) -> Steps:
    text = "Rooms here need no registering: they, their operators and their history stay."
    say(door, "ChanServ", text)
    return
    yield


def rank(name: str, on: bool) -> Word:
    def turn(door: IrcDoor, words: list[str]) -> Steps:
        if not words:
            say(door, "ChanServ", "Which room?")
            return
        nick = words[1] if len(words) > 1 else door.login
        answer = yield Mode(room=words[0], changes=(Change(name=name, on=on, arg=nick),))
        outcome(door, "ChanServ", answer, "Done.")

    return turn


def cs_drop(door: IrcDoor, words: list[str]) -> Steps:
    """Delete a room, as its operator (or an owner of the server)."""
    if not words:
        say(door, "ChanServ", "DROP #room [reason]")
        return
    answer = yield Admin(do="room_delete", args={"room": words[0], "why": " ".join(words[1:])})
    outcome(door, "ChanServ", answer, "The room is deleted.")


# -- HistServ ------------------------------------------------------------------------------------------------


def hs_play(door: IrcDoor, words: list[str]) -> Steps:
    """The last lines of a conversation: ``PLAY #room [lines]``."""
    from tcpchat.doors.irc import history

    if not words:
        say(door, "HistServ", "PLAY #room|nick [lines]")
        return
    digits = words[1] if len(words) > 1 else "50"
    limit = min(int(digits), 500) if digits.isascii() and digits.isdigit() else 50
    answer = yield HistoryCommand(to=history.to_of(words[0]), limit=max(1, limit))
    if isinstance(answer, Page):
        history.show_group(door, words[0], answer.messages)
    else:
        outcome(door, "HistServ", answer, "")


# -- Receipts ------------------------------------------------------------------------------------------------


def rc_last(door: IrcDoor, words: list[str]) -> Steps:
    """Who has the last messages that were sent from here."""
    digits = words[0] if words else "1"
    number = min(int(digits), 20) if digits.isascii() and digits.isdigit() else 1
    if not door.receipts.order:
        say(door, "Receipts", "You have sent nothing from here yet.")
        return
    for seq, to in list(door.receipts.order)[-number:]:
        yield from tell_receipt(door, seq, nick_of(to.lstrip("@")))


def tell_receipt(door: IrcDoor, seq: int, place: str) -> Steps:
    answer = yield ReceiptsCommand(seq=seq)
    if not isinstance(answer, ReceiptList):
        outcome(door, "Receipts", answer, "")
        return
    groups: dict[str, list[str]] = {}
    for person in answer.people:
        groups.setdefault(person.state, []).append(nick_of(person.login))
    shown = []
    for state, word in (("read", "read by"), ("delivered", "delivered to"), ("accepted", "waiting for")):
        names = groups.get(state, [])
        if names:
            more = f" and {len(names) - 15} more" if len(names) > 15 else ""
            shown.append(f"{word} {', '.join(names[:15])}{more}")
    say(door, "Receipts", f"{encode.msgid(seq)} to {place}: {'; '.join(shown) or 'nobody else was there'}")


@command("RECEIPTS", "[last [n] | msgid]", "Who has what you said.")
def receipts_command(door: IrcDoor, line: Line) -> Steps:
    word = line.params[0] if line.params else "last"
    seq = encode.seq_of(word)
    if seq:
        yield from tell_receipt(door, seq, "*")
    else:
        yield from rc_last(door, line.params[1:] if word.lower() == "last" else line.params)


SERVICES = {
    "nickserv": Service("NickServ", "I keep logins. My words:", {
        "REGISTER": ("REGISTER password - make the login that you wear yours", ns_register),
        "IDENTIFY": ("IDENTIFY [account] password - prove who you are", identifying.identify),
        "REGAIN": ("REGAIN nick [password] - prove that a name is yours, and wear it", identifying.regain),
        "RECOVER": ("RECOVER nick [password] - the same", identifying.regain),
        "GHOST": ("GHOST nick [password] - an old connection is in your way", identifying.ghost),
        "RELEASE": ("RELEASE nick [password] - the same", identifying.ghost),
        "SET": ("SET PASSWORD new [old] - change your password", ns_set),
        "CERT": (certificates.USAGE, certificates.cert),
        "RENAME": ("RENAME name - give your login another name, everywhere", ns_rename),
        "INFO": ("INFO [nick] - who is this", ns_info),
    }),
    "chanserv": Service("ChanServ", "I keep rooms. My words:", {
        "REGISTER": ("REGISTER #room - not needed here", cs_register),
        "OP": ("OP #room [nick]", rank("op", True)),
        "DEOP": ("DEOP #room [nick]", rank("op", False)),
        "VOICE": ("VOICE #room [nick]", rank("voice", True)),
        "DEVOICE": ("DEVOICE #room [nick]", rank("voice", False)),
        "DROP": ("DROP #room [reason] - delete a room for good", cs_drop),
    }),
    "histserv": Service("HistServ", "I keep what was said. My words:", {
        "PLAY": ("PLAY #room|nick [lines] - the last lines again", hs_play),
    }),
    "receipts": Service("Receipts", "I know who has your messages. My words:", {
        "LAST": ("LAST [n] - the fate of the last messages sent from here", rc_last),
    }),
}  # fmt: skip


def shortcut(name: str, service: str) -> None:
    """``/ns register ...`` is ``/msg NickServ register ...``."""

    @command(name, "words", f"The same as PRIVMSG {SERVICES[service].name}.")
    def words(door: IrcDoor, line: Line) -> Steps:
        return ask(door, SERVICES[service], " ".join(line.params))


for _name, _service in (("NS", "nickserv"), ("NICKSERV", "nickserv"), ("CS", "chanserv"), ("CHANSERV", "chanserv"),
                        ("HISTSERV", "histserv"), ("HS", "histserv")):  # fmt: skip
    shortcut(_name, _service)
