"""Operators of the server: OPER, KILL, WALLOPS, REHASH."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from tcpchat.core.model import Admin, Announced, Done, Guess, Kick, Password, People, Refused, Who
from tcpchat.doors.irc import refusals, wire
from tcpchat.doors.irc.commands import Steps, command

if TYPE_CHECKING:
    from tcpchat.doors.irc.door import IrcDoor
    from tcpchat.doors.irc.wire import Line


WALLOPS = "wallops"  # the kind of such an announcement
SETTINGS = "config.toml"  # the file of settings, as the answer to REHASH names it
WORDS_MAX = 380  # bytes of it in one line; before them stand a mask and the command


def is_oper(door: IrcDoor) -> bool:
    return "o" in door.network.face(door.login).modes


@command("OPER", "name password", "Become an operator of the server.", least=2)
def oper(door: IrcDoor, line: Line) -> Steps | None:
    network = door.network
    right = bool(network.oper_name and network.oper_password)
    right &= hmac.compare_digest(line.params[0].encode(), network.oper_name.encode())
    right &= hmac.compare_digest(line.params[1].encode(), network.oper_password.encode())
    if not right and door.account and network.fold(line.params[0]) == network.fold(door.account):
        return own_role(door, line.params[1])
    return become(door, right)


def own_role(door: IrcDoor, password: str) -> Steps:
    """An owner or moderator of the chat shows the own password again, and acts as such from then on."""
    answer = yield Password(password=password, account=door.account)
    people = yield Who(to="@" + door.login)
    roles = [person.role for person in people.people] if isinstance(people, People) else []
    if isinstance(answer, Done) and roles and roles[0] in ("owner", "moderator"):
        yield from become(door, True)
    else:
        not_taken(door, answer)


def not_taken(door: IrcDoor, answer: object) -> None:
    """A password that was wrong, too soon, or in plain."""
    if isinstance(answer, Refused) and answer.code != "wrong_password":
        refusals.refuse(door, answer, {}, command="OPER")
    else:
        door.reply("ERR_PASSWDMISMATCH")


def become(door: IrcDoor, right: bool) -> Steps:
    answer = yield Guess(what="oper", right=right)
    if isinstance(answer, Refused):
        not_taken(door, answer)
        return
    door.network.face(door.login).wear("o")
    door.reply("RPL_YOUREOPER")
    door.put(f":{door.network.mask(door.login)} MODE {door.nick} +o")


@command("KILL", "nick [reason]", "Cut somebody's connections.", least=1)
def kill(door: IrcDoor, line: Line) -> Steps | None:
    if not is_oper(door):
        door.reply("ERR_NOPRIVILEGES")
        return None
    why = wire.cut(line.params[1], door.network.kick_max) if len(line.params) > 1 else "No reason given"
    return kill_one(door, line.params[0], why)


def kill_one(door: IrcDoor, nick: str, why: str) -> Steps:
    answer = yield Kick(room="", login=nick, why=f"Killed ({door.nick} ({why}))")
    if isinstance(answer, Refused):
        if answer.code == "no_such_login":
            door.reply("ERR_NOSUCHNICK", nick)
        else:
            door.reply("ERR_NOPRIVILEGES", text=answer.text)


@command("WALLOPS", ":text", "Tell everybody who wants to hear operators.", least=1)
def wallops(door: IrcDoor, line: Line) -> Steps | None:
    if not is_oper(door):
        door.reply("ERR_NOPRIVILEGES")
        return None
    return announce(door, line.params[-1])


def announce(door: IrcDoor, text: str) -> Steps:
    answer = yield Admin("announce", {"text": text, "kind": WALLOPS})
    if not isinstance(answer, Refused):
        return
    if answer.code == "not_allowed":
        door.reply("ERR_NOPRIVILEGES")
    else:
        refusals.refuse(door, answer, {}, command="WALLOPS")


def on_announced(door: IrcDoor, event: Announced) -> None:
    """Words of an operator for those who want to hear such."""
    network = door.network
    if event.kind == WALLOPS and {"w", "o"} & set(door.me.modes):
        source = network.mask(event.by) if network.fold(event.by) in network.people else network.server
        for row in event.text.splitlines():
            for piece in wire.pieces(row, WORDS_MAX):
                door.put(f":{source} WALLOPS :{piece}", (), event.at)


@command("REHASH", "", "Read settings, message of the day and certificate again, as SIGHUP does.")
def rehash(door: IrcDoor, line: Line) -> None:
    if not is_oper(door):
        door.reply("ERR_NOPRIVILEGES")
        return
    problems = door.network.reload()
    door.reply("RPL_REHASHING", SETTINGS)
    for problem in problems:
        door.notice(problem)
