"""``tcpchat whoami``: who one is."""

from __future__ import annotations

import argparse

from tcpchat.cli import printing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``whoami``."""
    parser.set_defaults()


def run(args: argparse.Namespace) -> int:
    """Ask and print; returns the exit code."""
    return printing.asked(args, lambda session: printing.whoami(args, session))
