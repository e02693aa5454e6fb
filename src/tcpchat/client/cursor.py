"""Resuming: up to where the feed was heard and taken, of which log, and what came of one's own. No I/O, no clock."""

from __future__ import annotations

from tcpchat.client.errors import OutboxError
from tcpchat.client.outcomes import Passed
from tcpchat.client.record import Record
from tcpchat.core import model as m
from tcpchat.core.text import fold

OWN = 100_000  # own messages that are recognized when they come back with the feed

Feed = m.Message | m.Amended | m.RoomEvent


class Cursor:
    """One device's place in the feed. ``after`` and ``log`` are what the program asked for; see Options."""

    def __init__(self, record: Record, after: int | None, log: str = "") -> None:
        self.record = record
        self._asked_after = record.cursor if after is None else after
        self._asked_log = log if (after or -1) >= 0 else None  # None: the one that is remembered
        self._started = False
        self.taken = self.seen = 0  # last seq of the feed that the program is done with; that has come
        self.to_confirm = self.confirmed = 0
        self.deaf = False  # nobody listens: what comes does not count as heard
        self._own: dict[int, None] = dict.fromkeys(record.own)
        self._names: set[str] = set()

    def behind(self) -> int | None:
        """Where the feed is to start, for Hello."""
        return self.taken if self._started else self._asked_after

    def of_log(self) -> str:
        """Of which log that is: the one that is remembered, or what the program says that gave a place of its own."""
        return self.record.log if self._started or self._asked_log is None else self._asked_log

    def known(self) -> int:
        """The highest seq of its log that this device has ever been told of."""
        return max(self.taken, self.seen, self.record.cursor or 0, self.record.head, *self._own)

    def begin(self, event: m.Welcome, asked: int | None) -> int:
        """A new session, whose feed was asked for behind ``asked``. Returns the first seq that was heard and is not
        on the server's log; 0: all of it is."""
        self._names.add(fold(event.login))
        self.confirmed = asked or 0
        # Its log is shorter than what we asked for: restored, or made anew. Not compared with what is taken, because
        # the program may have taken more since the question left.
        set_back = asked is not None and event.after < asked
        lost = event.lost or (event.after + 1 if set_back and not event.log else 0)
        gone = lost if lost and self.known() >= lost else 0
        if gone:
            self._forget_from(gone)
        if lost == 1 and asked is not None and asked >= 0:
            set_back = True  # another log altogether: where its feed starts has nothing to do with what was asked
        if not self._started or set_back:
            self._start(event, set_back)
        self._started = True
        return gone

    def _start(self, event: m.Welcome, set_back: bool) -> None:
        if self._started:
            self._own.clear()
        self.taken = self.seen = event.after
        self.to_confirm = self.confirmed = event.after
        if set_back or (self.record.cursor is not None and self.record.cursor > event.head):
            self.record.cursor = None
        self.record.keep_cursor(event.after)

    def _forget_from(self, lost: int) -> None:
        last = lost - 1
        self.taken, self.seen = min(self.taken, last), min(self.seen, last)
        self.to_confirm = min(self.to_confirm, last)
        if self.record.cursor is not None:
            self.record.cursor = min(self.record.cursor, last)
        self._own = {seq: None for seq in self._own if seq <= last}
        try:
            self.record.forget_own(lost)
        except OutboxError:
            pass  # their places are behind the new cursor, or are told again by the next accepted ones

    def heard(self, event: Feed) -> Feed | Passed | None:
        """What a program is to be told of an event of the feed; None: it has come before."""
        if event.seq <= self.seen:
            return None
        if not self.deaf:
            self.seen = event.seq
        if isinstance(event, m.Message) and event.seq in self._own and self.is_me(event.by):
            return Passed(event.seq)
        return event

    def rewind(self) -> None:
        """What has come and was not taken has to come again."""
        self.seen = self.taken

    def take(self, seq: int) -> None:
        """The program is done with everything up to ``seq``."""
        if seq > self.taken:
            self.taken = seq
            while self._own and (first := next(iter(self._own))) <= seq:
                del self._own[first]
            self.confirm(seq)

    def confirm(self, seq: int) -> None:
        """The server may be told that this device has everything up to ``seq``."""
        if seq > self.to_confirm:
            self.to_confirm = seq
            self.record.keep_cursor(seq)

    def is_own(self, seq: int) -> None:
        """This message went out from here: it is not shown when the feed brings it back."""
        if seq > self.taken:
            self._own[seq] = None
            if len(self._own) > OWN:
                del self._own[next(iter(self._own))]

    def is_me(self, login: str) -> bool:
        """Has this device had this login?"""
        return fold(login) in self._names

    def renamed(self, login: str) -> None:
        """The own login is another one from now on."""
        self._names.add(fold(login))
