"""``tcpchat config``: the settings file, and where each setting comes from.

One TOML file holds all: ``[default]`` and ``[profile.NAME]`` for clients, ``[server]`` for ``tcpchat serve``, ``[ui]``,
``[notify]``, ``[read]`` and ``[keys]`` for the full-screen client.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import stat
import subprocess
import tempfile
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from tcpchat.cli.common import FAILED, NOT_FOUND, USAGE, Ended, config_path, guarded, read_settings, show_json
from tcpchat.config import SECRETS
from tcpchat.core.text import decoded

HIDDEN = "***"  # in the list; `get` shows a password
BARE = re.compile(r"[A-Za-z0-9_-]+\Z")


class Row(NamedTuple):
    """A setting of the clients."""

    default: Any
    environment: str = ""
    help: str = ""


CLIENT: dict[str, Row] = {
    "default.server": Row("localhost:6060", "TCPCHAT_SERVER", "server that commands talk to"),
    "default.user": Row("", "TCPCHAT_USER", "login; empty = the name on this machine"),
    "default.timeout": Row("10s", "TCPCHAT_TIMEOUT", "how long commands wait"),
    "ui.theme": Row("auto", "", "auto, or the name of a theme"),
    "ui.ticks": Row("unicode", "", "unicode, ascii or words"),
    "ui.time": Row("%H:%M", "", "how times are shown (strftime)"),
    "ui.mouse": Row(True, "", "use the mouse"),
    "ui.window": Row(5000, "", "rows kept in memory per room"),
    "ui.language": Row("auto", "TCPCHAT_LANGUAGE", "auto, en or ru"),
    "notify.when": Row("mentions", "", "all, mentions or never"),
    "notify.how": Row("auto", "", "auto, bell, osc9, osc777, osc99 or none"),
    "read.receipts": Row(True, "", "false: others see only that messages were delivered"),
}
FREE = ("keys.", "profile.")  # tables whose keys people choose


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``config``."""
    parser.add_argument("do", nargs="?", choices=list(ACTIONS), default="list", help="what to do (list)")
    parser.add_argument("name", nargs="?", metavar="NAME", help="a setting: server, ui.theme, profile.work.user")
    parser.add_argument("value", nargs="?", metavar="VALUE", help="its value, for set; nothing takes it out")
    parser.add_argument("--json", action="store_true", help="one JSON object (or one a line) on standard output")


def run(args: argparse.Namespace) -> int:
    """Carry it out; returns the exit code."""
    return guarded(args, lambda: ACTIONS[args.do](args))


def known() -> dict[str, Row]:
    """Every setting with its default: those of clients and those of the server."""
    from tcpchat.config import SETTINGS

    server = {f"server.{s.name}": Row(s.default, s.environment, s.help) for s in SETTINGS.values() if not s.later}
    return {**CLIENT, **server}


def read() -> dict[str, Any]:
    """The file as a flat table: dotted name -> value. Raises Ended when it is no TOML."""
    return flat(read_settings(config_path()))


def flat(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables as dotted names."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            found.update(flat(value, f"{prefix}{key}."))
        else:
            found[prefix + key] = value
    return found


def present(name: str, row: Row, stored: dict[str, Any]) -> tuple[Any, str]:
    """A setting's value and where it comes from."""
    if row.environment and os.environ.get(row.environment):
        return os.environ[row.environment], row.environment
    if name in stored:
        return stored[name], "file"
    return row.default, "default"


def full_name(name: str | None) -> str:
    """``server`` is short for ``default.server``. Raises Ended for what is no setting."""
    if not name:
        raise Ended(USAGE, "Which setting? (tcpchat config list shows them)")
    name = name if "." in name else f"default.{name}"
    table = known()
    if name in table or name.startswith(FREE):
        return name
    import difflib

    near = difflib.get_close_matches(name, table, 1)
    hint = f" Did you mean {near[0].removeprefix('default.')}?" if near else ""
    raise Ended(NOT_FOUND, f"There is no setting {name.removeprefix('default.')!r}.{hint}")


# -- actions -----------------------------------------------------------------------------------------------------------


def _path(args: argparse.Namespace) -> int:
    print(config_path())
    return 0


def _list(args: argparse.Namespace) -> int:
    stored, table = read(), known()
    rows = [(name, *present(name, row, stored)) for name, row in table.items()]
    rows += [(name, value, "file") for name, value in stored.items() if name not in table]
    for name, value, source in rows:
        if value and name.removeprefix("server.") in SECRETS:
            value = HIDDEN
        if args.json:
            show_json({"name": name, "value": value, "from": source})
        else:
            print(f"{name} = {_toml(value)}  # {source}")
    return 0


def _get(args: argparse.Namespace) -> int:
    name = full_name(args.name)
    value, source = present(name, known().get(name, Row("")), read())
    if args.json:
        show_json({"name": name, "value": value, "from": source})
    else:
        print(value if isinstance(value, str) else _toml(value))
    return 0


def _set(args: argparse.Namespace) -> int:
    name = full_name(args.name)
    path = Path(config_path())
    before = read()
    text = decoded(path.read_bytes()) if path.exists() else ""
    row = known().get(name)
    value = None if args.value is None else typed(name, args.value, row.default if row else "")
    table, key = split(name)
    after = changed(text, table, key, value)
    wanted = {one: what for one, what in before.items() if one != name}
    if value is not None:
        wanted[name] = value
    try:
        right = flat(tomllib.loads(after)) == wanted
    except ValueError:
        right = False
    if not right:
        raise Ended(FAILED, f"{path} is written in a way that this command cannot change; use: tcpchat config edit")
    write(path, after)
    return 0


def _edit(args: argparse.Namespace) -> int:
    path = Path(config_path())
    if not path.exists():
        write(path, template())
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ("notepad" if os.name == "nt" else "vi")
    try:
        code = subprocess.run([*shlex.split(editor), str(path)], check=False).returncode
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise Ended(USAGE, f"{editor} cannot be started: {why}. EDITOR names another; the file is {path}") from None
    read()
    return FAILED if code else 0


def write(path: Path, text: str) -> None:
    """Whole or not at all. A new file is for its owner only, and so is one with a password in it. Raises Ended."""
    target = path.resolve()  # a link stays one
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o600
        handle, new = tempfile.mkstemp(dir=target.parent, prefix=".config-")  # mode 0600
        try:
            with open(handle, "w", encoding="utf-8") as out:
                out.write(text)
            os.chmod(new, mode & ~0o007 if any(name in text for name in SECRETS) else mode)
            os.replace(new, target)
        finally:
            Path(new).unlink(missing_ok=True)
    except OSError as error:
        raise Ended(FAILED, f"{path} cannot be written: {error.strerror}. TCPCHAT_CONFIG names another.") from None


ACTIONS = {"path": _path, "list": _list, "get": _get, "set": _set, "edit": _edit}


# -- writing TOML ------------------------------------------------------------------------------------------------------


def typed(name: str, text: str, default: Any) -> Any:
    """What was typed, as the type of the setting. Raises Ended."""
    if isinstance(default, bool):
        words = {"true": True, "on": True, "yes": True, "false": False, "off": False, "no": False}
        if text.lower() not in words:
            raise Ended(USAGE, f"{name} is true or false, not {text!r}.")
        return words[text.lower()]
    if isinstance(default, int | float):
        try:
            return type(default)(text)
        except ValueError:
            raise Ended(USAGE, f"{name} is a number, not {text!r}.") from None
    return text


def split(name: str) -> tuple[str, str]:
    """The table's header and the key of a dotted name."""
    parts = name.split(".")
    cut = 2 if parts[0] == "profile" and len(parts) > 2 else 1
    return ".".join(_key(part) for part in parts[:cut]), _key(".".join(parts[cut:]))


def _key(text: str) -> str:
    return text if BARE.match(text) else _toml(text)


def _toml(value: Any) -> str:
    # Strings of JSON are strings of TOML, but for DEL, which must be escaped there.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def changed(text: str, table: str, key: str, value: Any) -> str:
    """The file with one key set (None: taken out); all other lines stay as they are."""
    lines = text.splitlines()
    header = re.compile(rf"\s*\[\s*{re.escape(table)}\s*\]\s*(#.*)?\Z")
    wanted = re.compile(rf"\s*{re.escape(key)}\s*=")
    new = [] if value is None else [f"{key} = {_toml(value)}"]
    start = next((at for at, line in enumerate(lines) if header.match(line)), None)
    if start is None:
        if new:
            lines += [*([""] if lines else []), f"[{table}]", *new]
        return "\n".join(lines) + "\n" if lines else ""
    end = next((at for at in range(start + 1, len(lines)) if lines[at].lstrip().startswith("[")), len(lines))
    found = next((at for at in range(start + 1, end) if wanted.match(lines[at])), None)
    if found is not None:
        lines[found : found + 1] = new
    else:
        while end > start + 1 and not lines[end - 1].strip():
            end -= 1
        lines[end:end] = new
    return "\n".join(lines) + "\n"


def template() -> str:
    """A new settings file: every setting of the clients, commented out."""
    lines = ["# Settings of tcpchat. Lines that begin with # show the defaults.", ""]
    table = ""
    for name, row in CLIENT.items():
        head, key = split(name)
        if head != table:
            table = head
            lines += [*([""] if len(lines) > 2 else []), f"[{head}]"]
        lines.append(f"# {key} = {_toml(row.default)}".ljust(34) + f"# {row.help}")
    return "\n".join(lines) + "\n"
