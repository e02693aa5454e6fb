"""How a connection begins and ends: CAP, PASS, NICK, USER, PING, PONG, QUIT, and the welcome."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from tcpchat.core import rules
from tcpchat.core.model import (
    Challenge,
    Guess,
    Hello,
    Join,
    Password,
    Presence,
    Refused,
    Rename,
    RoomList,
    Set,
    State,
    Status,
    Welcome,
)
from tcpchat.core.version import VERSION
from tcpchat.doors.irc import (
    caps,
    channels,
    chghost,
    encode,
    events,
    joins,
    metadata,
    modes,
    preferences,
    refusals,
    wire,
)
from tcpchat.doors.irc.commands import Steps, Wait, command
from tcpchat.doors.irc.network import CHANNEL_MODES, USER_MODES, nick_of
from tcpchat.doors.irc.numerics import NUMERICS

if TYPE_CHECKING:
    from tcpchat.doors.irc.door import IrcDoor
    from tcpchat.doors.irc.network import Network
    from tcpchat.doors.irc.wire import Line

PROGRAM = f"tcpchat-{VERSION}"
COUNTED_SECONDS = 30.0  # age of the number of rooms shown in the welcome
GHOST_SECONDS = 150.0  # without a word; a living client is asked sooner (half of irc_dead_after)


@command("CAP", "LS [302] | REQ :names | LIST | END", "Agree on capabilities of IRCv3.", least=1, early=True)
def cap(door: IrcDoor, line: Line) -> Steps | None:
    word = line.params[0].upper()
    handler = {"LS": cap_ls, "LIST": cap_list, "REQ": cap_req, "END": cap_end}.get(word)
    if handler is None:
        door.reply("ERR_INVALIDCAPCMD", line.params[0])
        return None
    return handler(door, line)


def cap_head(door: IrcDoor, word: str) -> str:
    return f":{door.network.server} CAP {door.nick or '*'} {word}"


def cap_room(door: IrcDoor, word: str) -> int:
    """Bytes of capabilities that fit one line."""
    return wire.MAX_LINE - 2 - len(cap_head(door, word + " * :").encode())


def say_caps(door: IrcDoor, word: str, names: list[str], several: bool, mark: str = " *") -> None:
    """Capabilities in one line, or in ``several`` with a mark on all but the last."""
    rows = [""]
    for name in names:
        if several and rows[-1] and len(rows[-1]) + len(name) >= cap_room(door, word):
            rows.append("")
        rows[-1] += (" " if rows[-1] else "") + name
    for row in rows[:-1]:
        door.put(f"{cap_head(door, word)}{mark} :{row}")
    door.put(f"{cap_head(door, word)} :{rows[-1]}")


def cap_ls(door: IrcDoor, line: Line) -> None:
    """https://ircv3.net/specs/extensions/capability-negotiation#the-cap-ls-subcommand"""
    if not door.registered:
        door.negotiating = True
    digits = line.params[1] if len(line.params) > 1 else ""
    version = int(digits) if digits.isascii() and digits.isdigit() else 301
    door.version = max(door.version, version)  # the answer is for what is asked now, the higher one is remembered
    if door.version >= 302:
        door.recap({*door.caps, "cap-notify"})
    names = caps.shown(door.network, door.secure, version, door.certfp)
    if version < 302:
        names = caps.fitting(names, cap_room(door, "LS"))
    say_caps(door, "LS", names, several=version >= 302)


def cap_list(door: IrcDoor, line: Line) -> None:
    say_caps(door, "LIST", sorted(door.caps), several=door.version >= 302)


def cap_req(door: IrcDoor, line: Line) -> None:
    """All of them or none."""
    if not door.registered:
        door.negotiating = True
    text = " ".join(line.params[1:])
    known = caps.values(door.network, door.secure)
    wanted = set(door.caps)
    for word in text.split():
        off, name = word.startswith("-"), word.lstrip("-")
        if name not in known or name == "sts" or (off and name in caps.PINNED and door.version >= 302):
            door.put(f"{cap_head(door, 'NAK')} :{wire.cut(text, cap_room(door, 'NAK'))}")
            return
        (wanted.discard if off else wanted.add)(name)
    say_caps(door, "ACK", text.split(), several=True, mark="")
    door.recap(wanted)


def cap_end(door: IrcDoor, line: Line) -> Steps | None:
    if door.registered or not door.negotiating:
        return None
    door.negotiating = False
    return complete(door)


@command(
    "PASS",
    "password | nick:password",
    "Give the password of the server, or where it has none that of your nick, before NICK and USER.",
    least=1,
    early=True,
)
def pass_(door: IrcDoor, line: Line) -> Steps | None:
    if door.registered:
        door.reply("ERR_ALREADYREGISTERED")
    elif door.network.password:
        return pass_of_server(door, line.params[0])
    else:
        door.password_given = line.params[0]
    return None


def pass_of_server(door: IrcDoor, given: str) -> Steps:
    """The chat counts the guesses and says whether this one was taken."""
    answer = yield Guess(what="pass", right=door.network.opens(given))
    if isinstance(answer, Refused):
        door.reply("ERR_PASSWDMISMATCH", text=answer.text if answer.code != "wrong_password" else None)
        door.error("Closing link: Bad password")
    else:
        door.password_given = given


@command("USER", "user 0 * :real name", "Say who you are, once.", least=4, early=True)
def user(door: IrcDoor, line: Line) -> Steps | None:
    if door.registered:
        door.reply("ERR_ALREADYREGISTERED")
        return None
    name, real = line.params[0], line.params[3]
    if not name or not real:
        door.reply("ERR_NEEDMOREPARAMS", "USER")
        return None
    kept = "".join(char for char in name if char.isascii() and (char.isalnum() or char in "-_."))
    if not kept:  # said before anything else, and no reason to keep somebody out
        door.reply("ERR_INVALIDUSERNAME")
    door.user = "~" + (kept[: door.network.user_max] or "user")
    door.real = wire.cut(real, door.network.real_max)
    return complete(door)


def valid_nick(door: IrcDoor, nick: str) -> bool:
    """Can a client have this name? A login that IRC can write in one word."""
    if not nick or len(nick) > door.network.nick_max or nick[0] in "-:" or " " in nick:
        return False
    return bool(rules.good_login(nick, rules.Limits())) and door.network.fold(nick) not in SERVICE_NAMES


SERVICE_NAMES = frozenset({"nickserv", "chanserv", "histserv", "receipts"})


@command("NICK", "nick", "Take a name.", early=True)
def nick(door: IrcDoor, line: Line) -> Steps | None:
    wanted = line.params[0] if line.params else ""
    if not wanted:
        door.reply("ERR_NONICKNAMEGIVEN")
    elif not valid_nick(door, wanted):
        door.reply("ERR_ERRONEUSNICKNAME", wire.cut(wanted, 64).split(" ")[0])
    elif not door.registered:
        door.nick = wanted
        return complete(door)
    elif wanted != door.nick:
        return change_nick(door, wanted)
    return None


def change_nick(door: IrcDoor, wanted: str) -> Steps:
    old = door.login
    fold = door.network.fold
    if door.account and fold(door.account) == fold(wanted) != fold(old):
        from tcpchat.doors.irc import identifying

        yield from identifying.come_home(door)
        return
    if door.account and fold(door.account) == fold(old) != fold(wanted):
        text = "Your login stays yours under every client; to give it another name: /msg NickServ RENAME name"
        door.reply("ERR_NONICKCHANGE", text=text)
        return
    answer = yield Rename(to=wanted)
    if isinstance(answer, Refused):
        refusals.refuse(door, answer, refusals.NICK, wanted, command="NICK")
    elif door.login == old:  # the news was missed: this client was still catching up
        events.on_renamed(door, Presence(login=old, what="renamed", text=wanted))


def complete(door: IrcDoor) -> Steps | None:
    """Register as soon as everything is said."""
    if door.registered or door.negotiating or not door.nick or not door.user:
        return None
    if door.exchange is not None:  # whoever ends the talks ends the login too (sasl-3.1, "The AUTHENTICATE command")
        door.exchange = None
        door.reply("ERR_SASLABORTED")
    if not door.network.opens(door.password_given):
        door.reply("ERR_PASSWDMISMATCH")
        door.error("Closing link: Bad password")
        return None
    return register(door)


def hello(door: IrcDoor) -> Hello:
    account = door.proved
    device = door.device = device_of(door) if account else ""
    return Hello(
        login=account if account and door.network.fold(account) == door.network.fold(door.nick) else door.nick,
        device=device,
        label="irc",
        name=door.real,
        account=account,
        host=f"{door.user}@{host(door)}",
    )


def device_of(door: IrcDoor) -> str:
    """The device this client is: the same when it comes back, another one while its like is heard elsewhere.

    Whoever has not been heard for a while is a ghost: the chat ends it when the same device says hello.
    """
    key, heirs = door.network.fold(door.nick), door.network.heirs  # an account may be here under another nick
    face = door.network.people.get(key)
    taken = face.devices(door.now - GHOST_SECONDS) if face is not None else frozenset()
    for number in count(1):
        name = f"irc:{door.user}" + (f":{number}" if number > 1 else "")
        name = heirs.get((key, name), name)
        if name not in taken:
            return name
    raise AssertionError("numbers have no end")


def host(door: IrcDoor) -> str:
    return door.network.cloak(door.address)


def register(door: IrcDoor) -> Steps:
    """Say hello to the chat; a name that is taken is answered and another one awaited."""
    door.commands.append(hello(door))
    answer = yield Wait("hello")
    if isinstance(answer, Challenge):
        password = own_password(door) if not door.network.password else ""
        if not password:
            claimed(door)
            return
        door.commands.append(Password(password=password))
        answer = yield Wait("hello")
    if isinstance(answer, Welcome):
        yield from welcome(door, answer)
    elif isinstance(answer, Refused):
        if answer.code in ("claimed", "wrong_password", "wrong_proof"):
            claimed(door)
        else:
            refused, door.nick = door.nick, ""  # it never was this client's: it is addressed as "*"
            refusals.refuse(door, answer, refusals.NICK, refused, command="NICK")
            if answer.fatal:
                door.error(f"Closing link: {answer.text}")


def own_password(door: IrcDoor) -> str:
    """The password that PASS has given for the nick: ``password``, or ``nick:password``. What stands before the first
    colon is taken off only when it is the nick, so that a password may hold colons."""
    login, colon, rest = door.password_given.partition(":")
    return rest if colon and door.network.fold(login) == door.network.fold(door.nick) else door.password_given


CLAIMED = "This name belongs to somebody: log in with SASL or PASS, or take another and tell NickServ IDENTIFY"


def claimed(door: IrcDoor) -> None:
    taken, door.nick = door.nick, ""
    door.wanted = taken
    door.reply("ERR_NICKNAMEINUSE", taken, text=CLAIMED)


# -- the welcome ---------------------------------------------------------------------------------------------


def settle(door: IrcDoor, event: Welcome) -> None:
    """Be who the chat says."""
    network = door.network
    door.registered = door.entering = True
    door.receipts.waiting = False
    door.receipts.begun = door.now
    network.strangers.discard(door)
    door.login, door.nick = event.login, nick_of(event.login)
    door.account = event.account or (event.login if event.claimed else "")
    door.head, door.receipts.told, door.receipts.asked = event.head, event.after, event.after
    face = door.me = network.face(event.login)
    chghost.dress(door, door.user, host(door))
    face.real = face.real if face.doors else door.real
    face.login, face.account, face.secure = event.login, door.account, door.secure
    face.spoke = door.now
    if door not in face.doors:
        face.doors.append(door)
    network.arrive(event.login)
    if door.account:
        face.wear("r")
    if door.secure:
        face.wear("Z")
    preferences.wear_modes(door)


def welcome(door: IrcDoor, event: Welcome) -> Steps:
    settle(door, event)
    face = door.me
    greet(door)
    rooms = yield Wait("rooms")
    state = yield Wait("state")
    yield from lusers(door, state)
    motd(door)
    worn = set(face.modes) & (preferences.LASTING_MODES | set("rZ"))
    if worn:
        modes = "".join(sorted(worn))
        door.put(f":{face.mask} MODE {door.nick} +{modes}")
    yield from metadata.burst(door)
    if event.lost:
        door.notice(events.SET_BACK)
    yield from enter_rooms(door, rooms)
    door.entering = False
    if door.away:
        yield from away_early(door)


def away_early(door: IrcDoor) -> Steps:
    from tcpchat.doors.irc import people

    yield from people.go_away(door, door.away, quiet=True)


def greet(door: IrcDoor) -> None:
    network = door.network
    if not network.greeting:
        network.greeting = greeting(network)
    door.rows([("001", f":Welcome to the {network.name} network, {network.mask(door.login)}"), *network.greeting])
    if door.version:  # plain clients would show their users two lines they cannot read
        modes.list_props(door)


def greeting(network: Network) -> list[tuple[str, str]]:
    """What everybody is told behind the welcome."""
    made = encode.day_and_time(network.started)
    letters = f"{''.join(sorted(USER_MODES))} {''.join(sorted(CHANNEL_MODES))}"
    return [
        ("002", f":Your host is {network.server}, running version {PROGRAM}"),
        ("003", f":This server was created {made}"),
        ("004", f"{network.server} {PROGRAM} {letters} Ibeklov"),
        *features(network),
    ]


def features(network: Network) -> list[tuple[str, str]]:
    """The lines of 005."""
    tokens, text = network.isupport(), NUMERICS["RPL_ISUPPORT"].text
    pieces = [tokens[start : start + 12] for start in range(0, len(tokens), 12)]  # at most 13 tokens fit 15 parameters
    return [("005", f"{' '.join(piece)} :{text}") for piece in pieces]


def isupport(door: IrcDoor) -> None:
    door.rows(features(door.network))


@command("ISUPPORT", "", "The features of this server.", early=True)
def isupport_command(door: IrcDoor, line: Line) -> None:
    isupport(door)


@command("LUSERS", "", "How many people are here.")
def lusers_command(door: IrcDoor, line: Line) -> Steps:
    return lusers(door)


def lusers(door: IrcDoor, known: State | None = None) -> Steps:
    """The numbers; at the welcome some may be seconds old, counting them is not for free."""
    network = door.network
    state = known or (yield Status())
    online = state.online if isinstance(state, State) else network.here
    invisible, opers = network.count_worn(fresh=known is None)
    network.peak = peak = max(network.peak, online)
    if known is None or door.now - network.counted > COUNTED_SECONDS:
        rooms = yield channels.every_room()
        found = rooms.rooms if isinstance(rooms, RoomList) else ()
        shown = [room for room in found if room.to.startswith("#") and not events.hidden(door, room.to)]
        network.channels, network.counted = len(shown), door.now
    users = f"There are {max(online - invisible, 0)} users and {min(invisible, online)} invisible on 1 server(s)"
    table = (
        ("RPL_LUSERCLIENT", "", users),
        ("RPL_LUSEROP", f"{opers} ", ""),
        ("RPL_LUSERUNKNOWN", f"{len(network.strangers)} ", ""),
        ("RPL_LUSERCHANNELS", f"{network.channels} ", ""),
        ("RPL_LUSERME", "", f"I have {online} clients and 0 servers"),
        ("RPL_LOCALUSERS", f"{online} {peak} ", f"Current local users {online}, max {peak}"),
        ("RPL_GLOBALUSERS", f"{online} {peak} ", f"Current global users {online}, max {peak}"),
    )
    door.rows([(NUMERICS[name].code, f"{words}:{text or NUMERICS[name].text}") for name, words, text in table])


def motd(door: IrcDoor) -> None:
    lines = door.network.motd()
    if not lines:
        door.reply("ERR_NOMOTD")
        return
    door.reply("RPL_MOTDSTART", text=f"- {door.network.server} Message of the day -")
    for row in lines:
        for piece in wire.pieces(row, 400):
            door.reply("RPL_MOTD", text="- " + piece)
    door.reply("RPL_ENDOFMOTD")


@command("MOTD", "[server]", "The message of the day.")
def motd_command(door: IrcDoor, line: Line) -> None:
    if door_is_meant(door, line):
        motd(door)


def door_is_meant(door: IrcDoor, line: Line, place: int = 0) -> bool:
    """False, and 402, when a server parameter names another server than this one."""
    if len(line.params) <= place or not line.params[place]:
        return True
    name = line.params[place]
    known = wire.matches(name, door.network.server) or door.network.face_online(name)
    if not known:
        door.reply("ERR_NOSUCHSERVER", name)
    return known


def enter_rooms(door: IrcDoor, rooms: RoomList) -> Steps:
    """Show the rooms this login is in, and go where everybody goes."""
    network = door.network
    for row in rooms.rooms:
        if row.to.startswith("#") and row.member and not events.hidden(door, row.to):
            joins.entered(door, row.to)
            yield from channels.describe(door, row.to, row)
    if network.lobby and network.fold(network.lobby) not in door.rooms:
        answer = yield Join(room=network.lobby)
        if not isinstance(answer, Refused):
            joins.entered(door, network.lobby)
            yield from channels.describe(door, network.lobby)


# -- signs of life, and the end ------------------------------------------------------------------------------


@command("PING", "token", "Ask for a PONG.", early=True)
def ping(door: IrcDoor, line: Line) -> None:
    if not line.params or not line.params[0]:
        door.reply("ERR_NOORIGIN")
    elif not door.registered:
        door.put(f":{door.network.server} PONG {door.network.server} :{line.params[0]}")
    else:
        door.put(wire.join("PONG", [door.network.server, line.params[0]], door.network.server))


@command("PONG", "token", "Answer a PING.", early=True)
def pong(door: IrcDoor, line: Line) -> None:
    if line.params:
        door.receipts.pong(line.params[-1])


@command("QUIT", "[reason]", "Leave the chat.", early=True)
def quit_(door: IrcDoor, line: Line) -> None:
    why = wire.cut(line.params[0], door.network.kick_max) if line.params and line.params[0] else "Quit"
    if door.registered and why != "Connection closed":
        door.put(f":{door.network.mask(door.login)} QUIT :Quit: {why}")
    door.quit(why)


@command("ERROR", "", "Ignored.", early=True)
def error(door: IrcDoor, line: Line) -> None:
    """Servers send this, not clients."""


@command("SETNAME", ":real name", "Change your real name.", least=1)
def setname(door: IrcDoor, line: Line) -> Steps | None:
    real = line.params[-1]
    if not real or len(real.encode()) > door.network.real_max:
        door.fail("SETNAME", "INVALID_REALNAME", text="Invalid real name")
        return None
    return rename_real(door, real)


def rename_real(door: IrcDoor, real: str) -> Steps:
    door.renaming += (real,)
    answer = yield Set(key="name", value=real)
    if isinstance(answer, Refused):
        door.renaming = events.without(door.renaming, real)
        door.fail("SETNAME", "CANNOT_CHANGE_REALNAME", text=answer.text)
        return
    door.real = door.network.face(door.login).real = real
    if "setname" in door.caps:  # at once: in a crowd the chat gathers its news for a while
        events.show_name(door, door.login, real)
