"""``tcpchat who``: who is here."""

from __future__ import annotations

import argparse

from tcpchat.cli import printing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``who``."""
    parser.add_argument("login", nargs="?", help="one login")
    parser.add_argument("--room", metavar="NAME", help="who is in a room")
    parser.add_argument("-a", "--all", action="store_true", help="also those who are not here now")


def run(args: argparse.Namespace) -> int:
    """Ask and print; returns the exit code."""
    return printing.asked(args, lambda session: printing.who(args, session))
