"""``tcpchat completion``: completion scripts made from the table of commands; names of people and rooms are asked for.

tcpchat completion bash > ~/.local/share/bash-completion/completions/tcpchat
tcpchat completion zsh > "${fpath[1]}/_tcpchat"
tcpchat completion fish > ~/.config/fish/completions/tcpchat.fish
tcpchat completion powershell >> $PROFILE
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import NamedTuple

NAMES_SECONDS = 0.3  # a key press does not wait longer for a server
TAKES_NAMES = {"send", "tail", "who"}  # commands whose first argument is a login or a room
TAKES_ROOMS = {"--room"}


class Option(NamedTuple):
    """One option, or one position with fixed words."""

    flags: tuple[str, ...]
    help: str
    value: bool
    choices: tuple[str, ...]


class Command(NamedTuple):
    """One command as a shell completes it."""

    name: str
    help: str
    options: list[Option]
    words: tuple[str, ...]

    @property
    def flags(self) -> list[str]:
        return [flag for option in self.options for flag in option.flags]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``completion``."""
    parser.add_argument("shell", choices=[*SHELLS, "names", "rooms"], help="bash, zsh, fish or powershell")
    parser.epilog = "For example: tcpchat completion bash > ~/.local/share/bash-completion/completions/tcpchat"


def run(args: argparse.Namespace) -> int:
    """Print the script; returns the exit code."""
    if args.shell in ("names", "rooms"):  # called by the scripts
        for name in names(args.shell == "rooms"):
            print(name)
    else:
        print(SHELLS[args.shell](commands()), end="")
    return 0


def commands() -> list[Command]:
    """Every command with what can be completed behind it."""
    from tcpchat.cli import available, parser

    found = []
    for name, entry in available().items():
        options, words = [], []
        for action in parser(name)._actions:
            choices = tuple(str(choice) for choice in action.choices or ())
            if action.option_strings:
                option = Option(tuple(action.option_strings), action.help or "", action.nargs != 0, choices)
                options.append(option)
            elif name == "completion":
                words += list(SHELLS)
            else:
                words += choices
        found.append(Command(name, entry.help, options, tuple(words)))
    return found


def names(rooms: bool) -> list[str]:
    """Logins (or rooms) of the server that the environment names; none when it does not answer at once."""
    from tcpchat.cli.common import Ended, add_connection
    from tcpchat.cli.connection import Session
    from tcpchat.client.errors import ChatError
    from tcpchat.core import model as m
    from tcpchat.core.text import clean_line

    connection = argparse.ArgumentParser()
    add_connection(connection)
    args = connection.parse_args(["--timeout", str(NAMES_SECONDS), "--no-input"])
    try:
        with Session(args) as session:
            if rooms:
                found = [room.to[1:] for room in session.ask(m.Rooms(True), m.RoomList).rooms if room.to[0] == "#"]
            else:
                found = [person.login for person in session.ask(m.Who("", True), m.People).people]
    except (ChatError, Ended, ValueError, OSError):
        return []
    return [clean_line(name) for name in found]


# -- the scripts -------------------------------------------------------------------------------------------------------


def bash(table: list[Command]) -> str:
    """For bash 4 and newer."""
    cases, values = [], []
    for command in table:
        ask = "names" if command.name in TAKES_NAMES else ""
        flags, words = " ".join(command.flags), " ".join(command.words)
        cases.append(f"        {command.name}) flags='{flags}' words='{words}' ask='{ask}' ;;")
        for option in command.options:
            if option.choices:
                values.append((command.name, option.flags, " ".join(option.choices)))
    fixed = "\n".join(
        f"        {name}:{flag}) words='{choices}' flags='' ask='' ;;"
        for name, flags, choices in values
        for flag in flags
    )
    rooms = "|".join(sorted(TAKES_ROOMS))
    return f"""\
# bash completion of tcpchat; made by `tcpchat completion bash`
_tcpchat() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} command=${{COMP_WORDS[1]}}
    local flags='' words='' ask='' found=() name
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W '{" ".join(command.name for command in table)} --help --version' -- "$cur"))
        return
    fi
    case $command in
{chr(10).join(cases)}
    esac
    case $command:$previous in
{fixed}
    esac
    case $previous in {rooms}) ask=rooms words='' flags='' ;; esac
    if [[ $cur == -* ]]; then
        COMPREPLY=($(compgen -W "$flags" -- "$cur"))
        return
    fi
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
    if [ -n "$ask" ]; then
        mapfile -t found < <(tcpchat completion "$ask" 2>/dev/null)
        for name in "${{found[@]}}"; do
            [[ $name == "$cur"* ]] && COMPREPLY+=("$(printf '%q' "$name")")
        done
    fi
}}
complete -o default -F _tcpchat tcpchat
"""


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def zsh(table: list[Command]) -> str:
    """For zsh: a file named _tcpchat in $fpath."""
    described = "\n".join(f"        {_quoted(f'{command.name}:{command.help}')}" for command in table)
    cases = []
    for command in table:
        specs = []
        for option in command.options:
            text = option.help.replace("[", "(").replace("]", ")").replace(":", " ")
            for flag in option.flags:
                action = ""
                if option.value:
                    action = ":value:" + (
                        f"({' '.join(option.choices)})" if option.choices else "_tcpchat_rooms" * (flag in TAKES_ROOMS)
                    )
                specs.append(_quoted(f"{flag}[{text}]{action}"))
        if command.words:
            specs.append(_quoted(f"1::word:({' '.join(command.words)})"))
        elif command.name in TAKES_NAMES:
            specs.append(_quoted("1::to:_tcpchat_names"))
        lines = " \\\n            ".join(["_arguments", *specs])
        cases.append(f"        {command.name})\n            {lines} ;;")
    return f"""\
#compdef tcpchat
# zsh completion of tcpchat; made by `tcpchat completion zsh`
_tcpchat_names() {{ local -a found; found=("${{(@f)$(tcpchat completion names 2>/dev/null)}}"); compadd -a found }}
_tcpchat_rooms() {{ local -a found; found=("${{(@f)$(tcpchat completion rooms 2>/dev/null)}}"); compadd -a found }}
_tcpchat() {{
    local -a commands
    commands=(
{described}
    )
    if (( CURRENT == 2 )); then
        _describe command commands
        return
    fi
    local command=$words[2]
    shift words
    (( CURRENT-- ))
    case $command in
{chr(10).join(cases)}
    esac
}}
if [ "$funcstack[1]" = _tcpchat ]; then _tcpchat "$@"; else compdef _tcpchat tcpchat; fi
"""


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def fish(table: list[Command]) -> str:
    """For fish."""
    lines = [
        "# fish completion of tcpchat; made by `tcpchat completion fish`",
        "complete -c tcpchat -f",
    ]
    for command in table:
        lines.append(f"complete -c tcpchat -n __fish_use_subcommand -a {command.name} -d {_fish_quoted(command.help)}")
        seen = f"complete -c tcpchat -n '__fish_seen_subcommand_from {command.name}'"
        if command.words:
            lines.append(f"{seen} -a {_fish_quoted(' '.join(command.words))}")
        if command.name in TAKES_NAMES:
            lines.append(f"{seen} -a '(tcpchat completion names 2>/dev/null)'")
        for option in command.options:
            lines.append(f"{seen}{_fish_option(option)}")
    return "\n".join(lines) + "\n"


def _fish_option(option: Option) -> str:
    parts = [f" -l {flag[2:]}" if flag.startswith("--") else f" -s {flag[1:]}" for flag in option.flags]
    if option.choices:
        parts.append(f" -xa {_fish_quoted(' '.join(option.choices))}")
    elif set(option.flags) & TAKES_ROOMS:
        parts.append(" -xa '(tcpchat completion rooms 2>/dev/null)'")
    elif option.value:
        parts.append(" -r")
    return "".join(parts) + f" -d {_fish_quoted(option.help)}"


def powershell(table: list[Command]) -> str:
    """For PowerShell 5 and newer."""
    rows = "\n".join(
        f"    '{command.name}' = @({', '.join(repr(word) for word in (*command.words, *command.flags))})"
        for command in table
    )
    asking = ", ".join(repr(name) for name in sorted(TAKES_NAMES))
    return f"""\
# PowerShell completion of tcpchat; made by `tcpchat completion powershell`
$TcpchatWords = @{{
{rows}
}}
Register-ArgumentCompleter -Native -CommandName tcpchat -ScriptBlock {{
    param($word, $ast, $position)
    $parts = @($ast.CommandElements | ForEach-Object {{ "$_" }})
    if ($parts.Count -lt 2 -or ($parts.Count -eq 2 -and $word)) {{
        $found = $TcpchatWords.Keys | Sort-Object
    }} else {{
        $found = @($TcpchatWords[$parts[1]])
        if ($word -notlike '-*' -and @({asking}) -contains $parts[1]) {{
            $found += @(tcpchat completion names 2>$null)
        }}
    }}
    $found | Where-Object {{ $_ -like "$word*" }} | ForEach-Object {{
        $text = if ($_ -match '\\s') {{ "'$_'" }} else {{ $_ }}
        [System.Management.Automation.CompletionResult]::new($text, $_, 'ParameterValue', $_)
    }}
}}
"""


SHELLS: dict[str, Callable[[list[Command]], str]] = {
    "bash": bash,
    "zsh": zsh,
    "fish": fish,
    "powershell": powershell,
}
