"""``tcpchat doctor``: what works here, and what to do about what does not."""

from __future__ import annotations

import argparse
import os
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tcpchat.cli.common import Ended, coloured, config_path, paint, read_profile, real_terminal, settings, show_json
from tcpchat.cli.terminal_probe import Answers, ask, passthrough
from tcpchat.i18n import _, language

SKEW_SECONDS = 60  # clocks that differ by more than this confuse people
WIDE_CELLS = 2  # what an emoji must take
WORDS = {"ok": "32", "note": "33", "fail": "31"}


class Finding(NamedTuple):
    """One thing that was looked at. ``state``: ok, note (works, but worth knowing), fail."""

    state: str
    about: str
    text: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``doctor``."""
    from tcpchat.cli.common import add_connection

    add_connection(parser)


def run(args: argparse.Namespace) -> int:
    """Look at everything and say what was found; 1 when something does not work."""
    worst = 0
    for finding in examine(args):
        if finding.state == "fail":
            worst = 1
        if args.json:
            show_json(finding._asdict())
        elif finding.state != "ok" or not args.quiet:
            print(f"{paint(finding.state.ljust(4), WORDS[finding.state], args)}  {finding.about}: {finding.text}")
    return worst


def examine(args: argparse.Namespace) -> Iterator[Finding]:
    """Every check, in the order in which one would ask."""
    yield from python()
    yield from terminal(args)
    yield from files(args)
    yield from server(args)


def python() -> Iterator[Finding]:
    """The interpreter and the package."""
    from tcpchat import __version__

    yield Finding("ok", "tcpchat", f"{__version__}, Python {sys.version.split()[0]}, {sys.platform}")


def terminal(args: argparse.Namespace) -> Iterator[Finding]:
    """What the screen can show."""
    term, size = os.environ.get("TERM", ""), shutil.get_terminal_size()
    if real_terminal():
        yield Finding("ok", _("terminal"), f"{term}, {size.columns}x{size.lines}")
    else:
        text = _("not a full-screen terminal; `tcpchat chat` will be the numbered menu")
        yield Finding("note", _("terminal"), f"{text} (TERM={term or '-'})")
    encoding = (sys.stdout.encoding or "").lower()
    if encoding.replace("-", "") == "utf8":
        yield Finding("ok", "UTF-8", encoding)
    else:
        yield Finding("note", "UTF-8", _("not in use here: ticks are ASCII; set LANG=C.UTF-8 for more"))
    locale = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or "-"
    yield Finding("ok", _("language"), f"{language()} ({locale})")
    found = ask() if real_terminal() else None
    if found is None or not found.answered:
        yield Finding("ok", _("colours"), os.environ.get("COLORTERM") or term or "-" if coloured(args) else _("off"))
    if found is not None:
        yield from answers(found, args)


def answers(found: Answers, args: argparse.Namespace) -> Iterator[Finding]:
    """What the terminal itself says that it can do."""
    if not found.answered:
        yield Finding("note", _("terminal"), _("it answers no questions; what it can do is guessed from its name"))
        return
    true = found.truecolour or os.environ.get("COLORTERM") in ("truecolor", "24bit")
    some = _("all") if true else "256" if "256" in os.environ.get("TERM", "") else "16"
    yield Finding("ok", _("colours"), some if coloured(args) else _("off"))
    if found.width == WIDE_CELLS:
        yield Finding("ok", _("wide signs"), _("an emoji takes two columns, as it should"))
    elif found.width is not None:
        text = _("an emoji takes %d columns here: columns may not line up; tcpchat chat: /set ticks ascii")
        yield Finding("note", _("wide signs"), text % found.width)
    yield _can(
        found.kitty, _("keys"), _("kitty protocol: every key arrives"), _("old keys: Shift+Enter is Enter; use Ctrl+J")
    )
    yield _can(
        "paste" in found.modes, _("paste"), _("told from typing"), _("not told from typing: pasted lines are sent")
    )
    yield _can(
        "focus" in found.modes, _("focus"), _("reported"), _("not reported: what is on the screen counts as read")
    )
    yield _can("mouse" in found.modes, _("mouse"), _("reported"), _("not reported"))
    yield _can(
        found.clipboard, _("clipboard"), _("can be set (OSC 52)"), _("does not say; copying by OSC 52 may do nothing")
    )
    if os.environ.get("TMUX"):
        said = passthrough()
        yield _can(
            said in ("on", "all"), "tmux", _("notifications pass"),
            _("notifications do not pass; do: tmux set -g allow-passthrough on"),
        )  # fmt: skip


def _can(can: bool, about: str, yes: str, no: str) -> Finding:
    return Finding("ok", about, yes) if can else Finding("note", about, no)


def files(args: argparse.Namespace) -> Iterator[Finding]:
    """Settings, keys, folders."""
    from tcpchat.client.identity import home, key_path

    path = Path(config_path())
    try:
        read_profile(args.profile)
        yield Finding("ok", _("settings"), str(path) if path.exists() else _("none (%s)") % path)
    except Ended as error:
        yield Finding("fail", _("settings"), error.text)
        return
    for kind in ("data", "state"):
        yield _folder(home(kind))
    key = key_path(settings(args)["user"])
    if not key.exists():
        yield Finding("ok", _("key"), _("none yet; made when first needed (%s)") % key)
    elif os.name == "posix" and stat.S_IMODE(key.stat().st_mode) & 0o077:
        yield Finding("fail", _("key"), _("others can read %s; do: chmod 600 %s") % (key, key))
    else:
        yield Finding("ok", _("key"), str(key))


def _folder(path: Path) -> Finding:
    there = path
    while not there.exists() and there != there.parent:
        there = there.parent
    if os.access(there, os.W_OK):
        return Finding("ok", _("folder"), str(path))
    return Finding("fail", _("folder"), _("%s cannot be written; set TCPCHAT_HOME to one that can") % path)


def server(args: argparse.Namespace) -> Iterator[Finding]:
    """The server, its protocol, the way to it, its clock."""
    from tcpchat.cli.connection import Session
    from tcpchat.client.errors import ChatError, ConnectionFailed
    from tcpchat.core import model as m
    from tcpchat.core.text import clean_line

    about = _("server")
    try:
        chosen = settings(args)
        about = f"{_('server')} {chosen['server']}"
        with Session(args) as session:
            start = time.monotonic()
            state = session.ask(m.Status(), m.State)
            took = (time.monotonic() - start) * 1000
            assert session.welcome is not None
            skew = session.welcome.at / 1000 - time.time()
    except (ConnectionFailed, ValueError) as error:
        yield Finding("fail", about, clean_line(str(error)))
        return
    except (ChatError, Ended) as error:
        yield Finding("note", about, clean_line(str(error)))
        return
    yield Finding("ok", about, f"{state.state}, tcpchat {clean_line(state.version)}, {took:.1f} ms")
    who = f"{clean_line(session.login)} ({session.welcome.role or 'guest'})"
    yield Finding("ok", _("login"), who)
    yield Finding("ok", _("encryption"), "TLS" if state.secure else _("none"))
    if abs(skew) > SKEW_SECONDS:
        yield Finding("note", _("clock"), _("differs from the server's by %d s") % abs(skew))
    else:
        yield Finding("ok", _("clock"), _("as the server's"))
