"""Client: one person's (or program's) place in the chat, kept over lost connections.

Nothing sent vanishes: a message is in the outbox until the server has said that it is durable, and goes out again
under the same number after every reconnect. Nothing heard is lost or doubled: the feed goes on behind the last seq
that the program has taken.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec

from tcpchat.client.asking import Asking
from tcpchat.client.errors import ChatError, ConnectionFailed, Refused, TimedOut, Unknown
from tcpchat.client.events import Offline, Online, SentChanged
from tcpchat.client.identity import load_key, parse_address
from tcpchat.client.outbox import Outbox
from tcpchat.client.sending import Sending
from tcpchat.client.sent import Sent
from tcpchat.client.streams import open_stream
from tcpchat.core import model as m
from tcpchat.core.rules import challenge_text
from tcpchat.core.text import fold
from tcpchat.doors.native import ClientSide

if TYPE_CHECKING:
    from tcpchat.trust.keys import Key

BACK_OFF = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)  # seconds between tries, each with jitter
PING_AFTER = 10.0  # seconds without a byte until we ask for a sign of life
DEAD_AFTER = 30.0  # seconds without a byte until the connection counts as cut
QUEUE = 10_000  # events a program may leave untaken before reading stops
ANSWER_SECONDS = 30.0
FINAL = {
    "claimed",
    "banned",
    "wrong_password",
    "wrong_proof",
    "tls_required",
    "closed",
    "bad_name",
    "in_use",
    "insecure",
}


class Client(Sending, Asking):
    """See ``connect``. Use it as an async context manager, or ``await client.start()`` and ``await client.close()``."""

    def __init__(
        self, server: str | None = None, login: str = "", *, device: str | None = None, label: str = "script",
        key: Key | str | Path | bool | None = None, password: str | None = None, outbox: str | Path | None = None,
        after: int | None = None, quiet: bool = False, claim: bool = False, tls: str = "auto", reconnect: bool = True,
        name: str = "", bot: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(Outbox(outbox, device or ""))
        self.server = server or ""
        self.host, self.port = parse_address(server)
        self.login, self.label, self.name, self.is_bot = login, label, name, bot
        self.state = "connecting"
        self.status = "WAIT4CLIENTS"
        self.welcome: m.Welcome | None = None
        self.latency: float | None = None
        self.fingerprint = ""
        self.retry_at = 0.0
        self.error: ChatError | None = None
        self._key, self._password, self._claim = key, password, claim
        self._quiet, self._tls, self._reconnect = quiet, tls, reconnect
        self._after = after if after is not None else self._outbox.cursor
        self._taken = self._after or 0  # last seq that the program has taken: the feed goes on behind it
        self._seen = self._after or 0  # last seq of the feed that was queued
        self._events: deque[object] = deque()
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._listening = self._overrun = False
        self._writer: asyncio.StreamWriter | None = None
        self._wire = ClientSide()
        self._task: asyncio.Task[None] | None = None
        self._opened: asyncio.Future[None] | None = None
        self._now = asyncio.Event()
        self._answers: dict[int, asyncio.Future[m.AnyEvent]] = {}
        self._ref = 0
        self._confirmed = self._to_confirm = 0
        self._flush_due = False
        self._pinged = 0.0

    # -- life ------------------------------------------------------------------------------------------------------

    @property
    def device(self) -> str:
        """The id under which this client's messages are numbered."""
        return self._outbox.device

    @property
    def pending(self) -> list[Sent]:
        """What is in the outbox: not accepted yet, in order."""
        return list(self._outbox.items)

    async def start(self) -> Client:
        """Connect. Raises Refused when the login cannot be had, ConnectionFailed when ``reconnect`` is off."""
        if self._task is None:
            loop = asyncio.get_running_loop()
            self._opened = loop.create_future()
            self._task = loop.create_task(self._run(), name="tcpchat client")
        assert self._opened is not None
        await asyncio.shield(self._opened)
        return self

    def begin(self) -> Client:
        """Start connecting without waiting for it: what happens comes as events."""
        if self._task is None:
            loop = asyncio.get_running_loop()
            self._opened = loop.create_future()
            self._opened.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._task = loop.create_task(self._run(), name="tcpchat client")
        return self

    async def __aenter__(self) -> Client:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self, why: str = "") -> None:
        """Say goodbye and end. What is in a durable outbox goes out next time."""
        if self.state == "closed" and self._task is None:
            return
        if self._writer is not None and self.online:
            self._confirm_now()
            self._send(m.Bye(why))
            self._flush()
            try:
                await asyncio.wait_for(self._writer.drain(), 1.0)
            except (OSError, TimeoutError):
                pass
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self._end(Unknown("The client was closed before the message was known to be accepted."))

    def _end(self, error: ChatError) -> None:
        self.state = "closed"
        for item in list(self._outbox.items):
            if item.state == "pending" and item.error is None:
                item.fail(error if not isinstance(error, Unknown) else Unknown(str(error), item.n))
        for waiting in self._answers.values():
            if not waiting.done():
                waiting.set_exception(ConnectionFailed(str(error)))
        self._answers.clear()
        self._outbox.close()
        self._wake.set()

    def reconnect_now(self) -> None:
        """Do not wait for the next try."""
        self._now.set()

    async def _run(self) -> None:
        tries = 0
        while True:
            try:
                await self._session()
                tries = 0 if self.welcome is not None else tries
                why = "The server closed the connection."
            except Refused as error:
                self._give_up(error)
                return
            except ChatError as error:
                why = str(error)
                if not self._reconnect or type(error).__name__ == "KeyChanged":
                    self._give_up(error)
                    return
            except (OSError, asyncio.IncompleteReadError) as error:
                why = str(error) or "The connection was lost."
            if self._was_online:
                tries = 0
            if not self._reconnect:
                self._give_up(ConnectionFailed(why))
                return
            delay = BACK_OFF[min(tries, len(BACK_OFF) - 1)] * random.uniform(0.5, 1.0)
            tries += 1
            await self._wait(why, delay)

    _was_online = False

    async def _wait(self, why: str, delay: float) -> None:
        self.state = "waiting"
        self.retry_at = time.time() + delay
        self._put(Offline(why, delay))
        self._now.clear()
        try:
            await asyncio.wait_for(self._now.wait(), delay)
        except TimeoutError:
            pass
        self.state = "connecting"

    def _give_up(self, error: ChatError) -> None:
        self.error = error
        self._put(Offline(str(error), None))
        self._end(error)
        if self._opened is not None and not self._opened.done():
            self._opened.set_exception(error)

    # -- one connection --------------------------------------------------------------------------------------------

    async def _session(self) -> None:
        self._was_online = False
        self._wire = ClientSide()
        reader, writer, self.fingerprint = await open_stream(self.host, self.port, self._tls)
        self._writer = writer
        try:
            self._send(self._hello())
            self._flush()
            await self._read(reader)
        finally:
            self._writer = None
            self._flight.clear()
            for waiting in self._answers.values():
                if not waiting.done():
                    waiting.set_exception(ConnectionFailed("The connection was lost before the answer came."))
            self._answers.clear()
            writer.close()
            try:
                await asyncio.wait_for(writer.wait_closed(), 1.0)
            except (OSError, TimeoutError):
                pass

    def _hello(self) -> m.Hello:
        key = self._load_key()
        after = self._taken if self._taken else self._after
        return m.Hello(
            self.login, self._outbox.device, self.label, after, key.public if key else "", self._claim and key is not None,
            self.name, bot=self.is_bot, quiet=self._quiet,
        )  # fmt: skip

    def _load_key(self) -> Key | None:
        key = self._key
        if key is None or key is False:
            return None
        if key is True:
            self._key = load_key(self.login)
        elif isinstance(key, str | Path):
            from tcpchat.trust.keys import Key as KeyType

            self._key = KeyType.load_or_make(key)
        return cast("Key", self._key)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        heard = time.monotonic()
        while True:
            try:
                data = await asyncio.wait_for(reader.read(1 << 16), PING_AFTER)
            except TimeoutError:
                if time.monotonic() - heard > DEAD_AFTER:
                    raise ConnectionFailed("The server gives no sign of life.") from None
                self._pinged = time.monotonic()
                self._send(m.Ping("alive"))
                self._flush()
                continue
            heard = time.monotonic()
            for event in self._wire.receive(data):
                self._take(event)
            if self._wire.fault:
                raise ConnectionFailed(self._wire.fault)
            if not data:
                return
            self._flush()
            while len(self._events) >= QUEUE and not self._overrun:
                await self._make_room()

    async def _make_room(self) -> None:
        """The program is slower than the chat: stop reading. A program that never listens keeps nothing at all."""
        if not self._listening:
            self._events.clear()
            self._overrun = True
            return
        self._room.clear()
        await self._room.wait()

    # -- what comes ------------------------------------------------------------------------------------------------

    def _take(self, event: m.AnyEvent) -> None:
        ref = getattr(event, "ref", 0)
        if isinstance(ref, int) and ref in self._answers:
            waiting = self._answers.pop(ref)
            if not waiting.done():
                waiting.set_result(event)
            return
        handler = _TAKE.get(type(event))
        if handler is not None:
            handler(self, event)
        else:
            self._put(event)

    def _on_challenge(self, event: m.Challenge) -> None:
        key = self._load_key()
        if key is not None and "key" in event.methods and self.error is None:
            text = challenge_text(event.nonce, self.login, self.fingerprint)
            self._send(m.Proof(key.sign(text), key.public))
        elif self._password and "password" in event.methods:
            self._send(m.Password(self._password))
        else:
            raise Refused("claimed", f"The login {event.login} belongs to somebody.", about=event.methods)

    def _on_welcome(self, event: m.Welcome) -> None:
        self.welcome, self.login, self.status = event, event.login, event.state
        if not self._taken:
            self._taken = self._seen = event.after
        self._settle(event)
        self.state, self._was_online = "online", True
        self._confirmed = 0
        self._put(Online(event))
        if self._opened is not None and not self._opened.done():
            self._opened.set_result(None)
        self._pump()

    def _on_refused(self, event: m.Refused) -> None:
        if event.n:
            self._refused_message(event)
        elif event.fatal or (not self.online and event.code in FINAL):
            raise Refused(event.code, event.text, event.after, event.about)
        else:
            self._put(event)

    def _on_feed(self, event: m.Message | m.Amended | m.RoomEvent) -> None:
        if event.seq <= self._seen:
            return
        self._seen = event.seq
        if isinstance(event, m.Message) and event.seq in self._own and self.is_me(event.by):
            if not self._events:
                self._taken_up_to(event.seq)
            return
        self._put(event)

    def _on_receipt(self, event: m.Receipt) -> None:
        if event.state == "failed":
            if (item := self._followed.pop(event.seq, None)) is not None:
                item.fail(Refused("no_such_login", f"{event.by} left without the message."))
                self._put(SentChanged(item))
        elif event.of and event.have < event.of:
            if (item := self._followed.get(event.seq)) is not None:
                item.have, item.of = event.have, event.of
                self._put(SentChanged(item))
        else:
            self._reached(event)
        self._put(event)

    def _on_state(self, event: m.State) -> None:
        self.status = event.state
        self._put(event)

    def _on_ping(self, event: m.Pinged) -> None:
        self._send(m.Pong(event.token))

    def _on_pong(self, event: m.Ponged) -> None:
        if self._pinged:
            self.latency, self._pinged = time.monotonic() - self._pinged, 0.0

    def _on_presence(self, event: m.Presence) -> None:
        if event.what == "renamed" and self.is_me(event.login):
            self.login = event.text
        self._put(event)

    def _on_bye(self, event: m.Goodbye) -> None:
        if event.code in ("replaced", "banned"):
            raise Refused(event.code, event.why)
        self._put(event)
        raise ConnectionFailed(event.why or "The server said goodbye.")

    def is_me(self, login: str) -> bool:
        """Is this the own login?"""
        return fold(login) == fold(self.login)

    # -- the wire --------------------------------------------------------------------------------------------------

    def _send(self, command: m.Command) -> None:
        self._wire.send(command)

    def _soon(self) -> None:
        if not self._flush_due:
            self._flush_due = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_due = False
        if self._to_confirm > self._confirmed and self.online:
            self._confirmed = self._to_confirm
            self._send(m.Confirm(self._confirmed))
        if self._writer is not None and (data := self._wire.data_to_send()):
            self._writer.write(data)

    # -- hearing ---------------------------------------------------------------------------------------------------

    def _put(self, event: object) -> None:
        if not self._overrun:
            self._events.append(event)
            self._wake.set()

    async def events(self) -> AsyncIterator[object]:
        """Everything that happens: the server's events (tcpchat.model) and Online, Offline, SentChanged.

        An event of the feed is confirmed to the server when the loop asks for the next one. Ends when the client is
        closed.
        """
        self._listening = True
        if self._overrun:
            self._overrun = False
            self._seen = self._taken
            if self._writer is not None:
                self._writer.close()  # the feed starts again behind what was taken
        while True:
            while self._events:
                event = self._events.popleft()
                if not self._room.is_set() and len(self._events) < QUEUE // 2:
                    self._room.set()
                yield event
                seq = getattr(event, "seq", 0)
                if seq and isinstance(event, m.Message | m.Amended | m.RoomEvent):
                    self._taken_up_to(seq)
            if self.state == "closed":
                return
            self._wake.clear()
            await self._wake.wait()

    async def messages(self) -> AsyncIterator[m.Message]:
        """Messages of others (and of your other devices), each once, in order; confirmed when the next is asked for."""
        async for event in self.events():
            if isinstance(event, m.Message):
                yield event

    def _taken_up_to(self, seq: int) -> None:
        if seq > self._taken:
            self._taken = seq
            self.confirm(seq)

    def confirm(self, seq: int) -> None:
        """Tell the server that this client has everything up to ``seq`` (``messages()`` does it by itself)."""
        if seq > self._to_confirm:
            self._to_confirm = seq
            self._outbox.keep_cursor(seq)
            if self.online:
                self._soon()

    def _confirm_now(self) -> None:
        if self._to_confirm > self._confirmed:
            self._confirmed = self._to_confirm
            self._send(m.Confirm(self._confirmed))

    def read(self, to: str, seq: int) -> None:
        """Tell the server that a person has seen this conversation up to ``seq``."""
        if self.online:
            self._send(m.Read(to, seq))
            self._soon()

    def typing(self, to: str, on: bool = True) -> None:
        """Pass on that somebody is typing here."""
        if self.online:
            self._send(m.Typing(to, on))
            self._soon()

    # -- asking ----------------------------------------------------------------------------------------------------

    async def command(self, command: m.Command, timeout: float = ANSWER_SECONDS) -> m.AnyEvent:
        """Send a command that has a ref and return its answer. Raises Refused, ConnectionFailed, TimedOut."""
        if not self.online:
            raise self.error or ConnectionFailed("There is no connection to the server now.")
        self._ref += 1
        ref = self._ref
        future: asyncio.Future[m.AnyEvent] = asyncio.get_running_loop().create_future()
        self._answers[ref] = future
        self._send(msgspec.structs.replace(command, ref=ref))
        self._soon()
        try:
            event = await asyncio.wait_for(future, timeout)
        except TimeoutError:
            raise TimedOut(f"No answer after {timeout:g} s.") from None
        finally:
            self._answers.pop(ref, None)
        if isinstance(event, m.Refused):
            raise Refused(event.code, event.text, event.after, event.about)
        return event


_TAKE: dict[type, Any] = {
    m.Challenge: Client._on_challenge,
    m.Welcome: Client._on_welcome,
    m.Accepted: Client._on_accepted,
    m.Refused: Client._on_refused,
    m.Message: Client._on_feed,
    m.Amended: Client._on_feed,
    m.RoomEvent: Client._on_feed,
    m.Receipt: Client._on_receipt,
    m.State: Client._on_state,
    m.Pinged: Client._on_ping,
    m.Ponged: Client._on_pong,
    m.Presence: Client._on_presence,
    m.Goodbye: Client._on_bye,
}


def connect(server: str | None = None, login: str = "", **options: Any) -> Client:
    """A client for ``async with``: ``async with connect("localhost:6060", login="duck") as chat``.

    Options: ``key`` (True: this login's key file; a path; a Key) with ``claim=True`` to own the login, ``password``,
    ``outbox`` (a path: survives the process), ``device``, ``label``, ``after`` (seq), ``quiet`` (not counted as
    present), ``tls`` ("auto", "never", "always"), ``reconnect``, ``bot``. Raises ValueError for a bad address.
    """
    return Client(server, login, **options)
