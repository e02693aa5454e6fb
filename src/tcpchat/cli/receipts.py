"""``tcpchat receipts``: who has a message."""

from __future__ import annotations

import argparse

from tcpchat.cli import printing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``receipts``."""
    parser.add_argument("seq", type=int, metavar="ID", help="the number that `tcpchat send` printed")


def run(args: argparse.Namespace) -> int:
    """Ask and print; returns the exit code."""
    return printing.asked(args, lambda session: printing.receipts(args, session))
