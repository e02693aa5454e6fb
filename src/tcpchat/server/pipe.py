"""The pipe: what the chat wants done is done here, in order.

Facts gather while the log makes the batch before them durable (group commit); a durable batch goes through
``Chat.applied``, its events are encoded once per (event, dialect), joined once per (audience, dialect), and every
receiver gets one write. Nothing in here decides anything about the chat.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Hashable, Sequence
from typing import TYPE_CHECKING, Any

from tcpchat.core.chat import Chat
from tcpchat.core.errors import CODES
from tcpchat.core.model import (
    Accepted,
    AnyEffect,
    AnyEvent,
    Append,
    Check,
    Entry,
    FanOut,
    Fork,
    HangUp,
    Hello,
    Keep,
    Load,
    Refused,
    Said,
    Tell,
)
from tcpchat.log import Log, LogError, LogLost, LogUnavailable
from tcpchat.server import clock
from tcpchat.server.fanout import EVERYTHING, Parcel, runs, take

if TYPE_CHECKING:
    from tcpchat.core.sessions import Session
    from tcpchat.server.connection import Connection
    from tcpchat.server.textlog import AuditLog
    from tcpchat.trust.checking import Checker

logger = logging.getLogger("tcpchat.server")

PENDING_MAX = 4096  # facts that wait for the log; a connection that adds more is not read until they are durable
READING_SECONDS = 0.05  # a read cursor waits so long for others to be made durable with: 20 commits a second at most
BATCH_MAX = 8192  # facts made durable together: bounds one commit to tens of milliseconds


class Pipe:
    """Executes effects for one chat over one log."""

    def __init__(self, chat: Chat, log: Log, audit: AuditLog | None = None) -> None:
        self.chat, self.log, self.audit = chat, log, audit
        chat.unshown = unshown
        self.pending: list[Append] = []
        self.in_flight = False
        self._lost: LogError | None = None
        log.on_lost = self._log_lost
        self._work = asyncio.Event()
        self._dirty: list[Connection] = []
        self._kept: list[Keep] = []
        self._reading: list[Keep] = []  # cursors of which nobody hears before they are durable
        self._reading_due: asyncio.TimerHandle | None = None
        self._throttled: list[Connection] = []
        self._barriers: list[tuple[int, Callable[[], None]]] = []
        self._batches = 0
        self._flush_due = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._checker: Checker | None = None
        self._loop = asyncio.get_running_loop()
        self._last_at = 0
        self._do: dict[type, Callable[[Any], None]] = {
            Keep: self._keep,
            Load: self._load,
            Check: self._check,
            HangUp: self._hang_up,
            Fork: self._fork,
        }

    # -- effects, one after the other ------------------------------------------------------------------------

    def run(self, effects: Sequence[AnyEffect]) -> None:
        """Carry out effects in their order; what they write leaves at the end of this turn of the loop."""
        if len(effects) == 1 and type(effects[0]) is Append:  # a message on its way in
            self.pending.append(effects[0])
            if not self.in_flight:
                self._work.set()
            return
        fans: list[FanOut] = []
        for effect in effects:
            kind = type(effect)
            if kind is FanOut:
                fans.append(effect)  # type: ignore[arg-type] # what stands together leaves together
                continue
            if fans:
                self._fan_out(fans)
                fans = []
            if kind is Append:
                self.pending.append(effect)  # type: ignore[arg-type]
            elif kind is Tell:
                carrier = effect.session.carrier  # type: ignore[union-attr]
                if carrier is not None:
                    carrier.tell(effect.event)  # type: ignore[union-attr]
            else:
                self._do[kind](effect)
        if fans:
            self._fan_out(fans)
        if self.pending and not self.in_flight:
            self._work.set()
        if self._kept:
            self.soon()

    def _keep(self, keep: Keep) -> None:
        """A cursor. One that has to be durable before it is told travels with the next batch, or waits a little for
        others: a whole room reads at once, and must not cost a commit for each reader."""
        if keep.session is None:
            self._kept.append(keep)
            return
        self._reading.append(keep)
        if self._reading_due is None:
            self._reading_due = self._loop.call_later(READING_SECONDS, self._work.set)

    def _run_answers_first(self, effects: Sequence[AnyEffect]) -> None:
        """Effects of a run of messages: the authors' answers, then all that is shared, joined."""
        fans: list[FanOut] = []
        for effect in effects:
            if type(effect) is FanOut:
                fans.append(effect)
            elif type(effect) is Tell:
                if (carrier := effect.session.carrier) is not None:
                    carrier.tell(effect.event)
            else:
                self.run((effect,))
        if fans:
            self._fan_out(fans)

    def _hang_up(self, effect: HangUp) -> None:
        if effect.session.carrier is not None:
            effect.session.carrier.finish()

    # -- fan-out: the hot loop -------------------------------------------------------------------------------

    def _fan_out(self, fans: Sequence[FanOut]) -> None:
        """Give every live session of the audiences its events, in order, as few and as shared bytes as possible."""
        groups: dict[Any, list[tuple[int, FanOut]]] = {}
        for place, fan in enumerate(fans):
            group = groups.get(fan.audience)
            if group is None:
                groups[fan.audience] = [(place, fan)]
            else:
                group.append((place, fan))
        touched: list[Session] = []
        for audience, members in groups.items():
            for sessions in audience.by_dialect.values():
                self._address(members, sessions, touched)
        for session in touched:
            carrier: Connection = session.carrier
            parcels, carrier.parcels = carrier.parcels, ()
            try:
                if len(parcels) == 1 and parcels[0].joined is not None and session not in parcels[0].own:
                    if parcels[0].stop == EVERYTHING:
                        carrier.share(parcels[0].joined, parcels[0].last)
                        continue
                elif all(parcel.stop == EVERYTHING for parcel in parcels):
                    take(session, parcels)
                    continue
                self._stop_at(session, parcels, fans)
            except Exception:
                carrier.bug()

    def _stop_at(self, session: Session, parcels: Sequence[Parcel], fans: Sequence[FanOut]) -> None:
        """One of these events could not be encoded: what stands before it is told, the rest is read from the log."""
        stop = min(parcel.stop for parcel in parcels)
        take(session, parcels, stop)
        self.run(self.chat.behind(session, fans[stop].event.seq - 1))  # type: ignore[union-attr] # kept, so it has one

    def _address(
        self, members: list[tuple[int, FanOut]], sessions: dict[Session, None], touched: list[Session]
    ) -> None:
        plain: Parcel | None = None
        seen: dict[Hashable, Parcel] = {}  # by outlook, when the dialect alone does not decide
        for session in sessions:
            if not session.live:
                continue
            carrier = session.carrier
            if carrier is None or carrier.closed:
                continue
            if plain is None:
                plain = Parcel(members, carrier.door.encode)
                if plain.joined is None:
                    seen[None] = plain
            try:
                parcel = self._seen(members, session, seen) if seen else plain
            except Exception:
                carrier.bug()
                continue
            if parcel.joined == b"" and not parcel.last:
                continue  # nothing of it is seen from there
            if carrier.parcels:
                carrier.parcels.append(parcel)
            else:
                carrier.parcels = [parcel]
                touched.append(session)

    @staticmethod
    def _seen(members: list[tuple[int, FanOut]], session: Session, seen: dict[Hashable, Parcel]) -> Parcel:
        """What this session sees of events that do not look alike for all of its dialect."""
        door = session.carrier.door
        outlook = door.outlook(members, session in seen[None].own)
        parcel = seen.get(outlook)
        if parcel is None:
            parcel = seen[outlook] = Parcel(members, door.view)
        return parcel

    # -- the end of a turn -----------------------------------------------------------------------------------

    def touch(self, connection: Connection) -> None:
        """This connection has something to write at the end of the turn."""
        self._dirty.append(connection)
        if not self._flush_due:
            self.soon()

    def soon(self) -> None:
        if not self._flush_due:
            self._flush_due = True
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """One write per connection that has something to say, and the cursors of this turn to the log."""
        self._flush_due = False
        while self._dirty:
            dirty, self._dirty = self._dirty, []
            for connection in dirty:
                try:
                    connection.flush()
                except Exception:
                    connection.bug()
        if self._kept:
            self.log.keep(self._kept)
            self._kept.clear()

    # -- group commit ----------------------------------------------------------------------------------------

    async def pump(self) -> None:
        """Make facts durable, batch after batch, until cancelled. Raises LogLost: then nobody may be answered any
        more, and ``in_flight`` stays as it is, so that nothing that waits for the outcome goes on."""
        while True:
            await self._work.wait()
            self._work.clear()
            if self._lost is not None:
                self.in_flight = True
                raise self._lost
            while self.pending or self._reading_ripe():
                await self._commit()

    async def _commit(self) -> None:
        batch = self.pending[:BATCH_MAX]
        del self.pending[:BATCH_MAX]
        self.in_flight = True
        self._last_at = at = max(self._last_at, int(time.time() * 1000))
        reading = self._take_reading()
        try:
            entries = await self._write(batch, at, reading)
        except LogLost as error:
            self._lost = error
            raise
        except LogUnavailable as error:
            logger.error("! the log takes nothing: %s", error)
            # What waits behind it goes too: a later number must not be taken before an earlier one that was refused.
            batch += self.pending
            self.pending.clear()
            self.run(self.chat.failed(batch, clock.now()))
            if reading:
                self.run(self.chat.unkept(reading))
        else:
            self._applied(entries)
            if reading:
                self.run(self.chat.kept(reading))
        self.in_flight = False
        self.flush()
        self._batches += 1
        self._release()

    async def _write(self, batch: list[Append], at: int, reading: list[Keep]) -> list[Entry]:
        """Make a batch durable, and with it cursors that have to be. Raises LogUnavailable, LogLost."""
        if reading:
            self.log.keep(reading)
        if batch:
            return await self.log.append(batch, at)
        if hasattr(self.log, "sync"):  # one of somebody's own may not have it: its cursors are durable when they are
            await self.log.sync()
        return []

    def _reading_ripe(self) -> bool:
        """Have cursors waited long enough for a batch to travel with?"""
        due = self._reading_due
        return due is not None and due.when() <= self._loop.time() + READING_SECONDS / 10

    def _take_reading(self) -> list[Keep]:
        if self._reading_due is not None:
            self._reading_due.cancel()
            self._reading_due = None
        reading, self._reading = self._reading, []
        return reading

    def _log_lost(self, error: LogError) -> None:
        """The log has found that it must not be used any more, while nothing was appended."""
        self._lost = error
        self._work.set()

    def _applied(self, entries: list[Entry]) -> None:
        now = clock.now()
        if self.audit is not None:
            self.audit.entries(entries)
        for run, messages in runs(entries):
            while run:
                run = self._applied_run(run, messages, now)
        for entry in entries:
            entry.origin = None  # the newest entries stay in memory; sessions that are long gone need not

    def _applied_run(self, run: list[Entry], messages: bool, now: float) -> list[Entry]:
        """Apply entries and tell what they bring. One that cannot be applied stays alone: returned is what stands
        behind it."""
        effects: list[AnyEffect] = []
        rest: list[Entry] = []
        bad: Entry | None = None
        try:
            self.chat.applied(run, now, effects)
        except Exception:
            bad = next((entry for entry in run if entry.seq == self.chat.head), run[-1])
            rest = run[run.index(bad) + 1 :]
            logger.exception("! a fault of this server: entry %d could not be applied", bad.seq)
        try:
            (self._run_answers_first if messages else self.run)(effects)
            if bad is not None:
                self._answer_for(bad, effects)
                self.run(self.chat.read_again(bad))
        except Exception:
            logger.exception("! a fault of this server: entries %d to %d were not told", run[0].seq, run[-1].seq)
        return rest

    def _answer_for(self, entry: Entry, effects: Sequence[AnyEffect]) -> None:
        """Its author waits: a message is in the log, and its number is used; of all else the outcome is not known."""
        origin = entry.origin
        if origin is None or origin.session.carrier is None:
            return
        if any(type(one) is Tell and getattr(one.event, "seq", 0) == entry.seq for one in effects):
            return  # it was answered before it failed
        event: AnyEvent = Refused(code="internal", text=CODES["internal"].text, ref=origin.ref)
        if type(entry.fact) is Said:
            event = Accepted(entry.fact.n, entry.seq, entry.at, origin.ref)
        origin.session.carrier.tell(event)

    def throttle(self, connection: Connection) -> None:
        """Read no more from this connection until what it asked for is durable."""
        connection.pause("pending")
        self._throttled.append(connection)

    def when_durable(self, then: Callable[[], None]) -> None:
        """Call back once everything that is pending now is durable (or refused) and told."""
        if not self.idle:
            if self._reading and not self.pending:
                self._hurry()
            ahead = (1 if self.in_flight else 0) + max(-(-len(self.pending) // BATCH_MAX), bool(self._reading))
            self._barriers.append((self._batches + ahead, then))
        else:
            self._loop.call_soon(then)

    def _release(self) -> None:
        if self._throttled and len(self.pending) < PENDING_MAX:
            throttled, self._throttled = self._throttled, []
            for connection in throttled:
                connection.unpause("pending")
        if self._barriers:
            due = [then for batch, then in self._barriers if batch <= self._batches]
            self._barriers = [(b, then) for b, then in self._barriers if b > self._batches]
            for then in due:
                self._loop.call_soon(then)

    @property
    def idle(self) -> bool:
        """True while nothing waits for the log."""
        return not self.pending and not self.in_flight and not self._reading

    def _hurry(self) -> None:
        """Somebody waits for all that is pending: cursors wait for company no longer."""
        if self._reading_due is not None:
            self._reading_due.cancel()
        self._reading_due = self._loop.call_at(self._loop.time(), self._work.set)

    async def drained(self, timeout: float) -> bool:
        """Wait until everything that is pending now is durable and told; False after ``timeout`` seconds, or
        when that will never be."""
        if self._lost is not None:
            return False
        done = asyncio.Event()
        self.when_durable(done.set)
        try:
            await asyncio.wait_for(done.wait(), timeout)
        except TimeoutError:
            return False
        return True

    # -- questions to the log and to trust -------------------------------------------------------------------

    def own(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run a task that ends with this pipe."""
        task = self._loop.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("! %s failed", task.get_name(), exc_info=task.exception())

    def _load(self, load: Load) -> None:
        """One question at a time per session: answers come in the order of the questions."""
        connection: Connection | None = load.session.carrier
        if connection is None or connection.closed:
            return
        connection.loads += (load,)
        self.answer(connection)

    def answer(self, connection: Connection) -> None:
        """Go on with the questions of a connection, if there are any and nobody is at it."""
        if connection.loads and not connection.loading:
            connection.loading = True
            self.own(self._answer(connection), "load")

    async def _answer(self, connection: Connection) -> None:
        try:
            while connection.loads and not connection.closed:
                self.flush()
                if connection.stuck:
                    return  # goes on when there is room for the answer
                load, *rest = connection.loads
                connection.loads = tuple(rest)
                await self._ask(connection, load)
        finally:
            connection.loading = False
        connection.unpause("loads")

    async def _ask(self, connection: Connection, load: Load) -> None:
        if type(load.command) is Hello and load.session.device is not None and load.session.device.unanswered:
            # Its last number cannot be told before it is known: who hears that a number is free may use it again.
            durable = asyncio.Event()
            self.when_durable(durable.set)
            await durable.wait()
        try:
            result = await self.log.ask(load.query)
        except LogError as error:
            logger.error("! the log does not answer: %s", error)
            if load.command is None:
                connection.hang_up("unavailable")  # its feed; the peer comes back and goes on from its cursor
            else:
                ref = getattr(load.command, "ref", 0)
                connection.tell(Refused(code="unavailable", text=CODES["unavailable"].text, ref=ref))
            return
        if connection.closed:
            return
        try:
            self.run(self.chat.loaded(load, result, clock.now()))
        except Exception:
            connection.bug()
        self.flush()
        connection.recheck()

    def _fork(self, fork: Fork) -> None:
        logger.critical(
            "! this log was set back, by a restore or a loss: %s. Clients are told. If you restored nothing, look at "
            "the disk, and at your newest backup.",
            fork.why,
        )
        self.own(self._forked(fork), "fork")

    async def _forked(self, fork: Fork) -> None:
        try:
            await self.log.new_lineage(fork.since)
        except LogError as error:
            logger.error("! the log takes nothing: %s", error)
            self.run(self.chat.forked((), clock.now()))
        else:
            self.run(self.chat.forked(self.log.lineages(), clock.now()))
        self.flush()

    def _check(self, check: Check) -> None:
        self.own(self._checked(check), "check")

    async def _checked(self, check: Check) -> None:
        if self._checker is None:
            from tcpchat.trust.checking import Checker  # 40 ms that a server without logins does not need

            self._checker = Checker()
        answer = await self._checker.check(check)
        if check.session.carrier is None or check.session.carrier.closed:
            return
        if answer is None:
            self.run(self.chat.overloaded(check))
        else:
            self.run(self.chat.checked(check, answer, clock.now()))

    async def close(self) -> None:
        """End the tasks of this pipe."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._checker is not None:
            self._checker.close()


def unshown(seq: int) -> None:
    """An entry could not be shown to somebody who reads on."""
    logger.exception("! a fault of this server: entry %d could not be shown", seq)
