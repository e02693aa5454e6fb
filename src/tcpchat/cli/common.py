"""What the commands share: options of a connection, defaults from environment and file, output, exit codes."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import msgspec

from tcpchat.client.errors import ChatError, ConnectionFailed, KeyChanged, Refused, TimedOut, Unknown
from tcpchat.core.errors import CODES
from tcpchat.core.text import clean, clean_line, decoded, escaped

DONE, FAILED, USAGE, NO_CONNECTION, NOT_ALLOWED, NOT_FOUND, UNKNOWN, WAITED = 0, 1, 2, 3, 4, 5, 6, 124
EXIT_CODES = {
    DONE: "done, the asked state was reached",
    FAILED: "refused or failed",
    USAGE: "usage",
    NO_CONNECTION: "no connection to the server",
    NOT_ALLOWED: "not allowed: login claimed, wrong key or password, server key changed",
    NOT_FOUND: "no such user, room or message",
    UNKNOWN: "unknown: the connection dropped before acceptance was known; repeating with the same --id is safe",
    WAITED: "waited in vain: accepted and stored, the state not reached in --timeout",
    129: "the terminal has gone",
    130: "interrupted",
    141: "the reader of the output has gone",
}
FIRST_LINE_MAX = 65_536  # bytes: no password is longer, and the file may be a wrong one
TICKS = {"pending": "…", "accepted": "✓", "delivered": "✓✓", "read": "✓✓", "failed": "✗"}
ASCII_TICKS = {"pending": "..", "accepted": "+", "delivered": "++", "read": "R", "failed": "!!"}


class Ended(Exception):
    """A command ends with this exit code, after this sentence on standard error."""

    def __init__(self, code: int, text: str = "") -> None:
        super().__init__(text)
        self.code, self.text = code, text


def add_connection(parser: argparse.ArgumentParser) -> None:
    """Options of every command that talks to a server."""
    group = parser.add_argument_group("connection and output")
    group.add_argument("-s", "--server", metavar="HOST[:PORT]", help="server (TCPCHAT_SERVER; localhost:6060)")
    group.add_argument("-u", "--user", metavar="LOGIN", help="login (TCPCHAT_USER; the name on this machine)")
    group.add_argument("-p", "--profile", help="section [profile.NAME] of the settings file (TCPCHAT_PROFILE)")
    group.add_argument(
        "--timeout", type=seconds, metavar="TIME", help="how long to wait: 5, 5s, 2m (TCPCHAT_TIMEOUT; 10s)"
    )
    group.add_argument("--json", action="store_true", help="one JSON object (or one a line) on standard output")
    group.add_argument("-q", "--quiet", action="store_true", help="say nothing but data")
    group.add_argument("--no-color", action="store_true", help="no colours (NO_COLOR, TCPCHAT_NO_COLOR)")
    group.add_argument("--no-input", action="store_true", help="never ask")
    group.add_argument("-d", "--debug", action="store_true", help="log to standard error")


def seconds(text: str) -> float:
    """A length of time: 5, 5s, 2m, 1h, 3d. Raises ArgumentTypeError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?", text.strip())
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time; write 5s, 2m, 1h or 3d")
    return float(match[1]) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}[match[2] or "s"]


def settings(args: argparse.Namespace) -> dict[str, Any]:
    """server, user, timeout: flags, environment, profile, defaults in this order. Raises Ended."""
    profile = read_profile(getattr(args, "profile", None) or os.environ.get("TCPCHAT_PROFILE"))
    user = args.user or os.environ.get("TCPCHAT_USER") or profile.get("user") or _own_name()
    timeout = args.timeout
    if timeout is None and (text := os.environ.get("TCPCHAT_TIMEOUT") or profile.get("timeout")):
        try:
            timeout = seconds(str(text))
        except argparse.ArgumentTypeError as error:
            raise Ended(USAGE, f"TCPCHAT_TIMEOUT: {error}") from None
    server = args.server or os.environ.get("TCPCHAT_SERVER") or profile.get("server") or "localhost:6060"
    return {
        "server": server,
        "user": user,
        "timeout": getattr(args, "default_timeout", 10.0) if timeout is None else timeout,
    }


def _own_name() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        raise Ended(USAGE, "Who are you? Give --user LOGIN or set TCPCHAT_USER.") from None


def config_path() -> Path:
    """The settings file: TCPCHAT_CONFIG, else config.toml in the configuration folder."""
    from tcpchat.client.identity import home

    named = os.environ.get("TCPCHAT_CONFIG")
    return Path(named) if named else home("config") / "config.toml"


def read_profile(name: str | None) -> dict[str, Any]:
    """The client's part of the settings file. Raises Ended for a file or profile that cannot be used."""
    path = config_path()
    table = read_settings(path)
    found = dict(_table(path, table, "default"))
    if name:
        if name not in _table(path, table, "profile"):
            raise Ended(USAGE, f"No profile {name!r} in {path}." + ("" if table else " There is no such file."))
        found.update(_table(path, table["profile"], name))
    return found


def read_settings(path: Path) -> dict[str, Any]:
    """The settings file; nothing where there is none, or where that is another account's home. Raises Ended."""
    import tomllib

    try:
        path.stat()
    except FileNotFoundError:
        return {}
    except OSError as error:
        if os.environ.get("TCPCHAT_CONFIG"):
            raise Ended(USAGE, f"TCPCHAT_CONFIG: {path} cannot be read: {error.strerror}.") from None
        return {}
    try:
        return tomllib.loads(decoded(path.read_bytes()))
    except OSError as error:
        raise Ended(USAGE, f"{path} cannot be read: {error.strerror}. TCPCHAT_CONFIG names another.") from None
    except ValueError as error:
        raise Ended(USAGE, f"{path}: {error} (tcpchat config edit opens it)") from None


def _table(path: Path, table: dict[str, Any], name: str) -> dict[str, Any]:
    found = table.get(name, {})
    if not isinstance(found, dict):
        raise Ended(USAGE, f"{path}: {name} is a table: a line in brackets, and the settings below it.")
    return found


def password_option() -> str | None:
    """The password from TCPCHAT_PASSWORD_FILE, where there is one: secrets are never flags or environment values."""
    path = os.environ.get("TCPCHAT_PASSWORD_FILE")
    if not path:
        return None
    return first_line(path, "TCPCHAT_PASSWORD_FILE")


def first_line(path: str, setting: str) -> str:
    """The first line of a file that this flag or name gives (- = standard input), however it ends. Raises Ended."""
    try:
        if path == "-":
            data = sys.stdin.buffer.readline() if hasattr(sys.stdin, "buffer") else sys.stdin.readline().encode()
        else:
            with open(path, "rb") as file:
                data = file.read(FIRST_LINE_MAX)
        return decoded(data).split("\n", 1)[0]
    except OSError as error:
        raise Ended(USAGE, f"{setting}: {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise Ended(USAGE, f"{setting}: {path} is not text in UTF-8.") from None


# -- output ------------------------------------------------------------------------------------------------------------


def real_terminal() -> bool:
    """Can a full-screen program run here?"""
    return (
        sys.stdin is not None
        and sys.stdin.isatty()
        and sys.stdout.isatty()
        and os.environ.get("TERM", "dumb") != "dumb"
    ) or (sys.platform == "win32" and sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty())


def ticks() -> dict[str, str]:
    """Marks for states, in what the output can show."""
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    return ASCII_TICKS if os.environ.get("TCPCHAT_ASCII") or encoding != "utf8" else TICKS


def coloured(args: argparse.Namespace) -> bool:
    """May colours be used?"""
    if args.no_color or os.environ.get("NO_COLOR") or os.environ.get("TCPCHAT_NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (sys.stdout.isatty() and os.environ.get("TERM") != "dumb")


def paint(text: str, code: str, args: argparse.Namespace) -> str:
    """The text in a colour (an SGR number), where colours may be used."""
    return f"\x1b[{code}m{text}\x1b[0m" if coloured(args) else text


def show_json(value: object) -> None:
    """One JSON object on a line of its own."""
    data = msgspec.to_builtins(value)
    print(escaped(json.dumps(data, ensure_ascii=not _utf8())), flush=True)


def _utf8() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def tell(args: argparse.Namespace, text: str) -> None:
    """Words for a person, on standard error."""
    if not args.quiet:
        print(text, file=sys.stderr, flush=True)


def ending(error: Exception) -> Ended:
    """The exit code and sentence for an error of the library."""
    if isinstance(error, Ended):
        return error
    text = clean_line(str(error))
    if isinstance(error, Refused):
        code = CODES[error.code].exit if error.code in CODES else FAILED
        return Ended(code, text + _hint(error.code))
    if isinstance(error, KeyChanged):
        return Ended(NOT_ALLOWED, text)
    if isinstance(error, TimedOut):
        return Ended(WAITED, text)
    if isinstance(error, Unknown):
        return Ended(UNKNOWN, text)
    if isinstance(error, ConnectionFailed):
        return Ended(NO_CONNECTION, text)
    return Ended(FAILED, text)


def _hint(code: str) -> str:
    hints = {
        "no_such_login": " (tcpchat who --all lists everyone)",
        "no_such_room": " (tcpchat rooms --all lists the public ones)",
        "not_member": " (tcpchat rooms join ROOM)",
        "claimed": " (--user LOGIN for another login, TCPCHAT_PASSWORD_FILE for its password)",
    }
    return hints.get(code, "")


def guarded(args: argparse.Namespace, work: Any) -> int:
    """Run a command's work; errors become a sentence and an exit code."""
    try:
        return int(work() or 0)
    except UnicodeEncodeError:
        print("The words given hold bytes that are no text here.", file=sys.stderr)
        return USAGE
    except (ChatError, Ended, ValueError) as error:
        end = ending(error) if not isinstance(error, ValueError) else Ended(USAGE, str(error))
        if end.text:
            print(clean(end.text), file=sys.stderr, flush=True)
        return end.code


def local_time(ms: int, form: str = "%H:%M") -> str:
    """A time of the server's as this machine's clock shows it."""
    import time

    return time.strftime(form, time.localtime(ms / 1000))
