"""``tcpchat login``: one login on several devices, by a code that one shows and the other types."""

from __future__ import annotations

import argparse

from tcpchat.cli import printing
from tcpchat.cli.common import show_json, tell
from tcpchat.cli.connection import Session
from tcpchat.core import model as m
from tcpchat.core.text import clean_line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``login``."""
    parser.add_argument("code", nargs="?", metavar="CODE", help="the code that another device of the login shows")
    parser.add_argument("--link", action="store_true", help="show a code, good for ten minutes, for another device")
    parser.add_argument("--keys", action="store_true", help="list the keys of the login, one for each of its devices")
    parser.add_argument("--revoke", metavar="KEY", help="take a key from the login: what it has opened ends")


def run(args: argparse.Namespace) -> int:
    """Carry it out; returns the exit code."""
    if args.keys:
        return printing.asked(args, lambda session: _keys(args, session))
    if args.revoke:
        return printing.asked(args, lambda session: _revoke(args, session))
    if args.link or args.code:
        return printing.asked(args, lambda session: _link(args, session), token=args.code or "")
    return printing.asked(args, lambda session: printing.whoami(args, session))


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


def _listed(session: Session) -> dict[str, str]:
    """Key -> what its device called itself."""
    keys = session.ask(m.Key("list"), m.Done).data.get("keys", {})
    return keys if isinstance(keys, dict) else {}


def _keys(args: argparse.Namespace, session: Session) -> None:
    for key, label in _listed(session).items():
        if args.json:
            show_json({"key": key, "label": label})
        else:
            print(clean_line(key), clean_line(label), sep="  ")


def _revoke(args: argparse.Namespace, session: Session) -> None:
    """A key, or enough of its beginning that it can be no other."""
    fitting = [key for key in _listed(session) if key.startswith((args.revoke, "ed25519:" + args.revoke))]
    session.ask(m.Key("revoke", fitting[0] if len(fitting) == 1 else args.revoke), m.Done)
    tell(args, "That key opens nothing any more.")
