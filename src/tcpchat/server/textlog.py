"""The text log of a server (``syslog``): one line per act, in the words of the original, and the console's lines.

Nothing that a peer sends can make a second line or move a terminal's cursor: names and texts are cleaned here. Words
that are erased in the chat are blotted out in its file too, in place: who reads along by ``tail -f`` is not disturbed.
"""

from __future__ import annotations

import asyncio
import glob
import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

import msgspec

from tcpchat.core.model import (
    Bye,
    Command,
    Deleted,
    Edited,
    Entry,
    Refused,
    Removed,
    Renamed,
    Said,
)
from tcpchat.core.text import clean_line

if TYPE_CHECKING:
    from tcpchat.core.sessions import Session, User

logger = logging.getLogger("tcpchat.server")

RENAMED = " is now "  # between the old login and the new one
BLOT = b"[erased]"
CHUNK = 1 << 20  # bytes of the file looked at in one go
REST = 10  # times as long as a pass took, until the next
PACKED = frozenset({".gz", ".xz", ".bz2", ".zst"})  # old text logs that cannot be changed in place
LINE_MAX = 10_000  # characters of one line: more than a message may have
LINES_MAX = 10_000  # lines kept while the file takes nothing; older ones are lost, the chat is not


class Blot(NamedTuple):
    """What has to go: all that a login said, or one line."""

    login: str = ""
    line: str = ""


class AuditLog:
    """Writes what happens as lines of text, and counts who is here."""

    def __init__(self, sink: TextIO | None = None, console: Callable[[str], None] | None = None) -> None:
        self.sink, self.console = sink, console
        self.online: dict[int, int] = {}  # uid -> its sessions
        self.state = "WAIT4CLIENTS"
        self.login_of: Callable[[int], str] = lambda uid: ""
        self.full = 0  # bytes of the file at which ``begin_anew`` is called; 0 = never
        self.begin_anew: Callable[[], None] = lambda: None
        self.blots: set[Blot] = set()  # what is erased in the chat and still stands in the file
        self._watchers: tuple[Callable[[Any], None] | None, ...] = (None, None, None)
        self._lines: list[str] = []
        self._notes: dict[type, Callable[[str, Any], None]] = {
            Bye: lambda login, command: self.write(f"{login} leaves server"),
        }

    @property
    def writing(self) -> bool:
        return self.sink is not None

    @property
    def listening(self) -> bool:
        """Does anybody want to know of commands and messages?"""
        return self.writing or any(self._watchers)

    def watch(
        self,
        joined: Callable[[User], None] | None,
        said: Callable[[Said], None] | None,
        left: Callable[[User], None] | None,
    ) -> None:
        """Call these for who joins, what is said, who leaves; an exception of theirs is logged and goes no further."""
        self._watchers = (joined, said, left)

    def _notify(self, which: int, what: Any) -> None:
        if (watcher := self._watchers[which]) is not None:
            try:
                watcher(what)
            except Exception:
                logger.exception("! a handler failed")

    def write(self, line: str) -> None:
        """Add one line; it reaches the file within a tick."""
        if self.sink is not None:
            self._lines.append(one_line(line))

    def flush(self) -> None:
        """Hand the gathered lines to the file. A full disk costs lines, never the chat."""
        if not self._lines or self.sink is None:
            return
        try:
            self.sink.write("\n".join(self._lines) + "\n")
            self.sink.flush()
            if self.full and self.sink.tell() >= self.full:
                self.begin_anew()
        except (OSError, ValueError) as error:
            if len(self._lines) < LINES_MAX:
                return
            logger.error("! the text log takes nothing: %s", error)
        self._lines.clear()

    # -- what the server reports -----------------------------------------------------------------------------

    def command(self, session: Session, command: Command) -> None:
        """A peer asked for something."""
        note = self._notes.get(type(command))
        if note is not None and session.user is not None:
            note(session.user.login, command)

    def confirmed(self, session: Session) -> None:
        """A peer has said that it has something it did not have before."""
        if session.user is not None:
            self.write(f"{session.user.login} : <accepted>")

    def refused(self, session: Session, event: Refused) -> None:
        """A message could not be taken."""
        if event.n and session.user is not None:
            self.write(f"{session.user.login} <sending failure>")

    def entries(self, entries: list[Entry]) -> None:
        """A batch is durable."""
        for entry in entries:
            fact = entry.fact
            if type(fact) is Said:
                self.write(said(fact))
                self._notify(1, fact)
            elif type(fact) is Renamed:
                self.write(f"User {self.login_of(fact.user)}{RENAMED}{fact.login}")
            elif type(fact) is Deleted and fact.erase:
                self.blots.add(Blot(login=self.login_of(fact.user)))
            elif type(fact) in (Edited, Removed) and entry.origin is not None and entry.origin.was is not None:
                was = entry.origin.was
                self.blots.add(Blot(line=one_line(said(was))))
                if type(fact) is Edited:
                    self.write(said(msgspec.structs.replace(was, text=fact.text)))

    def came(self, user: User) -> None:
        """A session of this user is open."""
        sessions = self.online[user.uid] = self.online.get(user.uid, 0) + 1
        if sessions > 1:
            return
        self.write(f"Accepted new user {user.login}")
        self._console(f"{user.login} has joined --- len users {len(self.online)}")
        self._notify(0, user)
        self._count()

    def left(self, user: User) -> None:
        """A session of this user has ended."""
        sessions = self.online[user.uid] - 1
        if sessions:
            self.online[user.uid] = sessions
            return
        del self.online[user.uid]
        self.write(f"User {user.login} has left ...")
        self._console(f"{user.login} has left ... len users {len(self.online)}")
        self._notify(2, user)
        self._count()

    def _count(self) -> None:
        state = "READY2SERV" if len(self.online) >= 2 else "WAIT4CLIENTS"
        if state != self.state:
            self.state = state
            self.write(f"server at {state} state")

    def _console(self, line: str) -> None:
        if self.console is not None:
            self.console(clean_line(line))


def one_line(line: str) -> str:
    """As it stands in the file: one line, of a bounded length."""
    line = line if len(line) <= LINE_MAX else line[:LINE_MAX] + "..."
    return line if line.isprintable() else clean_line(line)


def move_on(path: Path, keep: int) -> None:
    """``path`` becomes ``path.1``, that one ``path.2``, and so on; of these ``keep`` are kept. Raises OSError."""
    for number in range(keep, 0, -1):
        older, newer = (path.with_name(f"{path.name}.{n}") if n else path for n in (number, number - 1))
        if newer.exists():
            newer.replace(older)
    if not keep:
        path.unlink(missing_ok=True)


def said(fact: Said) -> str:
    """A message as the original wrote it down; rooms other than #all stand where it had <broadcast>."""
    if not fact.to.startswith("#"):
        return f"{fact.by} > {fact.text}"
    return f"{fact.by} <{'broadcast' if fact.room == 1 else fact.to}> {fact.text}"


# -- erasing ---------------------------------------------------------------------------------------------------------


class Eraser:
    """Blots out of a folder's text logs what was erased in the chat: one pass at a time, and a rest after each."""

    def __init__(self, audit: AuditLog, place: Path | None) -> None:
        self.audit, self.place = audit, place
        self._task: asyncio.Task[None] | None = None
        self._rested = 0.0

    @property
    def busy(self) -> bool:
        """It is at the files, by their names."""
        return self._task is not None

    def files(self) -> list[Path]:
        """The text log (of earlier runs, where this one keeps none), and what logrotate has left beside it."""
        if self.place is None or not self.place.parent.is_dir():
            return []
        found = [self.place, *self.place.parent.glob(glob.escape(self.place.name) + "[.-]*")]
        return [path for path in found if path.is_file() and path.suffix not in PACKED]

    def tick(self) -> None:
        """Begin a pass if there is something to erase."""
        if self.audit.blots and self._task is None and time.monotonic() >= self._rested:
            self._task = asyncio.get_running_loop().create_task(self._pass(), name="blots")

    async def end(self) -> None:
        """Leave nothing that was to be erased."""
        if self._task is not None:
            await self._task
        if self.audit.blots:
            await self._pass()

    async def _pass(self) -> None:
        self.audit.flush()
        blots, self.audit.blots = self.audit.blots, set()
        begun = time.monotonic()
        try:
            await asyncio.to_thread(blot_out, self.files(), blots)
        except OSError as error:
            logger.error("! what was erased still stands in the text log: %s", error)
            self.audit.blots |= blots
        now = time.monotonic()
        self._rested, self._task = now + REST * (now - begun), None


def blot_out(files: Iterable[Path], blots: set[Blot]) -> None:
    """Overwrite words in these files. It may take seconds: not for the loop's thread.

    A login's lines go by its name and by those that it had before, which others may have had too: rather theirs as well
    than one of its own left. Raises OSError.
    """
    paths = list(files)
    lines = {blot.line.encode("utf-8", "replace") for blot in blots if blot.line}
    logins = {clean_line(blot.login) for blot in blots if blot.login}
    starts = {start for login in _with_former(paths, logins) for start in (f"{login} > ", f"{login} <")}
    for path in paths:
        _blot_file(path, lines, tuple(start.encode() for start in starts))


def _with_former(paths: list[Path], logins: set[str]) -> set[str]:
    """The names, and those that the files say these had before."""
    former: dict[str, set[str]] = {}
    for path in paths if logins else ():
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                old, renamed, new = line.rstrip("\n").partition(RENAMED)
                if renamed and old.startswith("User "):
                    former.setdefault(new, set()).add(old.removeprefix("User "))
    found, left = set(logins), list(logins)
    while left:
        new_ones = former.get(left.pop(), set()) - found
        found |= new_ones
        left += new_ones
    return found


def _blot_file(path: Path, lines: set[bytes], starts: tuple[bytes, ...]) -> None:
    with open(path, "r+b") as file:
        place = 0
        while chunk := file.readlines(CHUNK):
            spots = []
            for line in chunk:
                line = line.rstrip(b"\n")
                if count := _words(line, lines, starts):
                    spots.append((place + len(line) - count, count))
                place += len(line) + 1
            for start, count in spots:
                file.seek(start)
                file.write(BLOT[:count].ljust(count))
            file.seek(place)


def _words(line: bytes, lines: set[bytes], starts: tuple[bytes, ...]) -> int:
    """How many bytes at the end of this line are what somebody said that has to go; 0 for all other lines."""
    if line not in lines and not (starts and line.startswith(starts)):
        return 0
    before, mark = (b" > ", line.find(b" > ")), line.find(b" <")
    if mark >= 0 and (before[1] < 0 or mark < before[1]):
        end = line.find(b"> ", mark)
        return len(line) - end - 2 if end >= 0 else 0  # without a "> " nothing was said: <accepted>
    return len(line) - before[1] - 3 if before[1] >= 0 else 0
