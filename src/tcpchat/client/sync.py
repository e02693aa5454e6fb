"""The synchronous face: the same client, run by a loop in a thread of its own.

with tcpchat.sync.connect("localhost:6060", login="duck") as chat:
    chat.send("@alice", "quack").delivered(timeout=5)
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, Unpack

from tcpchat.client.client import DRAIN_SECONDS, Client
from tcpchat.client.errors import ChatError, ConnectionFailed, TimedOut
from tcpchat.client.incoming import Stream
from tcpchat.client.options import Options
from tcpchat.client.sent import Sent
from tcpchat.core import model as m

T = TypeVar("T")
P = ParamSpec("P")


def _told_by(original: object) -> Callable[[T], T]:
    """The text of the asynchronous one, so that help() tells it here too."""

    def copy(method: T) -> T:
        method.__doc__ = original.__doc__
        return method

    return copy


def _waiting(
    method: Callable[Concatenate[Client, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[SyncClient, P], T]:
    """A method of SyncClient that returns when Client's is done, with its signature and its text."""

    @wraps(method)
    def call(self: SyncClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.wait(method(self.client, *args, **kwargs))

    return call


def _calling(method: Callable[Concatenate[Client, P], T]) -> Callable[Concatenate[SyncClient, P], T]:
    """A method of SyncClient that has Client's called on its loop."""

    @wraps(method)
    def call(self: SyncClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._call(lambda: method(self.client, *args, **kwargs))

    return call


class SyncSent:
    """The handle of one message, for waiting without a loop; see Sent for the states."""

    def __init__(self, sent: Sent, chat: SyncClient) -> None:
        self.sent, self._chat = sent, chat

    def __repr__(self) -> str:
        return repr(self.sent)

    @property
    def n(self) -> int:
        """The number it was sent under; 0 = not sent."""
        return self.sent.n

    @property
    def seq(self) -> int:
        """Its place in the log; 0 = not accepted."""
        return self.sent.seq

    @property
    def state(self) -> str:
        """pending, accepted, delivered, read, failed or unknown; see Sent."""
        return self.sent.state

    @property
    def reason(self) -> str:
        """Why it waits or has failed."""
        return self.sent.reason

    @property
    def error(self) -> ChatError | None:
        """What made it fail."""
        return self.sent.error

    @_told_by(Sent.accepted)
    def accepted(self, timeout: float | None = None) -> SyncSent:
        return self.reached("accepted", timeout)

    @_told_by(Sent.delivered)
    def delivered(self, timeout: float | None = None) -> SyncSent:
        return self.reached("delivered", timeout)

    @_told_by(Sent.read)
    def read(self, timeout: float | None = None) -> SyncSent:
        return self.reached("read", timeout)

    @_told_by(Sent.reached)
    def reached(self, state: str, timeout: float | None = None) -> SyncSent:
        self._chat.wait(self.sent.reached(state, timeout))
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

    @_told_by(Client.start)
    def start(self) -> SyncClient:
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

    @_told_by(Client.close)
    def close(self, why: str = "", *, wait: float = DRAIN_SECONDS) -> None:
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
    @_told_by(Client.online)
    def online(self) -> bool:
        return self.client.online

    @property
    @_told_by(Client.welcome)
    def welcome(self) -> m.Welcome | None:
        return self.client.welcome

    # -- sending and hearing ---------------------------------------------------------------------------------------

    @_told_by(Client.send)
    def send(
        self, to: str, text: str, re: int = 0, kind: str = "text", tags: dict[str, str] | None = None, *, n: int = 0
    ) -> SyncSent:
        return SyncSent(self.wait(self.client.send(to, text, re, kind, tags, n=n)), self)

    @_told_by(Client.resend)
    def resend(self, sent: SyncSent) -> SyncSent:
        return SyncSent(self.wait(self.client.resend(sent.sent)), self)

    @_told_by(Client.cancel)
    def cancel(self, sent: SyncSent) -> bool:
        return self._call(lambda: self.client.cancel(sent.sent))

    @property
    @_told_by(Client.pending)
    def pending(self) -> list[SyncSent]:
        return [SyncSent(one, self) for one in self._call(lambda: self.client.pending)]

    @property
    @_told_by(Client.doubtful)
    def doubtful(self) -> list[SyncSent]:
        return [SyncSent(one, self) for one in self._call(lambda: self.client.doubtful)]

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

    confirm = _calling(Client.confirm)
    read = _calling(Client.read)
    typing = _calling(Client.typing)

    # -- asking ----------------------------------------------------------------------------------------------------

    command = _waiting(Client.command)
    history = _waiting(Client.history)
    search = _waiting(Client.search)
    who = _waiting(Client.who)
    rooms = _waiting(Client.rooms)
    receipts = _waiting(Client.receipts)
    status_now = _waiting(Client.status_now)
    join = _waiting(Client.join)
    leave = _waiting(Client.leave)
    topic = _waiting(Client.topic)
    invite = _waiting(Client.invite)
    kick = _waiting(Client.kick)
    edit = _waiting(Client.edit)
    remove = _waiting(Client.remove)
    rename = _waiting(Client.rename)
    set = _waiting(Client.set)
    away = _waiting(Client.away)


def connect(server: str | None = None, login: str = "", **options: Unpack[Options]) -> SyncClient:
    """A client for ``with``; options as tcpchat.connect."""
    return SyncClient(server, login, **options)
