"""The command line: ``tcpchat COMMAND``. One table; a command's module is imported when it is called, and no other."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NamedTuple

from tcpchat.i18n import _, language

USAGE, INTERRUPTED = 2, 130


class Entry(NamedTuple):
    """One command: where it lives, what it is for, and its other names."""

    module: str
    help: str
    aliases: tuple[str, ...] = ()
    connects: bool = True  # takes the options of a connection


COMMANDS: dict[str, Entry] = {
    "serve": Entry("serve", "run the chat: one port for every client", ("server",), False),
    "chat": Entry("chat", "the full-screen client", ()),
    "client": Entry("client", "the numbered menu; also for pipes and screen readers", ("menu",)),
    "send": Entry("send", "send a message and say what became of it"),
    "tail": Entry("tail", "show the last messages, and follow"),
    "search": Entry("search", "find messages by words"),
    "receipts": Entry("receipts", "who received a message, who has read it"),
    "who": Entry("who", "who is here"),
    "rooms": Entry("rooms", "list, join or leave rooms"),
    "status": Entry("status", "is the server available?"),
    "whoami": Entry("whoami", "the login, its keys, and where they are kept"),
    "login": Entry("login", "use one login on several devices"),
    "passwd": Entry("passwd", "set or change the password of a login"),
    "keys": Entry("keys", "list, add or revoke the keys of a login"),
    "trust": Entry("trust", "list, show, add or forget servers' keys", (), False),
    "admin": Entry("admin", "operate a server: roles, bans, accounts, tokens, backup", (), False),
    "config": Entry("config", "show settings and where they come from", (), False),
    "completion": Entry("completion", "completion for bash, zsh, fish or powershell", (), False),
    "doctor": Entry("doctor", "check terminal, colours, port, data folder", (), False),
}
ALIASES = {alias: name for name, entry in COMMANDS.items() for alias in entry.aliases}


def available() -> dict[str, Entry]:
    """The commands that this installation has."""
    from importlib.util import find_spec

    return {name: entry for name, entry in COMMANDS.items() if find_spec(f"{__name__}.{entry.module}") is not None}


def overview() -> argparse.ArgumentParser:
    """The parser of ``tcpchat --help``."""
    lines = [f"  {name:12}{_(entry.help)}" for name, entry in available().items()]
    words = _(
        "`tcpchat COMMAND --help` says more. With a screen reader use `tcpchat client`\n"
        "(one line per event) or the web page."
    )
    made = argparse.ArgumentParser(
        prog="tcpchat",
        usage="tcpchat COMMAND [...]",
        description=_("One command, one port, every client, no lost message."),
        epilog="\n".join([_("commands:"), *lines, "", words]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("-V", "--version", action="store_true", help=_("print the version"))
    return translated(made)


def parser(name: str) -> argparse.ArgumentParser:
    """The parser of one command."""
    entry = COMMANDS[name]
    help = _(entry.help)
    made = argparse.ArgumentParser(
        prog=f"tcpchat {name}", description=help[0].upper() + help[1:] + ("" if help.endswith("?") else ".")
    )
    import_module(f"{__name__}.{entry.module}").add_arguments(made)
    if entry.connects:
        from tcpchat.cli.common import add_connection

        add_connection(made)
    return translated(made)


def translated(made: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """The parser with its words in the language in use."""
    if language() == "en":
        return made
    for action in made._actions:
        if action.help:
            # Settings of the server carry their default and name behind the words: "... [6060; TCPCHAT_PORT]".
            words, bracket, rest = action.help.partition(" [")
            action.help = _(action.help) if _(action.help) != action.help else _(words) + bracket + rest
    for group in made._action_groups:
        group.title = _(group.title) if group.title else group.title
    made.epilog = _(made.epilog) if made.epilog else None
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    from tcpchat.cli import output

    output.prepare()
    try:
        code = _run(list(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt:
        code = INTERRUPTED
    except SystemExit as end:  # of argparse
        code = end.code if isinstance(end.code, int) else USAGE if end.code else 0
    except BrokenPipeError as error:
        return output.lost(error)
    except OSError as error:
        if (code := output.finish()) == 0:  # it was not the output
            if error.filename is None:
                raise
            print(f"{error.filename}: {error.strerror}", file=sys.stderr)
            return output.FAILED
    lost = output.finish()
    return code or lost


def _run(arguments: list[str]) -> int:
    name = arguments[0] if arguments else ""
    if name in ("--version", "-V"):
        from tcpchat import __version__

        print(f"tcpchat {__version__}")
        return 0
    if not name:
        return _start()
    if name in ("-h", "--help", "help"):
        overview().print_help()
        return 0
    name = ALIASES.get(name, name)
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, [*COMMANDS, *ALIASES], 1)
        hint = _(" Did you mean %s?") % near[0] if near else ""
        print("tcpchat: " + _("no command %r.%s (tcpchat --help lists them)") % (name, hint), file=sys.stderr)
        return USAGE
    args: Any = parser(name).parse_args(arguments[1:])
    return int(import_module(f"{__name__}.{COMMANDS[name].module}").run(args))


def _start() -> int:
    """Bare ``tcpchat``: the start screen on a terminal, else a short help."""
    from tcpchat.cli.common import real_terminal

    if real_terminal():
        try:
            from tcpchat.tui.app import main as full_screen
        except ImportError:
            pass
        else:
            return int(full_screen([]))
    overview().print_help()
    return USAGE
