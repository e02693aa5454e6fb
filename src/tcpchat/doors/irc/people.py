"""Who is who: WHO, WHOIS, WHOWAS, ISON, USERHOST, AWAY, MONITOR."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcpchat.core.model import Away, People, Person, Refused, Who
from tcpchat.doors.irc import channels, encode, events, joins, wire
from tcpchat.doors.irc.commands import TURN, Asks, Steps, command
from tcpchat.doors.irc.network import nick_of

if TYPE_CHECKING:
    from tcpchat.doors.irc.door import IrcDoor
    from tcpchat.doors.irc.network import Face
    from tcpchat.doors.irc.wire import Line

WHOX = "tcuihsnfdlaor"  # the order of fields in 354 (https://ircv3.net/specs/extensions/whox)
ROWS_A_TURN = 50  # people looked at or shown before others have their turn
WHO_MAX = 500  # people of one WHO with a mask


def learn(door: IrcDoor, person: Person) -> Face:
    """Bring the directory up to date with what the chat says of somebody."""
    face = door.network.face(person.login)
    face.login, face.account, face.away = person.login, person.account, person.away
    face.real = person.name or face.real
    face.secure = person.secure or face.secure
    if person.online:
        door.network.arrive(person.login)
    if person.bot:
        face.wear("B")
    if person.since and not face.doors:
        face.signon, face.spoke = person.since / 1000, person.seen / 1000
    return face


# -- WHO -----------------------------------------------------------------------------------------------------


@command("WHO", "[mask [o|%fields,token]]", "Who is here, or in a room.")
def who(door: IrcDoor, line: Line) -> Steps:
    asked = line.params[0] if line.params else "*"
    options = line.params[1] if len(line.params) > 1 else ""
    flags, percent, rest = options.partition("%")
    fields, _, token = rest.partition(",")
    chosen = [letter for letter in WHOX if letter in fields] if percent else None
    room = asked if channels.is_channel(asked) else ""
    room, people = yield from found(door, asked, room)
    for place, person in enumerate(people[:WHO_MAX], 1):
        if place % ROWS_A_TURN == 0:
            yield TURN
        face = learn(door, person)
        if "o" in flags and "o" not in face.modes:
            continue
        if room or not hides(door, face, person, exact=door.network.fold(asked) == door.network.fold(person.login)):
            who_line(door, person, face, room or "*", chosen, token)
    door.reply("RPL_ENDOFWHO", asked or "*")


def found(door: IrcDoor, asked: str, room: str) -> Asks[tuple[str, list[Person]]]:
    """The room a WHO asks for, as it is really written ("" for none), and the people."""
    if room:
        if events.hidden(door, room):
            return room, []
        row = yield from channels.info(door, room)
        if row is None or (not row.member and channels.switch(row, "secret")):
            return room, []
        people = yield from channels.members(door, room)
        return row.to, [person for person in people or () if person.online]
    if not any(char in "*?" for char in asked) and asked not in ("", "0"):
        return "", (yield from one(door, asked))
    answer = yield Who()
    people = answer.people if isinstance(answer, People) else ()
    asked = "*" if asked in ("", "0") else asked
    return "", [person for person in people if person.online and who_matches(door, asked, person)]


def who_matches(door: IrcDoor, asked: str, person: Person) -> bool:
    face = door.network.face(person.login)
    words = (nick_of(person.login), face.user.lstrip("~"), face.host, door.network.server, person.name)
    return any(wire.matches(asked, word) for word in words)


def one(door: IrcDoor, nick: str) -> Asks[list[Person]]:
    """The person of this name, as a list of one, or none."""
    answer = yield Who(to="@" + nick.lstrip("@"), all=True)
    people = answer.people if isinstance(answer, People) else ()
    return [person for person in people if person.online]


def hides(door: IrcDoor, face: Face, person: Person, exact: bool) -> bool:
    """+i: not shown to strangers who do not name it exactly."""
    if "i" not in face.modes or exact or door.is_me(person.login) or "o" in door.network.face(door.login).modes:
        return False
    return not joins.shared(door, person.rooms)


def who_flags(door: IrcDoor, person: Person, face: Face, room: str) -> str:
    flags = "G" if person.away or face.away else "H"
    flags += "*" if "o" in face.modes else ""
    flags += "B" if "B" in face.modes else ""
    return flags + (channels.marks(person, door.caps) if room != "*" else "")


def who_line(door: IrcDoor, person: Person, face: Face, room: str, fields: list[str] | None, token: str) -> None:
    nick, server = nick_of(person.login), door.network.server
    flags = who_flags(door, person, face, room)
    if fields is None:
        real = f"0 {person.name or face.real}"
        door.reply("RPL_WHOREPLY", room, face.user, face.host, server, nick, flags, text=real)
        return
    values = {
        "t": token or "0", "c": room, "u": face.user, "i": shown_ip(door, person, face), "h": face.host, "s": server,
        "n": nick, "f": flags, "d": "0", "l": str(idle(door, face)), "a": nick_of(face.account) or "0", "o": "0",
        "r": person.name or face.real,
    }  # fmt: skip
    words = [values[field] for field in fields]
    if "r" in fields:
        door.reply("RPL_WHOSPCRPL", *words[:-1], text=words[-1] or " ")
    else:
        door.reply("RPL_WHOSPCRPL", *words)


def shown_ip(door: IrcDoor, person: Person, face: Face) -> str:
    """Addresses are nobody else's business."""
    own = door.is_me(person.login) or "o" in door.network.face(door.login).modes
    return (face.address if own else "") or "255.255.255.255"


def idle(door: IrcDoor, face: Face) -> int:
    """Seconds since somebody has said something."""
    return max(0, int(door.now - face.spoke)) if face.spoke else 0


# -- WHOIS and WHOWAS ----------------------------------------------------------------------------------------


@command("WHOIS", "[server] nick", "Everything about somebody.", least=1, missing="ERR_NONICKNAMEGIVEN")
def whois(door: IrcDoor, line: Line) -> Steps:
    if len(line.params) > 1:
        from tcpchat.doors.irc.registration import door_is_meant

        if not door_is_meant(door, line):
            return
    asked = line.params[-1].split(",")[0]
    people: list[Person] = (yield from one(door, asked)) if asked else []
    if not people:
        service = whois_service(door, asked)
        if not service:
            door.reply("ERR_NOSUCHNICK", asked or "*")
    for person in people:
        whois_lines(door, person, learn(door, person))
    door.reply("RPL_ENDOFWHOIS", nick_of(people[0].login) if people else asked or "*")


def whois_service(door: IrcDoor, asked: str) -> bool:
    from tcpchat.doors.irc import services

    service = services.find(asked)
    if service is None:
        return False
    host = "services." + door.network.name.lower()
    door.reply("RPL_WHOISUSER", service.name, service.name, host, "*", text=service.help)
    door.reply("RPL_WHOISSERVER", service.name, door.network.server, text=door.network.description)
    return True


def whois_lines(door: IrcDoor, person: Person, face: Face) -> None:
    nick, network = nick_of(person.login), door.network
    mine = network.face(door.login)
    door.reply("RPL_WHOISUSER", nick, face.user, face.host, "*", text=person.name or face.real or nick)
    if face.account:
        door.reply("RPL_WHOISACCOUNT", nick, nick_of(face.account))
    whois_rooms(door, person, face)
    door.reply("RPL_WHOISSERVER", nick, network.server, text=network.description)
    if "o" in face.modes:
        door.reply("RPL_WHOISOPERATOR", nick)
    if "B" in face.modes:
        door.reply("RPL_WHOISBOT", nick, text="is a bot")
    if face.secure:
        door.reply("RPL_WHOISSECURE", nick)
    if face.doors and (door.is_me(person.login) or "o" in mine.modes):
        for shown in face.certificates():
            door.reply("RPL_WHOISCERTFP", nick, text=f"has client certificate fingerprint {shown}")
        address = face.address or "255.255.255.255"
        mask = f"{face.user}@{face.host}"
        door.reply("RPL_WHOISACTUALLY", nick, mask, address, text="Actual user@host, Actual IP")
        if face.modes:
            door.reply("RPL_WHOISMODES", nick, text="is using modes +" + "".join(sorted(face.modes)))
    if person.away or face.away:
        door.reply("RPL_AWAY", nick, text=person.away or face.away)
    from tcpchat.doors.irc import metadata

    metadata.whois(door, person.login)
    door.reply(
        "RPL_WHOISIDLE",
        nick,
        idle(door, face),
        int(face.signon or network.started),
        text="seconds idle, signon time",
    )


def whois_rooms(door: IrcDoor, person: Person, face: Face) -> None:
    ranks = person.ranks or ("",) * len(person.rooms)
    marked = zip(ranks, person.rooms, strict=False)
    shown = [channels.MARKS.get(rank, "")[:1] + room for rank, room in marked if not events.hidden(door, room)]
    if "i" in face.modes and not door.is_me(person.login) and "o" not in door.network.face(door.login).modes:
        shown = [room for room in shown if door.network.fold(room.lstrip("@+")) in door.rooms]
    if shown:
        door.reply("RPL_WHOISCHANNELS", nick_of(person.login), text=" ".join(shown))


@command("WHOWAS", "nick{,nick} [count]", "Who had this name.", missing="ERR_NONICKNAMEGIVEN", least=1)
def whowas(door: IrcDoor, line: Line) -> Steps:
    network = door.network
    count = line.params[1] if len(line.params) > 1 else ""
    most = int(count) if count.isascii() and count.isdigit() and int(count) > 0 else 1_000
    nicks = [nick for nick in line.params[0].split(",") if nick][:10]
    keys = {network.fold(nick) for nick in nicks}
    seen: set[str] = set()
    for place, (login, user, host, real, when) in enumerate(list(network.gone), 1):
        if place % ROWS_A_TURN == 0:
            yield TURN
        fits = network.fold(login) in keys or any("*" in nick and wire.matches(nick, login) for nick in nicks)
        if fits and most > 0:
            most -= 1
            seen.add(network.fold(login))
            nick = nick_of(login)
            door.reply("RPL_WHOWASUSER", nick, user, host, "*", text=real or nick)
            stamp = encode.day_and_time(when)
            door.reply("RPL_WHOISSERVER", nick, network.server, text=stamp)
    for nick in nicks:
        if network.fold(nick) not in seen and "*" not in nick:
            door.reply("ERR_WASNOSUCHNICK", nick)
    door.reply("RPL_ENDOFWHOWAS", line.params[0])


# -- ISON and USERHOST ---------------------------------------------------------------------------------------


@command("ISON", "nick{ nick}", "Which of them are here.", least=1)
def ison(door: IrcDoor, line: Line) -> Steps:
    here = []
    for nick in " ".join(line.params).split()[:60]:
        for person in (yield from one(door, nick)):
            here.append(nick_of(person.login))
    door.put(f":{door.network.server} 303 {door.nick} :{' '.join(here)}")


@command("USERHOST", "nick{ nick}", "Where up to five people come from.", least=1)
def userhost(door: IrcDoor, line: Line) -> Steps:
    rows = []
    for nick in line.params[:5]:
        for person in (yield from one(door, nick)):
            face = learn(door, person)
            star = "*" if "o" in face.modes else ""
            sign = "-" if face.away else "+"
            rows.append(f"{nick_of(person.login)}{star}={sign}{face.user}@{face.host}")
    door.put(f":{door.network.server} 302 {door.nick} :{' '.join(rows)}")


@command("USERIP", "nick", "Not told here.", least=1)
def userip(door: IrcDoor, line: Line) -> None:
    door.put(f":{door.network.server} 340 {door.nick} :")


# -- AWAY ----------------------------------------------------------------------------------------------------


@command("AWAY", "[text]", "Say that you are away, or back.", early=True)
def away(door: IrcDoor, line: Line) -> Steps | None:
    text = wire.cut(line.params[0], door.network.away_max) if line.params else ""
    if door.registered:
        return go_away(door, text)
    if "draft/pre-away" in door.caps:
        door.away = text
        door.reply("RPL_NOWAWAY" if text else "RPL_UNAWAY")
    else:
        door.reply("ERR_NOTREGISTERED")
    return None


def go_away(door: IrcDoor, text: str, quiet: bool = False) -> Steps:
    # "*" means away for lack of a person, and says nothing (https://ircv3.net/specs/extensions/pre-away)
    answer = yield Away(why="Away" if text == "*" else text)
    if isinstance(answer, Refused):
        door.notice(answer.text)
        return
    door.away = text
    door.network.face(door.login).away = text
    if not quiet:
        door.reply("RPL_NOWAWAY" if text else "RPL_UNAWAY")


# -- MONITOR -------------------------------------------------------------------------------------------------


@command("MONITOR", "+|-|C|L|S [nick{,nick}]", "Be told when somebody comes and goes.", least=1)
def monitor(door: IrcDoor, line: Line) -> Steps | None:
    """https://ircv3.net/specs/extensions/monitor"""
    word = line.params[0].upper()
    nicks = [nick for nick in line.params[1].split(",") if nick] if len(line.params) > 1 else []
    if word == "+":
        return monitor_add(door, nicks)
    if word == "S":
        return monitor_status(door, list(door.monitored.values()))
    if word == "-":
        gone = set(map(door.network.fold, nicks))
        door.monitored = {key: nick for key, nick in door.monitored.items() if key not in gone}
    elif word == "C":
        door.monitored = {}
    elif word == "L":
        for row in rows_of(list(door.monitored.values())):
            door.reply("RPL_MONLIST", text=row)
        door.reply("RPL_ENDOFMONLIST")
    else:
        door.reply("ERR_UNKNOWNERROR", "MONITOR", text="Unknown subcommand")
    return None


def monitor_add(door: IrcDoor, nicks: list[str]) -> Steps:
    from tcpchat.doors.irc.registration import valid_nick

    added: list[str] = []
    refused: list[str] = []
    for place, nick in enumerate(nicks[: 2 * door.network.monitor_max]):
        if not valid_nick(door, nick):
            refused.append(nick)
        elif len(door.monitored) >= door.network.monitor_max and door.network.fold(nick) not in door.monitored:
            yield from monitor_status(door, added)
            door.reply("ERR_MONLISTFULL", door.network.monitor_max, ",".join(nicks[place:]))
            return
        else:
            door.monitored = {**door.monitored, door.network.fold(nick): nick}
            added.append(nick)
    for nick in refused:
        door.reply("RPL_MONOFFLINE", text=nick)
    yield from monitor_status(door, added)


def monitor_status(door: IrcDoor, nicks: list[str]) -> Steps:
    here: list[str] = []
    gone: list[str] = []
    for nick in nicks:
        people = yield from one(door, nick)
        if people:
            here.append(learn(door, people[0]).mask)
        else:
            gone.append(nick)
    for row in rows_of(here):
        door.reply("RPL_MONONLINE", text=row)
    for row in rows_of(gone):
        door.reply("RPL_MONOFFLINE", text=row)


def rows_of(words: list[str]) -> list[str]:
    """Words joined by commas, in rows that fit a line."""
    rows: list[str] = []
    for word in words:
        if rows and len(rows[-1]) + len(word) < 380:
            rows[-1] += "," + word
        else:
            rows.append(word)
    return rows
