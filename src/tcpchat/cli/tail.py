"""``tcpchat tail``: the last messages of a conversation (or of all), and what comes.

Looking changes nothing by itself. With ``--mark delivered`` this command is the recipient's client: it starts with what
waits for the login and confirms each message behind its printing (and behind ``--exec``).
"""

from __future__ import annotations

import argparse
import os
import select
import subprocess
import sys
import threading
import time

from tcpchat.cli.common import USAGE, Ended, guarded, seconds, tell
from tcpchat.cli.connection import Session
from tcpchat.cli.output import BROKEN_PIPE
from tcpchat.cli.printing import show_message
from tcpchat.core import model as m
from tcpchat.core.text import fold

HANGUP = 129  # exit code: 128 and SIGHUP, as a shell says it
PAGE = 500
FROM_NOW = -1  # Hello.after: only what comes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``tail``."""
    parser.add_argument("to", nargs="?", metavar="TO", help="a login, or '#room'; nothing: all conversations")
    parser.add_argument("--room", metavar="NAME", help="a room")
    parser.add_argument("-n", type=int, default=20, metavar="N", help="how many (20)")
    parser.add_argument("-f", "--follow", action="store_true", help="go on with what comes")
    parser.add_argument("--since", type=seconds, metavar="TIME", help="only newer than: 1h, 3d")
    parser.add_argument("--unread", action="store_true", help="only what is not read")
    parser.add_argument(
        "--mark",
        choices=["read", "delivered", "none"],
        default="none",
        help="what printing means to the senders (none); delivered: begin with what waits, all conversations",
    )
    parser.add_argument(
        "--exec",
        dest="command",
        metavar="CMD",
        help="run for each message, with TCPCHAT_FROM, TCPCHAT_TO, TCPCHAT_TEXT, TCPCHAT_SEQ and TCPCHAT_AT in its "
        "environment",
    )


def run(args: argparse.Namespace) -> int:
    """Print; returns the exit code."""
    return guarded(args, lambda: _tail(args))


def _tail(args: argparse.Namespace) -> int:
    to = "#" + args.room.lstrip("#") if args.room else args.to or ""
    if to == "@all":
        to = "#all"
    elif to and to[0] not in "#@":
        to = "@" + to
    receiving = args.mark == "delivered" or (args.mark == "read" and not to and args.follow)
    if receiving and (to or not args.follow):
        # The cursor of what was delivered is one for all conversations: with a part printed it would tell lies.
        raise Ended(USAGE, "--mark delivered is for `tail -f` of everything; one conversation takes --mark read.")
    if receiving:
        with Session(args, quiet=False, label="tail") as session:
            _follow(args, session, to, 0)
    with Session(args, after=FROM_NOW if args.follow else None, label="tail") as session:
        last, read = 0, dict[str, int]()
        for message in _past(args, session, to):
            last = message.seq
            _show(args, session, message)
            read[_conversation(session, message)] = last
        for conversation, seq in read.items() if args.mark == "read" else ():
            session.ask(m.Read(conversation, seq), m.Done)  # what was marked is on disk before this command ends
        if args.follow:
            _follow(args, session, to, last)
    return 0


def _past(args: argparse.Namespace, session: Session, to: str) -> list[m.Message]:
    """What was said before, oldest first."""
    rooms = session.ask(m.Rooms(), m.RoomList).rooms
    infos = {fold(room.to): room for room in rooms if not to or fold(room.to) == fold(to)}
    since = (time.time() - args.since) * 1000 if args.since else 0.0
    found: list[m.Message] = []
    for key, target in {key: room.to for key, room in infos.items()}.items() or [(fold(to), to)]:
        if not target:
            continue
        read = infos[key].read if args.unread and key in infos else 0
        found += [one for one in _newest(session, target, args.n) if one.at >= since and one.seq > read]
    found.sort(key=lambda message: message.seq)
    return found[-args.n :] if args.n > 0 else []


def _newest(session: Session, to: str, count: int) -> list[m.Message]:
    """The last messages of one conversation."""
    found: list[m.Message] = []
    before, more = 0, True
    while more and len(found) < count:
        page = session.ask(m.History(to, before, limit=min(count - len(found), PAGE)), m.Page)
        found = [one for one in page.messages if isinstance(one, m.Message)] + found
        more = page.more and bool(page.messages)
        before = page.messages[0].seq if page.messages else 0
    return found


def _watch_output() -> None:
    """End at once when the terminal or the reader of the pipe is gone, not with the next message: nobody sees it. What
    was confirmed has been printed; nothing else is under way."""
    try:
        number = sys.stdout.fileno()
    except (OSError, ValueError):
        return  # no file: tests, notebooks
    if not hasattr(select, "poll"):
        return  # Windows
    watched = select.poll()
    watched.register(number, 0)  # errors and hang-ups are told unasked

    def wait() -> None:
        if watched.poll():
            os._exit(HANGUP if terminal else BROKEN_PIPE)

    terminal = os.isatty(number)
    threading.Thread(target=wait, name="output", daemon=True).start()


def _follow(args: argparse.Namespace, session: Session, to: str, last: int) -> None:
    _watch_output()
    for event in session.events(None):
        if isinstance(event, m.Forked):
            tell(args, "The server was set back: what was printed last may be on it no more.")
        if isinstance(event, m.Message) and event.seq > last and _wanted(session, event, to):
            _show(args, session, event)


def _conversation(session: Session, message: m.Message) -> str:
    direct = message.to.startswith("@") and fold(message.by) != fold(session.login)
    return "@" + message.by if direct else message.to


def _wanted(session: Session, message: m.Message, to: str) -> bool:
    return not to or fold(_conversation(session, message)) == fold(to)


def _show(args: argparse.Namespace, session: Session, message: m.Message) -> None:
    """Print, hand to the command, and only then confirm."""
    if message.kind != "tag":
        show_message(args, message)
        if args.command:
            _execute(args, message)
    if args.mark == "delivered" or (args.mark == "read" and args.follow and not (args.to or args.room)):
        session.confirm(message.seq)
    if args.mark == "read":
        session.send(m.Read(_conversation(session, message), message.seq))


def _execute(args: argparse.Namespace, message: m.Message) -> None:
    """Values travel in the environment and are never part of the command: no text can become code."""
    values = {
        "FROM": message.by,
        "TO": message.to,
        "TEXT": message.text,
        "SEQ": str(message.seq),
        "AT": str(message.at),
    }
    # What the system's encoding cannot write down is "?" there.
    system = sys.getfilesystemencoding()
    environment = {
        **os.environ,
        **{
            f"TCPCHAT_{name}": value.replace("\0", "").encode(system, "replace").decode(system)
            for name, value in values.items()
        },
    }
    code = subprocess.run(args.command, shell=True, env=environment, check=False).returncode
    if code:
        tell(args, f"the command ended with {code}")
