"""The text log of a server (``syslog``): one line per act, in the words of the original, and the console's lines.

Nothing that a peer sends can make a second line or move a terminal's cursor: names and texts are cleaned here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO

from tcpchat.core.model import Bye, Command, Confirm, Entry, Refused, Said, Status, Who
from tcpchat.core.text import clean_line

if TYPE_CHECKING:
    from tcpchat.core.feed import Session
    from tcpchat.core.state import User

logger = logging.getLogger("tcpchat.server")

LINES_MAX = 10_000  # lines kept while the file takes nothing; older ones are lost, the chat is not


class AuditLog:
    """Writes what happens as lines of text, and counts who is here."""

    def __init__(self, sink: TextIO | None = None, console: Callable[[str], None] | None = None) -> None:
        self.sink, self.console = sink, console
        self.online: dict[int, tuple[User, int]] = {}  # uid -> the user, its sessions
        self.state = "WAIT4CLIENTS"
        self._watchers: tuple[Callable[[User], None], Callable[[Said], None], Callable[[User], None]] | None = None
        self._lines: list[str] = []
        self._notes: dict[type, Callable[[str, Any], None]] = {
            Confirm: lambda login, command: self.write(f"{login} : <accepted>"),
            Status: lambda login, command: self.write(f"{login} asks server status - {self.state}"),
            Who: self._who,
            Bye: lambda login, command: self.write(f"{login} leaves server"),
        }

    @property
    def writing(self) -> bool:
        return self.sink is not None

    @property
    def listening(self) -> bool:
        """Does anybody want to know of commands and messages?"""
        return self.writing or self._watchers is not None

    def watch(self, joined: Callable[[User], None], said: Callable[[Said], None], left: Callable[[User], None]) -> None:
        """Call these for who joins, what is said, who leaves; an exception of theirs is logged and goes no further."""
        self._watchers = (joined, said, left)

    def _notify(self, which: int, what: Any) -> None:
        if self._watchers is not None:
            try:
                self._watchers[which](what)
            except Exception:
                logger.exception("! a handler failed")

    def write(self, line: str) -> None:
        """Add one line; it reaches the file within a tick."""
        if self.sink is not None:
            self._lines.append(line if line.isprintable() else clean_line(line))

    def flush(self) -> None:
        """Hand the gathered lines to the file. A full disk costs lines, never the chat."""
        if not self._lines or self.sink is None:
            return
        try:
            self.sink.write("\n".join(self._lines) + "\n")
            self.sink.flush()
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

    def _who(self, login: str, command: Who) -> None:
        if not command.to:
            logins = [user.login for user, _ in self.online.values()]
            self.write(f"{login} asks server about active connections - {logins}")

    def refused(self, session: Session, event: Refused) -> None:
        """A message could not be taken."""
        if event.n and session.user is not None:
            self.write(f"{session.user.login} <sending failure>")

    def entries(self, entries: list[Entry]) -> None:
        """A batch is durable."""
        for entry in entries:
            if type(entry.fact) is Said:
                self.write(said(entry.fact))
                self._notify(1, entry.fact)

    def came(self, user: User) -> None:
        """A session of this user is open."""
        known = self.online.get(user.uid)
        if known is not None:
            self.online[user.uid] = (user, known[1] + 1)
            return
        self.online[user.uid] = (user, 1)
        self.write(f"Accepted new user {user.login}")
        self._console(f"{user.login} has joined --- len users {len(self.online)}")
        self._notify(0, user)
        self._count()

    def left(self, user: User) -> None:
        """A session of this user has ended."""
        sessions = self.online[user.uid][1] - 1
        if sessions:
            self.online[user.uid] = (user, sessions)
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


def said(fact: Said) -> str:
    """A message as the original wrote it down; rooms other than #all stand where it had <broadcast>."""
    if not fact.to.startswith("#"):
        return f"{fact.by} > {fact.text}"
    return f"{fact.by} <{'broadcast' if fact.room == 1 else fact.to}> {fact.text}"
