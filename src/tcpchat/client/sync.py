"""The synchronous face: the same client, run by a loop in a thread of its own.

with tcpchat.sync.connect("localhost:6060", login="duck") as chat:
    chat.send("@alice", "quack").delivered(timeout=5)
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar, Unpack

from tcpchat.client.client import DRAIN_SECONDS, Client
from tcpchat.client.errors import ChatError, ConnectionFailed, TimedOut
from tcpchat.client.incoming import Stream
from tcpchat.client.options import Options
from tcpchat.client.sent import Sent
from tcpchat.core import model as m

T = TypeVar("T")


class SyncSent:
    """Sent, for waiting without a loop."""

    def __init__(self, sent: Sent, chat: SyncClient) -> None:
        self._sent, self._chat = sent, chat

    def __repr__(self) -> str:
        return repr(self._sent)

    @property
    def n(self) -> int:
        """The number it was sent under; 0 = not sent."""
        return self._sent.n

    @property
    def seq(self) -> int:
        """Its place in the log; 0 = not accepted."""
        return self._sent.seq

    @property
    def state(self) -> str:
        """pending, accepted, delivered, read, failed or unknown; see Sent."""
        return self._sent.state

    @property
    def reason(self) -> str:
        """Why it waits or has failed."""
        return self._sent.reason

    @property
    def error(self) -> ChatError | None:
        """What made it fail."""
        return self._sent.error

    def accepted(self, timeout: float | None = None) -> SyncSent:
        """Wait until it is durable on the server. Raises as Sent.accepted."""
        return self.reached("accepted", timeout)

    def delivered(self, timeout: float | None = None) -> SyncSent:
        """Wait until the recipient's client has it. Raises as Sent.delivered."""
        return self.reached("delivered", timeout)

    def read(self, timeout: float | None = None) -> SyncSent:
        """Wait until it was read. Raises as Sent.delivered."""
        return self.reached("read", timeout)

    def reached(self, state: str, timeout: float | None = None) -> SyncSent:
        """Wait for a state by name. Raises as Sent.delivered."""
        self._chat.wait(self._sent.reached(state, timeout))
        return self


class SyncClient:
    """Client, for programs without a loop: the same methods, and each returns when it is done."""

    def __init__(self, server: str | None = None, login: str = "", **options: Unpack[Options]) -> None:
        self._arguments = (server, login, options)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tcpchat", daemon=True)
        self._client: Client | None = None

    # -- life ------------------------------------------------------------------------------------------------------

    def __enter__(self) -> SyncClient:
        return self.start()

    def start(self) -> SyncClient:
        """Connect. Raises as Client.start."""
        self._thread.start()
        try:
            self._client = self.wait(self._open())
        except BaseException:
            self._stop()
            raise
        return self

    async def _open(self) -> Client:
        server, login, options = self._arguments
        return await Client(server, login, **options).__aenter__()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close(wait=DRAIN_SECONDS if kind is None else 0)

    def close(self, why: str = "", *, wait: float = DRAIN_SECONDS) -> None:
        """Wait until what was sent is accepted, say goodbye and end; see Client.close. Idempotent."""
        if not self._loop.is_closed():
            try:
                if self._client is not None:
                    self.wait(self._client.close(why, wait=wait))
            finally:
                self._stop()

    def _stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the client's loop and return its result."""
        if self._loop.is_closed():
            work.close()
            raise ConnectionFailed("This client is closed.")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # Ctrl+C here must not leave it running there
            raise

    def _call(self, work: Callable[[], T]) -> T:
        async def run() -> T:
            return work()

        return self.wait(run())

    @property
    def client(self) -> Client:
        """The client itself; it lives on the loop of another thread. Raises ConnectionFailed before the start."""
        if self._client is None:
            raise ConnectionFailed("This client is not started.")
        return self._client

    @property
    def login(self) -> str:
        """The own login, as the server writes it."""
        return self.client.login

    @property
    def state(self) -> str:
        """connecting, online, waiting (for the next try) or closed."""
        return self.client.state

    @property
    def status(self) -> str:
        """WAIT4CLIENTS or READY2SERV."""
        return self.client.status

    @property
    def online(self) -> bool:
        """Is the session open right now?"""
        return self.client.online

    @property
    def welcome(self) -> m.Welcome | None:
        """What the server said last at the door."""
        return self.client.welcome

    # -- sending and hearing ---------------------------------------------------------------------------------------

    def send(
        self, to: str, text: str, re: int = 0, kind: str = "text", tags: dict[str, str] | None = None, *, n: int = 0
    ) -> SyncSent:
        """See Client.send."""
        return SyncSent(self.wait(self.client.send(to, text, re, kind, tags, n=n)), self)

    def messages(self, timeout: float | None = None) -> Iterator[m.Message]:
        """Messages as they come, each confirmed when the next is asked for; ends when none came for ``timeout``
        seconds or the client was closed. Called again, it goes on where it ended."""
        return self._iterate(self.client.messages, timeout)

    def events(self, timeout: float | None = None) -> Iterator[object]:
        """Everything that happens, as Client.events; ends as messages."""
        return self._iterate(self.client.events, timeout)

    def _iterate(self, listen: Callable[[], Stream[T]], timeout: float | None) -> Iterator[T]:
        stream = self._call(listen)
        while True:
            try:
                item = self.wait(stream.next(timeout))
            except TimedOut:
                return
            if item is None:
                return
            yield item

    def confirm(self, seq: int) -> None:
        """Tell the server that this client has everything up to ``seq``."""
        self._call(lambda: self.client.confirm(seq))

    def read(self, to: str, seq: int) -> None:
        """Tell the server that a person has seen this conversation up to ``seq``."""
        self._call(lambda: self.client.read(to, seq))

    # -- asking ----------------------------------------------------------------------------------------------------

    def command(self, command: m.Command, timeout: float = 30.0) -> m.AnyEvent:
        """See Client.command."""
        return self.wait(self.client.command(command, timeout))

    def history(
        self, to: str, before: int = 0, after: int = 0, around: int = 0, at: int = 0, limit: int = 50,
        events: bool = False,
    ) -> m.Page:  # fmt: skip
        """See Client.history."""
        return self.wait(self.client.history(to, before, after, around, at, limit, events))

    def search(
        self, words: str, to: str = "", by: str = "", since: int = 0, before: int = 0, limit: int = 20
    ) -> m.Page:
        """See Client.search."""
        return self.wait(self.client.search(words, to, by, since, before, limit))

    def who(self, to: str = "", all: bool = False) -> tuple[m.Person, ...]:
        """See Client.who."""
        return self.wait(self.client.who(to, all))

    def rooms(self, all: bool = False) -> tuple[m.RoomInfo, ...]:
        """See Client.rooms."""
        return self.wait(self.client.rooms(all))

    def receipts(self, seq: int) -> m.ReceiptList:
        """See Client.receipts."""
        return self.wait(self.client.receipts(seq))

    def status_now(self) -> m.State:
        """See Client.status_now."""
        return self.wait(self.client.status_now())

    def join(self, room: str, key: str = "", invite_only: bool = False) -> None:
        """See Client.join."""
        self.wait(self.client.join(room, key, invite_only))

    def leave(self, room: str, why: str = "") -> None:
        """See Client.leave."""
        self.wait(self.client.leave(room, why))

    def topic(self, room: str, text: str) -> None:
        """See Client.topic."""
        self.wait(self.client.topic(room, text))

    def invite(self, room: str, login: str) -> None:
        """See Client.invite."""
        self.wait(self.client.invite(room, login))

    def kick(self, room: str, login: str, why: str = "") -> None:
        """See Client.kick."""
        self.wait(self.client.kick(room, login, why))

    def edit(self, seq: int, text: str) -> None:
        """See Client.edit."""
        self.wait(self.client.edit(seq, text))

    def remove(self, seq: int, why: str = "") -> None:
        """See Client.remove."""
        self.wait(self.client.remove(seq, why))

    def rename(self, login: str) -> None:
        """See Client.rename."""
        self.wait(self.client.rename(login))

    def set(self, key: str, value: str) -> None:
        """See Client.set."""
        self.wait(self.client.set(key, value))

    def away(self, why: str = "") -> None:
        """See Client.away."""
        self.wait(self.client.away(why))


def connect(server: str | None = None, login: str = "", **options: Unpack[Options]) -> SyncClient:
    """A client for ``with``; options as tcpchat.connect."""
    return SyncClient(server, login, **options)
