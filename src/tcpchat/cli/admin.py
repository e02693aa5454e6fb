"""``tcpchat admin``: operate a server from its own machine. Who can read the data folder needs no password.

The acts come from ``core.operators.ACTS``. When the server does not run, the data folder is opened for the act alone.
"""

from __future__ import annotations

import argparse
import getpass
import secrets
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tcpchat.cli.common import (
    FAILED,
    NOT_ALLOWED,
    USAGE,
    Ended,
    first_line,
    guarded,
    local_time,
    seconds,
    show_json,
    tell,
)
from tcpchat.cli.connection import Session
from tcpchat.client.errors import ConnectionFailed
from tcpchat.core import model as m
from tcpchat.core.operators import ACTS
from tcpchat.core.text import clean_line
from tcpchat.server.datafolder import private_umask

SECRET = "admin.secret"
CODE_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # without those that are mistaken for others
FIELDS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "login": (("login",), {"metavar": "LOGIN", "help": "whose"}),
    "role": (("role",), {"choices": ["owner", "moderator", "member"], "help": "what it becomes"}),
    "address": (
        ("--address",),
        {"metavar": "ADDRESS", "help": "an address or network (10.1.0.0/16), no login"},
    ),
    "seconds": (
        ("--for",),
        {"dest": "seconds", "type": seconds, "metavar": "TIME", "help": "how long: 30m, 2h, 7d"},
    ),
    "why": (("--why",), {"metavar": "TEXT", "help": "the reason"}),
    "erase": (("--erase",), {"action": "store_const", "const": "on", "help": "erase the text of its messages too"}),
    "text": (("text",), {"metavar": "TEXT", "help": "what to say"}),
    "room": (("room",), {"metavar": "ROOM", "help": "the room, with or without #"}),
    "name": (("name",), {"metavar": "NAME", "help": "the login under which it posts"}),
    "token": (("token",), {"metavar": "TOKEN", "help": "the beginning of the token's hash, as `tokens` lists it"}),
}
OPTIONAL = {"bans", "tokens"}  # acts whose arguments only narrow the list


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One subcommand an act, from the table of acts."""
    parser.add_argument("--data", default=".", metavar="DIR", help="the server's data folder (.)")
    parser.add_argument("--json", action="store_true", help="JSON on standard output")
    parser.add_argument("-q", "--quiet", action="store_true", help="say nothing but data")
    parser.add_argument("-s", "--server", metavar="HOST[:PORT]", help="a server elsewhere, for those who hold a role")
    parser.add_argument("-u", "--user", metavar="LOGIN", help="the login that holds the role, instead of --data")
    parser.set_defaults(no_color=False, no_input=False, timeout=None, profile=None)
    acts = parser.add_subparsers(dest="act", metavar="ACT", required=True, help="what to do; ACT --help says more")
    for name, act in ACTS.items():
        one = acts.add_parser(name.replace("_", "-"), help=act.about, description=act.about)
        for field in act.takes.split():
            if field in FIELDS:
                words, options = FIELDS[field]
                loose = not words[0].startswith("-") and (
                    name in OPTIONAL or (field == "login" and "address" in act.takes)
                )
                one.add_argument(*words, **({**options, "nargs": "?"} if loose else options))
        if name == "account":
            one.add_argument("--password-file", metavar="FILE", help="its first line is the password; - = stdin")
        one.set_defaults(do=name)
    owner = acts.add_parser("owner", help="Make a login an owner.")
    owner.add_argument("login", metavar="LOGIN")
    owner.set_defaults(do="role", role="owner")
    backup = acts.add_parser("backup", help="Copy the whole log into a file, while the server runs or not.")
    backup.add_argument("file", metavar="FILE")
    backup.set_defaults(do="backup")
    acts.add_parser("check", help="Check the log's file.").set_defaults(do="check")


def run(args: argparse.Namespace) -> int:
    """Carry the act out; returns the exit code."""
    local: dict[str, Callable[[argparse.Namespace], int]] = {"backup": _backup, "check": _check}
    with private_umask():
        return guarded(args, lambda: local.get(args.do, _act)(args))


def _act(args: argparse.Namespace) -> int:
    shown: dict[str, str] = {}
    command = m.Admin(args.do, _arguments(args, shown))
    with _operator(args) as session:
        answer = session.ask(command, m.Done)
    _show(args, answer, shown)
    return 0


def _arguments(args: argparse.Namespace, shown: dict[str, str]) -> dict[str, str]:
    """What the act is given; ``shown`` gets secrets that are made here and have to be told once."""
    given = {field: getattr(args, field, None) for field in ACTS[args.do].takes.split()}
    out = {field: str(value) for field, value in given.items() if value not in (None, "")}
    if out.get("room"):
        out["room"] = "#" + out["room"].lstrip("#")
    if args.do == "token":
        out["secret"] = shown["token"] = secrets.token_urlsafe(24)
    elif args.do == "account":
        out["secret"] = _password(args)
    elif args.do == "invite":
        out["code"] = shown["code"] = "".join(secrets.choice(CODE_LETTERS) for _ in range(10))
    return out


def _password(args: argparse.Namespace) -> str:
    if args.password_file:
        return first_line(args.password_file, "--password-file")
    if not sys.stdin.isatty():
        raise Ended(USAGE, "Give --password-file FILE (or - for standard input): there is nobody to ask.")
    first = getpass.getpass(f"Password for {args.login}: ")
    if first != getpass.getpass("Once more: "):
        raise Ended(NOT_ALLOWED, "The two were not the same; nothing was changed.")
    return first


@contextmanager
def _operator(args: argparse.Namespace) -> Iterator[Session]:
    """A session that may operate: by the role of a login, by the data folder, or on a server that runs for this act."""
    with ExitStack() as stack:
        yield stack.enter_context(Session(args)) if args.server or args.user else _by_folder(args, stack)


def _by_folder(args: argparse.Namespace, stack: ExitStack) -> Session:
    folder = Path(args.data)
    try:
        return stack.enter_context(_session(args, folder))
    except (FileNotFoundError, ConnectionFailed):
        pass  # it does not run, or was killed and left its secret behind
    if not (folder / "tcpchat.db").exists():
        raise Ended(FAILED, f"There is no chat in {folder}. Name its data folder with --data DIR.")
    from tcpchat.log import LogError
    from tcpchat.server import Server
    from tcpchat.server.datafolder import StartError
    from tcpchat.trust.fingerprint import CertificateError

    try:
        stack.enter_context(Server.in_thread("127.0.0.1", 0, folder, syslog="off"))
    except (LogError, StartError, CertificateError) as error:
        raise Ended(FAILED, str(error)) from None
    return stack.enter_context(_session(args, folder))


def _session(args: argparse.Namespace, folder: Path) -> Session:
    """A session by the secret in the folder of a running server. Raises FileNotFoundError; entering, as any session."""
    path = folder / SECRET
    try:
        host, port, secret = path.read_text(encoding="ascii").split()
    except PermissionError:
        raise Ended(NOT_ALLOWED, f"{path} can only be read by who runs the server.") from None
    except NotADirectoryError:
        raise Ended(USAGE, f"{folder} is no folder. Name the server's data folder with --data DIR.") from None
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is damaged"
        raise Ended(FAILED, f"{path} cannot be read: {why}. Move it away, and start the server again.") from None
    server = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return Session(argparse.Namespace(**{**vars(args), "server": server, "user": "operator"}), operator=secret)


# -- output ------------------------------------------------------------------------------------------------------------


def _show(args: argparse.Namespace, answer: m.Done, shown: dict[str, str]) -> None:
    data = {**answer.data, **shown}
    if args.json:
        show_json(data or {"done": args.do})
    elif not data:
        tell(args, "Done.")
    for name, value in data.items() if not args.json else ():
        if isinstance(value, list):
            for row in value:
                print(_row(row))
        elif isinstance(value, dict):
            for key, details in value.items():
                text = "  ".join(
                    f"{word}={clean_line(str(one))}" for word, one in details.items() if one not in ("", "0")
                )
                print(f"{clean_line(key):24} {text}".rstrip())
        else:
            print(clean_line(str(value)))
            if name == "token":
                tell(
                    args,
                    f"Shown once. Post with: curl -d TEXT 'http://HOST:PORT/{args.room.lstrip('#')}?token={value}'",
                )


def _row(row: dict[str, Any]) -> str:
    if "do" in row:
        about = " ".join(
            f"{key}={clean_line(str(value))}" for key, value in row["args"].items() if key not in ("login", "key")
        )
        when, by = local_time(row["at"], "%Y-%m-%d %H:%M"), clean_line(row["by"])
        return f"{when}  {by:16} {row['do']:12} {clean_line(row['login']):16} {about} {clean_line(row['why'])}".rstrip()
    marks = [
        row["role"] if row["claimed"] else "guest",
        "online" if row["online"] else "",
        "muted" if row["muted"] else "",
    ]
    access = [f"{row['keys']} keys" if row["keys"] else "", "password" if row["password"] else ""]
    return f"{clean_line(row['login']):24} {'  '.join(part for part in (*marks, *access) if part)}"


# -- the file itself ---------------------------------------------------------------------------------------------------


def _place(args: argparse.Namespace) -> Path:
    path = Path(args.data) / "tcpchat.db"
    try:
        there = path.exists()
    except OSError as error:
        raise Ended(NOT_ALLOWED, f"{path} cannot be looked at: {error.strerror}. Act as who runs the server.") from None
    if not there:
        raise Ended(FAILED, f"There is no {path}. Name the data folder with --data DIR.")
    if not path.is_file():
        raise Ended(FAILED, f"{path} is no file, so there are no messages in it. Name the data folder with --data DIR.")
    return path


def _backup(args: argparse.Namespace) -> int:
    """A consistent copy, put in place only when it is whole."""
    from tcpchat.log import LogError
    from tcpchat.log.copying import copy

    try:
        target = copy(_place(args), Path(args.file))
    except LogError as error:
        raise Ended(FAILED, f"No copy was made: {error}") from None
    how = "To restore, put it in place of tcpchat.db while the server is stopped."
    tell(args, f"{args.file}: {target.stat().st_size} bytes. {how}")
    return 0


def _check(args: argparse.Namespace) -> int:
    """Is the file whole, is every entry what was written, and is everything there that was told accepted?"""
    from tcpchat.log.checking import check

    try:
        report = check(_place(args))
    except sqlite3.Error as error:
        raise Ended(FAILED, f"The file is damaged: {error}. Restore a backup.") from None
    if args.json:
        data = {name: getattr(report, name) for name in ("entries", "first", "last", "missing", "verdict")}
        more = {"told": report.told, "lost": report.lost, "damaged": report.damaged_count, "faults": report.faults()}
        show_json({"ok": report.whole, **data, **more})
    else:
        missing = f", {report.missing} MISSING" if report.missing else ""
        print(f"{report.verdict}: {report.entries} entries, {report.first} to {report.last}{missing}")
        for fault in report.faults():
            print(fault)
        if not report.whole:
            tell(args, "Restore a backup, or go on without what is damaged: docs/operations.md, Damage.")
    return 0 if report.whole else FAILED
