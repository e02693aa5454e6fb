"""``tcpchat login``: one login on several devices, by a code that one shows and the other types."""

from __future__ import annotations

import argparse

from tcpchat.cli import asking
from tcpchat.cli.common import show_json, tell
from tcpchat.cli.oneshot import Session
from tcpchat.core import model as m
from tcpchat.core.text import clean_line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``login``."""
    parser.add_argument("code", nargs="?", metavar="CODE", help="the code that another device of the login shows")
    parser.add_argument("--link", action="store_true", help="show a code, good for ten minutes, for another device")


def run(args: argparse.Namespace) -> int:
    """Carry it out; returns the exit code."""
    if args.link or args.code:
        return asking.asked(args, lambda session: _link(args, session), token=args.code or "")
    return asking.asked(args, lambda session: asking.whoami(args, session))


def _link(args: argparse.Namespace, session: Session) -> None:
    if args.code:
        if args.json:
            show_json({"login": session.login})
        else:
            tell(args, f"This device is {clean_line(session.login)} too, from now on.")
        return
    data = session.ask(m.Key("link"), m.Done).data
    code = clean_line(str(data.get("code", "")))
    shown = f"{code[:4]}-{code[4:]}"
    if args.json:
        show_json({"code": shown, "login": session.login, "seconds": int(str(data.get("seconds", 0)))})
        return
    print(shown)
    server = args.server or session.host
    tell(args, f"Within ten minutes, on the other device:  tcpchat login {shown} -u '{session.login}' -s {server}")
