"""Slash commands: one table for doing, help, completion and the documentation."""

from __future__ import annotations

import difflib
from typing import NamedTuple


class Command(NamedTuple):
    """One command. ``arg`` is what Tab completes: login, room, command, theme, or nothing."""

    name: str
    usage: str
    help: str
    aliases: tuple[str, ...] = ()
    arg: str = ""
    group: str = "talk"
    operator: bool = False


def _(text: str) -> str:
    """Marks a text for translation; it is translated where it is shown."""
    return text


TABLE: tuple[Command, ...] = (
    Command("help", "[COMMAND]", _("keys and commands, or one command"), ("?",), "command", "client"),
    Command("join", "ROOM [KEY]", _("join a room, or create it"), ("j",), "room", "rooms"),
    Command("leave", "[ROOM]", _("leave a room, or close a conversation"), ("part", "close"), "room", "rooms"),
    Command("msg", "LOGIN TEXT", _("send a message to one person"), ("dm",), "login"),
    Command("query", "LOGIN", _("open the conversation with one person"), (), "login"),
    Command("all", "TEXT", _("send a message to everybody (in #all)"), ("everyone",)),
    Command("who", "[ROOM]", _("who is here, or in a room"), ("names", "users"), "room", "people"),
    Command("status", "", _("show whether the server is available, and its latency"), ("ping",), "", "client"),
    Command("me", "ACTION", _("send an action")),
    Command("reply", "TEXT", _("answer the selected or the last message")),
    Command("edit", "TEXT", _("change your selected or last message")),
    Command("delete", "", _("delete your selected or last message")),
    Command("info", "[NUMBER]", _("who received a message, who has read it"), ("receipts",)),
    Command("resend", "", _("retry messages that were not sent")),
    Command("cancel", "", _("cancel messages that still wait here")),
    Command("search", "WORDS", _("search this room"), (), "", "moving"),
    Command("goto", "DATE", _("go to a day: 2025-11-22, 22.11., yesterday, 10:30"), (), "", "moving"),
    Command("unread", "", _("to the first unread message"), (), "", "moving"),
    Command("mentions", "", _("to the previous mention"), (), "", "moving"),
    Command("read", "[all]", _("mark the room, or all rooms, read"), (), "", "moving"),
    Command("topic", "[TEXT]", _("show or set the topic of the room"), (), "", "rooms"),
    Command("rooms", "", _("list all public rooms"), ("list",), "", "rooms"),
    Command("invite", "LOGIN", _("invite somebody into the room"), (), "login", "rooms"),
    Command("mute", "[ROOM]", _("no notifications and no unread counts for a room"), (), "room", "rooms"),
    Command("unmute", "[ROOM]", _("turn notifications of a room on again"), (), "room", "rooms"),
    Command("ignore", "LOGIN", _("hide what somebody says"), (), "login", "people"),
    Command("unignore", "LOGIN", _("stop ignoring somebody"), (), "login", "people"),
    Command("away", "[WHY]", _("set yourself away"), (), "", "people"),
    Command("back", "", _("set yourself back"), (), "", "people"),
    Command("nick", "NAME", _("change your login; history stays"), (), "", "people"),
    Command("whois", "LOGIN", _("show details about somebody"), (), "login", "people"),
    Command("register", "", _("make this login yours, with this machine's key"), (), "", "identity"),
    Command("passwd", "", _("set a password for this login"), (), "", "identity"),
    Command("keys", "", _("list the keys that open this login"), (), "", "identity"),
    Command("trust", "", _("the server's key, and how it is trusted"), (), "", "identity"),
    Command("set", "NAME [VALUE]", _("show or change a setting"), (), "setting", "client"),
    Command("theme", "NAME", _("change the colours"), (), "theme", "client"),
    Command("notify", "all|mentions|none", _("choose what notifies you"), (), "", "client"),
    Command("mouse", "on|off", _("use the mouse, or leave it to the terminal"), (), "", "client"),
    Command("clear", "", _("empty the screen; nothing is deleted"), (), "", "client"),
    Command("win", "NUMBER", _("go to a room by its number; /3 does too"), ("buffer",), "", "moving"),
    Command("connect", "HOST[:PORT]", _("go to another server"), (), "", "client"),
    Command("disconnect", "", _("close the connection, keep the screen"), (), "", "client"),
    Command("reconnect", "", _("try again now"), (), "", "client"),
    Command("menu", "", _("continue in the numbered menu"), (), "", "client"),
    Command("suspend", "", _("to the shell; fg comes back"), (), "", "client"),
    Command("quit", "[WHY]", _("quit"), ("exit", "q"), "", "client"),
    Command("kick", "LOGIN [WHY]", _("remove somebody from the room"), (), "login", "operator", True),
    Command("ban", "LOGIN [TIME] [WHY]", _("ban somebody from the whole chat"), (), "login", "operator", True),
    Command("unban", "LOGIN", _("lift a ban"), (), "login", "operator", True),
    Command("op", "LOGIN", _("make somebody an operator of the room"), (), "login", "operator", True),
    Command("deop", "LOGIN", _("remove operator status"), (), "login", "operator", True),
    Command("announce", "TEXT", _("send an announcement to everybody, as the server"), (), "", "operator", True),
    Command("shrug", "[TEXT]", _("append a shrug")),
    Command("tableflip", "[TEXT]", _("append a table flip")),
)
BY_NAME: dict[str, Command] = {name: one for one in TABLE for name in (one.name, *one.aliases)}
GROUPS = {
    "talk": _("Talking"),
    "moving": _("Moving about"),
    "rooms": _("Rooms"),
    "people": _("People"),
    "identity": _("Who you are"),
    "client": _("This client"),
    "operator": _("Operators"),
}


class Parsed(NamedTuple):
    """What a line means: a command with its argument, a text to send (``command`` None), or a mistake."""

    command: Command | None
    rest: str
    unknown: str = ""
    near: str = ""


def parse(line: str) -> Parsed:
    """Read a line from the input. ``//x`` is the text ``/x``; ``/3`` is ``/win 3``; unknown commands are never text."""
    if line.startswith("//"):
        return Parsed(None, line[1:])
    if not line.startswith("/") or line.startswith("/ ") or line == "/":
        return Parsed(None, line)
    word, _, rest = line[1:].partition(" ")
    if "\n" in word:
        word, _, more = word.partition("\n")
        rest = f"{more} {rest}" if rest else more
    name = word.lower()
    if name.isdigit():
        return Parsed(BY_NAME["win"], name)
    if name in BY_NAME:
        return Parsed(BY_NAME[name], rest.strip())
    near = difflib.get_close_matches(name, BY_NAME, 1, 0.6)
    return Parsed(None, line, word, near[0] if near else "")
