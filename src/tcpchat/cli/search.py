"""``tcpchat search``: find messages by words."""

from __future__ import annotations

import argparse

from tcpchat.cli import printing
from tcpchat.cli.common import seconds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``search``."""
    parser.add_argument(
        "words", nargs="+", metavar="WORDS", help="all of them have to be there; the last may be a beginning"
    )
    parser.add_argument("--room", metavar="NAME", help="only in this room")
    parser.add_argument("--with", dest="login", metavar="LOGIN", help="only in the conversation with this login")
    parser.add_argument("--from", dest="author", metavar="LOGIN", help="only by this login")
    parser.add_argument("--since", type=seconds, metavar="TIME", help="only newer than: 1h, 3d")
    parser.add_argument("-n", type=int, default=20, metavar="N", help="at most N (20)")


def run(args: argparse.Namespace) -> int:
    """Ask and print; returns the exit code."""
    return printing.asked(args, lambda session: printing.search(args, session))
