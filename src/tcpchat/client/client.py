"""Client: one person's (or program's) place in the chat, kept over lost connections.

Nothing sent vanishes: a message is in the outbox until the server has said that it is durable, and goes out again
under the same number after every reconnect. Nothing heard is lost or doubled: the feed goes on behind the last seq
that the program has taken.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable
from functools import wraps
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, Unpack

from tcpchat.client.errors import ChatError, ConnectionFailed, KeyChanged, OutboxError, Refused
from tcpchat.client.events import Offline, Online, SentChanged, SetBack
from tcpchat.client.first_use import is_loopback
from tcpchat.client.identity import load_key, parse_address
from tcpchat.client.incoming import Incoming
from tcpchat.client.link import Link
from tcpchat.client.options import Options
from tcpchat.client.outbox import Outbox
from tcpchat.client.outcomes import Delayed, Doubted, Ended, LogReplaced, Opened, Passed, Rejected, Settled
from tcpchat.client.outgoing import Outgoing
from tcpchat.client.peer import Peer
from tcpchat.client.proving import proving
from tcpchat.client.requests import Requests
from tcpchat.client.sent import Sent
from tcpchat.client.streams import open_stream
from tcpchat.core import model as m
from tcpchat.core.text import fold

if TYPE_CHECKING:
    from tcpchat.trust.keys import Key

logger = logging.getLogger("tcpchat.client")

BACK_OFF = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)  # seconds between tries, each with jitter
DRAIN_SECONDS = 5.0  # without an answer, until closing no longer waits for messages to be accepted
BYE_SECONDS = 1.0  # until a server that does not say goodbye is left without
PASSING = {"too_fast", "too_many", "too_many_pending", "unavailable", "stopping", "timeout", "internal"}

Part = TypeVar("Part")
P = ParamSpec("P")
R = TypeVar("R")


def _part(name: str, method: Callable[Concatenate[Part, P], R]) -> Callable[Concatenate[Client, P], R]:
    """A method of Client that is one of its part ``name``, with its signature and its text."""
    get: Callable[[Client], Part] = attrgetter(name)

    @wraps(method)
    def call(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return method(get(self), *args, **kwargs)

    return call


class Client:
    """See ``connect``. Use it as an async context manager, or ``await client.start()`` and ``await client.close()``."""

    def __init__(self, server: str | None = None, login: str = "", **options: Unpack[Options]) -> None:
        self.host, self.port = parse_address(server)
        self.server = server or ""
        self.state = "connecting"  # online, waiting (for the next try), closed
        self.status = "WAIT4CLIENTS"  # of the chat
        self.fingerprint = ""
        self.retry_at = 0.0  # seconds since the epoch
        self.goodbye: m.Goodbye | None = None  # with what the server ended the last connection
        self.set_back: SetBack | None = None  # the last time that the server's log was found to be another one
        self._options = options
        self._key: Key | None = None
        outbox = Outbox(options.get("outbox"), options.get("device") or "")
        prove = proving(self.host, self.port)
        self.peer = Peer(_hello(login, options), outbox, password=lambda: options.get("password"), prove=prove)
        self.link = Link(self.peer, outbox, self._take)
        self.incoming = Incoming(self.peer.cursor, self._moved, self._hang_up)
        self.outgoing = Outgoing(self.link, self.incoming.put)
        self.requests = Requests(self.link)
        self._from_before = self.doubtful  # found in the file: the program hears of them once
        self._task: asyncio.Task[None] | None = None
        self._opened: asyncio.Future[None] | None = None
        self._again = asyncio.Event()
        self._closing = self._at_once = False
        self._tries = 0

    @property
    def login(self) -> str:
        """The own login, as the server writes it."""
        return self.peer.login

    @property
    def online(self) -> bool:
        """Is the session open right now?"""
        return self.state == "online"

    @property
    def welcome(self) -> m.Welcome | None:
        """What the server said last when it let this client in."""
        return self.peer.welcome

    @property
    def latency(self) -> float | None:
        """Seconds there and back, when last measured."""
        return self.peer.latency

    @property
    def error(self) -> ChatError | None:
        """What ended the client; None while it lives, and when it was closed from here."""
        return self.link.error

    @property
    def device(self) -> str:
        """The id under which this client's messages are numbered."""
        return self.peer.record.device

    def is_me(self, login: str) -> bool:
        """Is this the own login (or one that this client has had)?"""
        return fold(login) == fold(self.login) or self.peer.cursor.is_me(login)

    # -- life ------------------------------------------------------------------------------------------------------

    def begin(self) -> Client:
        """Start connecting without waiting for it: what happens comes as events."""
        if self._task is None and self.state != "closed":
            loop = asyncio.get_running_loop()
            self._opened = loop.create_future()
            self._opened.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._task = loop.create_task(self._run(), name="tcpchat client")
        return self

    async def start(self) -> Client:
        """Connect, however long that takes, and return when the session is open.

        Raises:
            Refused: the login cannot be had.
            KeyChanged: the server shows another key than the one that is trusted.
            ConnectionFailed: it is no chat server; or it cannot be reached and ``reconnect`` is off.
        """
        self.begin()
        if self._opened is None:
            raise self.link.over()
        await asyncio.shield(self._opened)
        return self

    async def __aenter__(self) -> Client:
        try:
            return await self.start()
        except BaseException:
            await self.close(wait=0)
            raise

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        await self.close(wait=DRAIN_SECONDS if kind is None else 0)

    async def close(self, why: str = "", *, wait: float = DRAIN_SECONDS) -> None:
        """Wait until what was sent is accepted (at most ``wait`` seconds from one answer to the next), say goodbye
        and end. What is not accepted then stays in a durable outbox and goes out next time. Idempotent."""
        try:
            await self._drain(wait)
            self._closing = True
            await self._say_bye(why)
        finally:
            task, self._task = self._task, None
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            self._end(None)

    async def _drain(self, wait: float) -> None:
        left, deadline = self.pending, time.monotonic() + wait
        while left and self.online and time.monotonic() < deadline:
            with contextlib.suppress(ChatError):
                await left[0].accepted(max(deadline - time.monotonic(), 0))
            if len(self.pending) != len(left):
                left, deadline = self.pending, time.monotonic() + wait

    async def _say_bye(self, why: str) -> None:
        if self._task is None or not self.link.connected or not self.online:
            return
        self.peer.send(m.Bye(why))
        self.link.flush()
        self.incoming.room.set()  # a reader that was stopped by a full queue has to see the end
        await asyncio.wait([self._task], timeout=BYE_SECONDS)

    def _end(self, error: ChatError | None) -> None:
        """Nothing more will happen: tell everybody who waits."""
        if self.state == "closed":
            return
        self.state = "closed"
        self.link.end(error)
        self.outgoing.end(error)
        self.requests.lost(str(error or "The client was closed."))
        try:
            self.link.outbox.close()
        except OutboxError as fault:
            logger.warning("! %s", fault)  # the server's Welcome tells the same again next time
        if self._opened is not None and not self._opened.done():
            self._opened.set_exception(error or ConnectionFailed("The client was closed."))
        self.incoming.end()

    def reconnect_now(self) -> None:
        """Do not wait for the next try."""
        self._again.set()

    async def _run(self) -> None:
        try:
            while not self._closing:
                why, wait = await self._try()
                if self._closing:
                    return
                await self._wait(why, wait)
        except ChatError as error:
            self._give_up(error)
        except Exception as error:  # a key file that cannot be read, or a bug: whoever waits must hear of it
            logger.exception("! the client has ended")
            final = ConnectionFailed(str(error) or type(error).__name__)
            final.__cause__ = error
            self._give_up(final)

    async def _try(self) -> tuple[str, float]:
        """One connection, to its end. Returns why it ended and the seconds to wait; raises what is final."""
        wait = 0.0
        try:
            await self._session()
            why = "The server closed the connection."
        except (KeyChanged, OutboxError):
            raise
        except Refused as error:
            if error.code not in PASSING or not self._options.get("reconnect", True):
                raise
            why, wait = error.text, error.after
        except (ChatError, OSError) as error:
            why = str(error) or "The connection was lost."
            if self.peer.strange and self.welcome is None:
                raise ConnectionFailed(why) from None  # nothing there that will ever be a chat
        if not self._options.get("reconnect", True) and not self._closing:
            raise ConnectionFailed(why)
        delay = BACK_OFF[min(self._tries, len(BACK_OFF) - 1)] * random.uniform(0.5, 1.0)
        self._tries += 1
        if self._at_once:
            self._at_once, delay = False, 0.0
        return why, max(delay, wait)

    async def _wait(self, why: str, delay: float) -> None:
        self.state = "waiting"
        self.retry_at = time.time() + delay
        self.incoming.put(Offline(why, delay))
        self._again.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await self._again.wait()
        self.state = "connecting"

    def _give_up(self, error: ChatError) -> None:
        self.incoming.put(Offline(str(error), None))
        self._end(error)

    # -- one connection --------------------------------------------------------------------------------------------

    async def _session(self) -> None:
        tls, ask = self._options.get("tls", "auto"), self._options.get("trust")
        reader, writer, self.fingerprint = await open_stream(self.host, self.port, tls, ask)
        try:
            self.peer.signer = self._load_key()
            self.link.begin(writer, self.fingerprint, bool(self.fingerprint) or is_loopback(self.host))
            await self._read(reader)
        finally:
            self.link.lost()
            if self.state != "closed":
                self.state = "waiting"
            self.requests.lost("The connection was lost before the answer came.")
            await _close(writer)

    def _load_key(self) -> Key | None:
        key = self._options.get("key")
        if self._key is None and key is not None and key is not False:
            if key is True:
                self._key = load_key(self.login)
            elif isinstance(key, str | Path):
                from tcpchat.trust.keys import Key as KeyType

                self._key = KeyType.load_or_make(key)
            else:
                self._key = key
        return self._key

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(1 << 16):
            self.link.receive(data)
            if self.incoming.full():
                await self._make_room()
        if self.link.failure is not None:
            raise self.link.failure

    async def _make_room(self) -> None:
        """The program is slower than the chat: stop reading."""
        with self.link.paused():
            while self.incoming.full() and not self._closing:
                self.incoming.room.clear()
                await self.incoming.room.wait()

    def _hang_up(self) -> None:
        """Start over with a new connection, at once."""
        self._at_once = self.link.hang_up() or self._at_once

    def _moved(self) -> None:
        """The program has taken more of the feed: keep it, and tell the server."""
        self.link.save_soon()
        if self.online:
            self.link.soon()

    # -- what comes ------------------------------------------------------------------------------------------------

    def _take(self, events: list[Any]) -> None:
        for event in events:
            if not self.requests.answered(event):
                handler = _TAKE.get(type(event))
                if handler is not None:
                    handler(self, event)
                else:
                    self.incoming.put(event)

    def _on_opened(self, event: Opened) -> None:
        self.status, self.goodbye = event.welcome.state, None
        self.link.save_soon()
        self.state, self._tries = "online", 0
        self.incoming.put(Online(event.welcome))
        if self._opened is not None and not self._opened.done():
            self._opened.set_result(None)
            for sent in self._from_before:
                self.incoming.put(SentChanged(sent))

    def _on_ended(self, event: Ended) -> None:
        self.goodbye = event.goodbye or self.goodbye
        raise event.error

    def _on_refused(self, event: m.Refused) -> None:
        """Of something that nobody waits for any more."""
        if event.fatal:
            raise Refused(event.code, event.text, event.after, event.about)
        self.incoming.put(event)

    def _on_log_replaced(self, event: LogReplaced) -> None:
        self.incoming.forget_from(event.seq)
        gone = self.outgoing.lose(event.seq)
        self.set_back = SetBack(event.seq, event.seq == 1, tuple(gone))
        self.incoming.put(self.set_back)
        for sent in gone:
            self.incoming.put(SentChanged(sent))

    def _on_passed(self, event: Passed) -> None:
        self.incoming.pass_by(event)

    def _on_settled(self, event: Settled) -> None:
        self.outgoing.on_settled(event)

    def _on_delayed(self, event: Delayed) -> None:
        self.outgoing.on_delayed(event)

    def _on_rejected(self, event: Rejected) -> None:
        self.outgoing.on_rejected(event)

    def _on_doubted(self, event: Doubted) -> None:
        self.outgoing.on_doubted(event)

    def _on_receipt(self, event: m.Receipt) -> None:
        self.outgoing.on_receipt(event)

    def _on_rooms(self, event: m.RoomList) -> None:
        self.outgoing.on_rooms(event)

    def _on_forked(self, event: m.Forked) -> None:
        self.link.save_soon()

    def _on_state(self, event: m.State) -> None:
        self.status = event.state
        self.incoming.put(event)

    def _on_presence(self, event: m.Presence) -> None:
        if event.what == "renamed":
            self.outgoing.renamed(event.login, event.text)
        self.incoming.put(event)

    # -- for the program -------------------------------------------------------------------------------------------

    messages = _part("incoming", Incoming.messages)
    events = _part("incoming", Incoming.all)
    confirm = _part("incoming", Incoming.confirm)

    send = _part("outgoing", Outgoing.send)
    resend = _part("outgoing", Outgoing.resend)
    cancel = _part("outgoing", Outgoing.cancel)

    @property
    def pending(self) -> list[Sent]:
        """What is in the outbox: not accepted yet, in order."""
        return self.outgoing.pending

    @property
    def doubtful(self) -> list[Sent]:
        """Messages of which it will never be known whether they were accepted, also of earlier runs with this outbox
        file: ``resend`` or ``cancel`` ends it."""
        return self.outgoing.doubtful

    command = _part("requests", Requests.command)
    history = _part("requests", Requests.history)
    search = _part("requests", Requests.search)
    who = _part("requests", Requests.who)
    rooms = _part("requests", Requests.rooms)
    receipts = _part("requests", Requests.receipts)
    status_now = _part("requests", Requests.status_now)
    join = _part("requests", Requests.join)
    leave = _part("requests", Requests.leave)
    topic = _part("requests", Requests.topic)
    invite = _part("requests", Requests.invite)
    kick = _part("requests", Requests.kick)
    edit = _part("requests", Requests.edit)
    remove = _part("requests", Requests.remove)
    rename = _part("requests", Requests.rename)
    set = _part("requests", Requests.set)
    away = _part("requests", Requests.away)

    def read(self, to: str, seq: int) -> None:
        """Tell the server that a person has seen this conversation up to ``seq``."""
        if self.online:
            self.link.send(m.Read(to, seq))

    def typing(self, to: str, on: bool = True) -> None:
        """Pass on that somebody is typing here."""
        if self.online:
            self.link.send(m.Typing(to, on))


def _hello(login: str, options: Options) -> m.Hello:
    """What each connection begins with; the peer fills in the rest."""
    return m.Hello(
        login,
        label=options.get("label", "script"),
        after=options.get("after"),
        claim=options.get("claim", False),
        name=options.get("name", ""),
        bot=options.get("bot", False),
        quiet=options.get("quiet", False),
        log=options.get("log", ""),
    )


async def _close(writer: asyncio.StreamWriter) -> None:
    """Close politely, but not for long: a peer that is gone takes nothing any more."""
    writer.close()
    try:
        async with asyncio.timeout(BYE_SECONDS):
            await writer.wait_closed()
    except (OSError, TimeoutError):
        writer.transport.abort()


_TAKE: dict[type, Callable[[Client, Any], None]] = {
    Opened: Client._on_opened,
    Ended: Client._on_ended,
    LogReplaced: Client._on_log_replaced,
    Passed: Client._on_passed,
    Settled: Client._on_settled,
    Delayed: Client._on_delayed,
    Rejected: Client._on_rejected,
    Doubted: Client._on_doubted,
    m.Refused: Client._on_refused,
    m.Forked: Client._on_forked,
    m.Receipt: Client._on_receipt,
    m.RoomList: Client._on_rooms,
    m.State: Client._on_state,
    m.Presence: Client._on_presence,
}


def connect(server: str | None = None, login: str = "", **options: Unpack[Options]) -> Client:
    """A client for ``async with``: ``async with connect("localhost:6060", login="duck") as chat``.

    ``server`` is HOST, HOST:PORT or [ADDRESS]:PORT; without it TCPCHAT_SERVER, else localhost:6060. The options are
    those of tcpchat.client.options.Options: device, label, key, password, claim, outbox, after, log, quiet, tls, trust,
    reconnect, name, bot.

    Raises:
        ValueError: this is no address.
        OutboxError: the outbox file cannot be used.
    """
    return Client(server, login, **options)
