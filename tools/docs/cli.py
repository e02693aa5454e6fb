"""docs/cli.md, made from the commands' parsers: ``python -m tools.docs``."""

from __future__ import annotations

import argparse
from pathlib import Path

from tcpchat import i18n

PAGE = Path("docs/cli.md")
ENVIRONMENT = {
    "TCPCHAT_SERVER": "server that commands talk to (localhost:6060)",
    "TCPCHAT_USER": "login (the name on this machine)",
    "TCPCHAT_PROFILE": "section `[profile.NAME]` of the settings file",
    "TCPCHAT_CONFIG": "settings file",
    "TCPCHAT_HOME": "one folder for keys, outboxes, known servers and settings",
    "TCPCHAT_TIMEOUT": "how long commands wait (10s)",
    "TCPCHAT_PASSWORD_FILE": "file whose first line is the password",
    "TCPCHAT_KEY_FILE": "file of the key",
    "TCPCHAT_TLS": "auto: TLS, on this machine also plain; always: TLS; never: plain, for all to read",
    "TCPCHAT_LANGUAGE": "en or ru (else LC_ALL, LC_MESSAGES, LANG)",
    "TCPCHAT_ASCII": "ticks in ASCII",
    "TCPCHAT_NO_COLOR, NO_COLOR": "no colours (not empty)",
    "FORCE_COLOR": "colours in pipes too",
    "TCPCHAT_LOG": "a server logs its steps",
    "VISUAL, EDITOR": "editor of `tcpchat config edit`",
}
HEAD = """\
# The command line

Made from the commands themselves by `make docs`; do not edit.

Data goes to standard output, words to standard error. On a terminal the output is for people; in a pipe it is one word
and the message's number; with `--json` one JSON object, or one a line.
"""


def document() -> str:
    """The whole page."""
    from tcpchat.cli import COMMANDS, available, parser
    from tcpchat.cli.common import EXIT_CODES

    i18n.use("en")
    parts = [HEAD, "| command | what |", "| --- | --- |"]
    parts += [f"| [`{name}`](#tcpchat-{name}) | {entry.help} |" for name, entry in available().items()]
    parts += ["", "## Exit codes", "", "| code | meaning |", "| --- | --- |"]
    parts += [f"| {code} | {text} |" for code, text in EXIT_CODES.items()]
    parts += ["", "## Environment", "", "| name | what |", "| --- | --- |"]
    parts += [f"| `{name}` | {text} |" for name, text in ENVIRONMENT.items()]
    for name in available():
        aliases = COMMANDS[name].aliases
        parts += ["", f"## tcpchat {name}", "", *command(parser(name))]
        if aliases:
            parts += ["", f"Also: `tcpchat {'`, `tcpchat '.join(aliases)}`."]
    return "\n".join(parts) + "\n"


def command(parser: argparse.ArgumentParser) -> list[str]:
    """One command: what it is for, its arguments, its options."""
    lines = [_markdown(parser.description or "")]
    rows = [f"| `{_name(action)}` | {_markdown(action.help or '')} |" for action in parser._actions]
    if rows:
        lines += ["", "| argument | what |", "| --- | --- |", *rows]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            lines += ["", f"| {action.metavar} | what |", "| --- | --- |", *_parts(action)]
    if parser.epilog:
        lines += ["", _markdown(parser.epilog)]
    return lines


def _parts(action: argparse._SubParsersAction[argparse.ArgumentParser]) -> list[str]:
    """The acts of a command that has some, with their arguments."""
    rows = []
    about = {choice.dest: choice.help for choice in action._choices_actions}
    for name, parser in action.choices.items():
        takes = " ".join(_name(one) for one in parser._actions if one.dest != "help")
        rows.append(f"| `{name} {takes}`".rstrip("` ") + f"` | {_markdown(about.get(name) or '')} |")
    return rows


def _name(action: argparse.Action) -> str:
    """As in the help, but the same with every version of argparse."""
    value = action.metavar if isinstance(action.metavar, str) else (action.dest.upper() if not action.choices else "")
    if action.choices and not value:
        value = "|".join(str(choice) for choice in action.choices)
    if not action.option_strings:
        return f"[{value}]" if action.nargs in ("?", "*") else value
    takes = f" {value}" if action.nargs != 0 else ""
    return (", ".join(action.option_strings) + takes).replace("|", "\\|")


def _markdown(text: str) -> str:
    return text.replace("%%", "%").replace("|", "\\|").replace("<", "\\<")


def write() -> None:
    """Write the page."""
    PAGE.write_text(document(), encoding="utf-8")
