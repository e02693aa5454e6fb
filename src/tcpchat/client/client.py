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
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from tcpchat.client.errors import ChatError, ConnectionFailed, KeyChanged, OutboxError, Refused
from tcpchat.client.events import Offline, Online, SentChanged
from tcpchat.client.first_use import is_loopback
from tcpchat.client.identity import load_key, parse_address
from tcpchat.client.incoming import Hearing
from tcpchat.client.options import Options
from tcpchat.client.outbox import Outbox
from tcpchat.client.outgoing import Sending
from tcpchat.client.requests import Asking
from tcpchat.client.streams import open_stream
from tcpchat.core import model as m
from tcpchat.core.errors import CODES
from tcpchat.core.rules import challenge_text
from tcpchat.core.text import fold
from tcpchat.doors.native import ClientSide

if TYPE_CHECKING:
    from tcpchat.trust.keys import Key

logger = logging.getLogger("tcpchat.client")

BACK_OFF = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)  # seconds between tries, each with jitter
PING_AFTER = 10.0  # seconds without a byte until we ask for a sign of life
DEAD_AFTER = 20.0  # seconds without a byte until the connection counts as cut
DRAIN_SECONDS = 5.0  # without an answer, until closing no longer waits for messages to be accepted
BYE_SECONDS = 1.0  # until a server that does not say goodbye is left without
SAVE_SECONDS = 0.5  # the cursor and what is settled go into the outbox file this late; the server knows both
PASSING = {"too_fast", "too_many", "too_many_pending", "unavailable", "stopping", "timeout", "internal"}


class Client(Hearing, Sending, Asking):
    """See ``connect``. Use it as an async context manager, or ``await client.start()`` and ``await client.close()``."""

    def __init__(self, server: str | None = None, login: str = "", **options: Unpack[Options]) -> None:
        self.host, self.port = parse_address(server)
        self.server = server or ""
        self.login = login
        self.state = "connecting"  # online, waiting (for the next try), closed
        self.status = "WAIT4CLIENTS"  # of the chat
        self.welcome: m.Welcome | None = None
        self.latency: float | None = None  # seconds there and back, when last measured
        self.fingerprint = ""
        self.retry_at = 0.0  # seconds since the epoch
        self.error: ChatError | None = None  # what ended it
        self.goodbye: m.Goodbye | None = None  # with what the server ended the last connection
        self._options = options
        self._key: Key | None = None
        Sending.__init__(self, Outbox(options.get("outbox"), options.get("device") or ""))
        after = options.get("after")
        Hearing.__init__(self, self._outbox.cursor if after is None else after)
        self._asked_log = ""
        self._from_before = self.doubtful  # found in the file: the program hears of them once
        Asking.__init__(self)
        self._wire = ClientSide()
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None
        self._opened: asyncio.Future[None] | None = None
        self._again = asyncio.Event()
        self._closing = self._at_once = False
        self._tries = 0
        self._asked: int | None = None
        self._flush_due = False
        self._saving: asyncio.TimerHandle | None = None
        self._pinged = 0.0

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
        """Connect, however long that takes. Raises Refused when the login cannot be had, ConnectionFailed when it
        is no chat server, or cannot be reached and ``reconnect`` is off, KeyChanged."""
        self.begin()
        if self._opened is None:
            raise self.error or ConnectionFailed("This client is closed.")
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
        if self._task is None or self._writer is None or not self.online:
            return
        self._send(m.Bye(why))
        self._flush()
        self._room.set()  # a reader that was stopped by a full queue has to see the end
        await asyncio.wait([self._task], timeout=BYE_SECONDS)

    def _end(self, error: ChatError | None) -> None:
        """Nothing more will happen: tell everybody who waits."""
        if self.state == "closed":
            return
        self.state = "closed"
        self.error = self.error or error
        self._end_sending(error)
        self._no_answers(str(error or "The client was closed."))
        if self._saving is not None:
            self._saving.cancel()
            self._saving = None
        try:
            self._outbox.close()
        except OutboxError as fault:
            logger.warning("! %s", fault)  # the server's Welcome tells the same again next time
        if self._opened is not None and not self._opened.done():
            self._opened.set_exception(error or ConnectionFailed("The client was closed."))
        self._wake.set()

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
            if self._wire.fault and self.welcome is None:
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
        self._put(Offline(why, delay))
        self._again.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await self._again.wait()
        self.state = "connecting"

    def _give_up(self, error: ChatError) -> None:
        self._put(Offline(str(error), None))
        self._end(error)

    # -- one connection --------------------------------------------------------------------------------------------

    async def _session(self) -> None:
        self._wire = ClientSide()
        tls, ask = self._options.get("tls", "auto"), self._options.get("trust")
        reader, writer, self.fingerprint = await open_stream(self.host, self.port, tls, ask)
        self._writer = writer
        try:
            self._send(self._hello())
            self._flush()
            await self._read(reader)
        finally:
            self._writer = None
            if self.state != "closed":
                self.state = "waiting"
            self._no_answers("The connection was lost before the answer came.")
            await _close(writer)

    def _hello(self) -> m.Hello:
        options, key = self._options, self._load_key()
        quiet = options.get("quiet", False)
        # A quiet session that did not ask for a feed must not get one because the connection was lost.
        self._asked = None if quiet and options.get("after") is None else self._behind()
        self._asked_log = self._of_log()
        return m.Hello(
            self.login, self.device, options.get("label", "script"), self._asked, key.public if key else "",
            bool(options.get("claim") and key), options.get("name", ""), bot=options.get("bot", False), quiet=quiet,
            log=self._asked_log, seen=self._known() if self._asked_log == self._outbox.log else 0,
        )  # fmt: skip

    def _of_log(self) -> str:
        """Of which log the cursor is: the outbox's, or what the program says that gave one of its own."""
        if self._started or (self._options.get("after") or -1) < 0:
            return self._outbox.log
        return self._options.get("log", "")

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
        heard = time.monotonic()
        while True:
            try:
                async with asyncio.timeout(PING_AFTER):
                    data = await reader.read(1 << 16)
            except TimeoutError:
                if time.monotonic() - heard >= DEAD_AFTER:
                    raise ConnectionFailed("The server gives no sign of life.") from None
                self._ask_for_life()
                continue
            for event in self._wire.receive(data):
                self._take(event)
            if self._wire.fault:
                raise ConnectionFailed(self._wire.fault)
            if not data:
                return
            self._flush()
            if self._full():
                await self._make_room()
            heard = time.monotonic()

    def _ask_for_life(self) -> None:
        if self.online:
            self._pinged = time.monotonic()
            self._send(m.Ping("alive"))
            self._flush()

    async def _make_room(self) -> None:
        """The program is slower than the chat: stop reading, but let the server know that somebody is there."""
        while self._full() and not self._closing:
            self._room.clear()
            try:
                async with asyncio.timeout(PING_AFTER):
                    await self._room.wait()
            except TimeoutError:
                self._send(m.Pong())
                self._flush()

    def _hang_up(self) -> None:
        """Start over with a new connection, at once."""
        if self._writer is not None:
            self._writer.close()
            self._at_once = True

    # -- what comes ------------------------------------------------------------------------------------------------

    def _take(self, event: m.AnyEvent) -> None:
        if not self._answered(event):
            handler = _TAKE.get(type(event))
            if handler is not None:
                handler(self, event)
            else:
                self._put(event)

    def _on_challenge(self, event: m.Challenge) -> None:
        key, password = self._load_key(), self._options.get("password")
        if key is not None and "key" in event.methods:
            text = challenge_text(event.nonce, self.login, self.fingerprint)
            self._send(m.Proof(key.sign(text), key.public))
        elif password and "password" in event.methods:
            if not self.fingerprint and not is_loopback(self.host):
                raise Refused("insecure", CODES["insecure"].text)
            self._send(m.Password(password))
        else:
            raise Refused("claimed", f"The login {event.login} belongs to somebody.", about=event.methods)

    def _on_welcome(self, event: m.Welcome) -> None:
        self.welcome, self.login, self.status, self.goodbye = event, event.login, event.state, None
        self._begin_feed(event, self._asked)
        self._settle(event, self._asked_log)
        self._save_soon()
        self.state, self._tries = "online", 0
        self._put(Online(event))
        if self._opened is not None and not self._opened.done():
            self._opened.set_result(None)
            for sent in self._from_before:
                self._put(SentChanged(sent))
        self._pump()

    def _on_refused(self, event: m.Refused) -> None:
        if event.n:
            self._refused_message(event)
        elif event.fatal or not self.online:
            raise Refused(event.code, event.text, event.after, event.about)
        else:
            self._put(event)

    def _on_forked(self, event: m.Forked) -> None:
        """What this client has is of the log as it goes on from here."""
        self._outbox.log = event.log
        self._save_soon()

    def _on_state(self, event: m.State) -> None:
        self.status = event.state
        self._put(event)

    def _on_ping(self, event: m.Pinged) -> None:
        self._send(m.Pong(event.token))

    def _on_pong(self, event: m.Ponged) -> None:
        if self._pinged:
            self.latency, self._pinged = time.monotonic() - self._pinged, 0.0

    def _on_presence(self, event: m.Presence) -> None:
        if event.what == "renamed":
            if fold(event.login) == fold(self.login):
                self.login = event.text
                self._names.add(fold(event.text))
            else:
                self._following.renamed("@" + event.login, "@" + event.text)
        self._put(event)

    def _on_bye(self, event: m.Goodbye) -> None:
        self.goodbye = event
        if event.code in ("replaced", "banned", "revoked", "deleted"):
            raise Refused(event.code, event.why)
        raise ConnectionFailed(event.why or "The server said goodbye.")

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

    def _save_soon(self) -> None:
        if self._saving is None and self._outbox.durable:
            self._saving = asyncio.get_running_loop().call_later(SAVE_SECONDS, self._save)

    def _save(self) -> None:
        self._saving = None
        try:
            self._outbox.save()
        except OutboxError as error:
            logger.warning("! %s", error)

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


async def _close(writer: asyncio.StreamWriter) -> None:
    """Close politely, but not for long: a peer that is gone takes nothing any more."""
    writer.close()
    try:
        async with asyncio.timeout(BYE_SECONDS):
            await writer.wait_closed()
    except (OSError, TimeoutError):
        writer.transport.abort()


_TAKE: dict[type, Any] = {
    m.Challenge: Client._on_challenge,
    m.Welcome: Client._on_welcome,
    m.Forked: Client._on_forked,
    m.Accepted: Client._on_accepted,
    m.Refused: Client._on_refused,
    m.Message: Client._on_feed,
    m.Amended: Client._on_feed,
    m.RoomEvent: Client._on_feed,
    m.Receipt: Client._on_receipt,
    m.RoomList: Client._on_rooms,
    m.State: Client._on_state,
    m.Pinged: Client._on_ping,
    m.Ponged: Client._on_pong,
    m.Presence: Client._on_presence,
    m.Goodbye: Client._on_bye,
}


def connect(server: str | None = None, login: str = "", **options: Unpack[Options]) -> Client:
    """A client for ``async with``: ``async with connect("localhost:6060", login="duck") as chat``.

    ``server`` is HOST, HOST:PORT or [ADDRESS]:PORT; without it TCPCHAT_SERVER, else localhost:6060. The options are
    those of tcpchat.client.options.Options: device, label, key, password, claim, outbox, after, quiet, tls, reconnect,
    name, bot. Raises ValueError for a bad address, OutboxError for a file that cannot be used.
    """
    return Client(server, login, **options)
