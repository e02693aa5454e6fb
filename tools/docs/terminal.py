"""The tables of keys and commands in docs/terminal.md, made from the code: ``python -m tools.docs``."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from tcpchat.tui import commands, keys
from tcpchat.tui.panels import key_rows
from tcpchat.tui.settings import CHOICES, PLACES, Settings

PAGE = Path("docs/terminal.md")


def key_table() -> str:
    """Keys, with the ids for the settings."""
    ours = {key.id: key.keys for key in keys.ALL}
    lines = ["| keys | what they do | id |", "| --- | --- | --- |"]
    for group, name in keys.GROUPS.items():
        lines.append(f"| **{name}** | | |")
        ids = {key.help: key.id for key in keys.ALL if key.group == group}
        for shown, text in key_rows(group, ours.__getitem__):
            known = ids.get(text, "room.1 ... room.10")
            lines.append(f"| {shown} | {text} | {f'`{known}`' if group != 'input' else ''} |")
    return "\n".join(lines)


def command_table() -> str:
    """Slash commands."""
    lines = ["| command | what it does | also |", "| --- | --- | --- |"]
    for group, name in commands.GROUPS.items():
        lines.append(f"| **{name}** | | |")
        for one in commands.TABLE:
            if one.group == group:
                usage = f"/{one.name} {one.usage}".strip().replace("|", "\\|")
                also = ", ".join(f"`/{alias}`" for alias in one.aliases)
                lines.append(f"| `{usage}` | {one.help} | {also} |")
    return "\n".join(lines)


def setting_table() -> str:
    """Settings of the file, with what they may be and are."""
    lines = ["| in config.toml | /set | values | default |", "| --- | --- | --- | --- |"]
    defaults = dataclasses.asdict(Settings())
    for name, (section, key) in PLACES.items():
        value = defaults[name]
        choices = ", ".join(CHOICES.get(name, ())) or ("true, false" if isinstance(value, bool) else "")
        shown = str(value).lower() if isinstance(value, bool) else value
        lines.append(f"| `[{section}]` `{key}` | `{name}` | {choices} | `{shown}` |")
    return "\n".join(lines)


TABLES = {"keys": key_table, "commands": command_table, "settings": setting_table}


def updated(page: str) -> str:
    """The page with its tables as the code has them."""
    for name, table in TABLES.items():
        start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        made = f"{start}\n{table()}\n{end}"
        parts = re.split(re.escape(start) + r".*?" + re.escape(end), page, flags=re.DOTALL)
        page = made.join(parts)
    return page


def write() -> None:
    """Write the tables into the page."""
    PAGE.write_text(updated(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
