"""``tcpchat status``: is the server available?"""

from __future__ import annotations

import argparse

from tcpchat.cli import printing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``status``."""
    parser.set_defaults()


def run(args: argparse.Namespace) -> int:
    """Ask and print; returns the exit code."""
    return printing.asked(args, lambda session: printing.status(args, session))
