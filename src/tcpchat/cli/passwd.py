"""``tcpchat passwd``: set or change the password of a login (asked for twice, or from a file)."""

from __future__ import annotations

import argparse
import getpass
import sys

from tcpchat.cli import printing
from tcpchat.cli.common import NOT_ALLOWED, USAGE, Ended, first_line, password_option, tell
from tcpchat.cli.connection import Session
from tcpchat.core import model as m


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``passwd``."""
    parser.add_argument(
        "--new-file", metavar="FILE", help="read the new password from a file's first line (- = standard input)"
    )
    parser.epilog = "The present password, where there is one, is asked for or read from TCPCHAT_PASSWORD_FILE."


def run(args: argparse.Namespace) -> int:
    """Set it; returns the exit code."""
    return printing.asked(args, lambda session: _passwd(args, session))


def _passwd(args: argparse.Namespace, session: Session) -> None:
    new = _new(args)
    old = password_option() or ""
    if not old and sys.stdin.isatty() and not args.no_input:
        old = getpass.getpass("Present password (Enter if there is none): ")
    session.ask(m.Password(old, "", new), m.Done)
    tell(args, f"{session.login} has a new password.")


def _new(args: argparse.Namespace) -> str:
    if args.new_file:
        return first_line(args.new_file, "--new-file")
    if args.no_input or not sys.stdin.isatty():
        raise Ended(USAGE, "Give --new-file FILE: there is nobody to ask for the new password.")
    first = getpass.getpass("New password: ")
    if first != getpass.getpass("Once more: "):
        raise Ended(NOT_ALLOWED, "The two were not the same; nothing was changed.")
    return first
