"""What the server says of itself: VERSION, TIME, INFO, HELP, ADMIN, STATS, LINKS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcpchat.doors.irc import encode
from tcpchat.doors.irc.commands import COMMANDS, command
from tcpchat.doors.irc.registration import PROGRAM, door_is_meant, isupport

if TYPE_CHECKING:
    from tcpchat.doors.irc.door import IrcDoor
    from tcpchat.doors.irc.wire import Line

INFO = (
    "tcpchat: one command, one port, every client, no lost message.",
    "You share the rooms with terminal, browser and native clients.",
    "What you miss while away is shown when you come back; /msg HistServ HELP",
    "Who has your messages: /RECEIPTS, or /msg Receipts last",
)


@command("VERSION", "[server]", "The version of the server.")
def version(door: IrcDoor, line: Line) -> None:
    if door_is_meant(door, line):
        door.reply("RPL_VERSION", PROGRAM, door.network.server, text=door.network.description)
        isupport(door)


@command("TIME", "[server]", "The server's clock.")
def time_(door: IrcDoor, line: Line) -> None:
    if door_is_meant(door, line):
        text = encode.day_and_time(door.now, "%A, %d %B %Y, %H:%M:%S UTC")
        door.reply("RPL_TIME", door.network.server, text=text)


@command("INFO", "[server]", "About the server.")
def info(door: IrcDoor, line: Line) -> None:
    if door_is_meant(door, line):
        for row in INFO:
            door.reply("RPL_INFO", text=row)
        door.reply("RPL_ENDOFINFO")


@command("ADMIN", "[server]", "Who runs the server.")
def admin(door: IrcDoor, line: Line) -> None:
    if door_is_meant(door, line):
        server = door.network.server
        door.reply("RPL_ADMINME", server, text=f"Administrative info about {server}")
        door.reply("RPL_ADMINLOC1", text=door.network.description)
        door.reply("RPL_ADMINLOC2", text=f"Network {door.network.name}")
        door.reply("RPL_ADMINEMAIL", text="Ask an operator here: /WHO * o")


@command("LINKS", "", "The servers of the network, for its operators: this one.")
def links(door: IrcDoor, line: Line) -> None:
    """How a network is built is for its operators to know (https://modern.ircdocs.horse/#links-message)."""
    network = door.network
    if "o" in network.face(door.login).modes:
        door.reply("RPL_LINKS", network.server, network.server, text=f"0 {network.description}")
    door.reply("RPL_ENDOFLINKS", "*")


@command("MAP", "", "The same as a drawing.")
def map_(door: IrcDoor, line: Line) -> None:
    door.put(f":{door.network.server} 015 {door.nick} :{door.network.server}")
    door.put(f":{door.network.server} 017 {door.nick} :End of /MAP")


@command("STATS", "letter [server]", "A few numbers.")
def stats(door: IrcDoor, line: Line) -> None:
    letter = line.params[0][:1] if line.params else "*"
    if letter == "u":
        total = int(max(0, door.now - door.network.started))
        days, rest = divmod(total, 86_400)
        text = f"Server Up {days} days {rest // 3600}:{rest // 60 % 60:02d}:{rest % 60:02d}"
        door.reply("RPL_STATSUPTIME", text=text)
    elif letter == "m":
        for name in sorted(COMMANDS):
            door.reply("RPL_STATSCOMMANDS", name, 0, 0, 0)
    door.reply("RPL_ENDOFSTATS", letter or "*")


@command("HELP", "[command]", "Help on a command.")
def help_(door: IrcDoor, line: Line) -> None:
    subject = line.params[0] if line.params else ""
    if not subject:
        say_help(
            door,
            "*",
            ["The commands of this server:", *rows_of(sorted(COMMANDS)), "HELP COMMAND tells more."],
        )
        return
    spec = COMMANDS.get(subject.upper())
    if spec is None:
        door.reply("ERR_HELPNOTFOUND", subject)
    else:
        say_help(door, spec.name, [f"{spec.name} {spec.usage}".strip(), "", spec.help or "No more is known."])


@command("HELPOP", "[command]", "The same as HELP.")
def helpop(door: IrcDoor, line: Line) -> None:
    help_(door, line)


def rows_of(names: list[str]) -> list[str]:
    return [" ".join(names[start : start + 10]) for start in range(0, len(names), 10)]


def say_help(door: IrcDoor, subject: str, rows: list[str]) -> None:
    door.reply("RPL_HELPSTART", subject, text=rows[0])
    for row in rows[1:]:
        door.reply("RPL_HELPTXT", subject, text=row or " ")
    door.reply("RPL_ENDOFHELP", subject, text="End of help")
