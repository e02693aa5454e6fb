"""The synchronous face: the same client, run by a loop in a thread of its own.

with tcpchat.sync.connect("localhost:6060", login="duck") as chat:
    chat.send("@alice", "quack").delivered(timeout=5)
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

from tcpchat.client.client import Client
from tcpchat.client.sent import Sent
from tcpchat.core import model as m

T = TypeVar("T")


class SyncSent:
    """Sent, for waiting without a loop."""

    def __init__(self, sent: Sent, chat: SyncClient) -> None:
        self._sent, self._chat = sent, chat

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sent, name)

    def accepted(self, timeout: float | None = None) -> SyncSent:
        """Wait until it is durable on the server. Raises Refused, Unknown, TimedOut."""
        return self._reached("accepted", timeout)

    def delivered(self, timeout: float | None = None) -> SyncSent:
        """Wait until the recipient's client has it."""
        return self._reached("delivered", timeout)

    def read(self, timeout: float | None = None) -> SyncSent:
        """Wait until it was read."""
        return self._reached("read", timeout)

    def _reached(self, state: str, timeout: float | None) -> SyncSent:
        self._chat.wait(self._sent.reached(state, timeout))
        return self


class SyncClient:
    """Client, for programs without a loop. Every coroutine method of Client is a plain method here."""

    def __init__(self, server: str | None = None, login: str = "", **options: Any) -> None:
        self._arguments = (server, login, options)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tcpchat", daemon=True)
        self._messages: queue.Queue[m.Message | None] = queue.Queue()
        self._pump: asyncio.Task[None] | None = None
        self.client: Client | None = None

    def __enter__(self) -> SyncClient:
        self._thread.start()
        try:
            self.client = self.wait(self._open())
        except BaseException:
            self._stop()
            raise
        return self

    async def _open(self) -> Client:
        server, login, options = self._arguments
        client = Client(server, login, **options)
        try:
            return await client.start()
        except BaseException:
            await client.close()
            raise

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Say goodbye and end. Idempotent."""
        if self.client is not None:
            self.wait(self._close(self.client))
            self.client = None
        self._stop()

    async def _close(self, client: Client) -> None:
        await client.close()
        if self._pump is not None:
            await asyncio.gather(self._pump, return_exceptions=True)

    def _stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        if not self._loop.is_closed():
            self._loop.close()

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the client's loop and return its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def send(self, to: str, text: str, **options: Any) -> SyncSent:
        """See Client.send."""
        assert self.client is not None
        return SyncSent(self.wait(self.client.send(to, text, **options)), self)

    def messages(self, timeout: float | None = None) -> Iterator[m.Message]:
        """Messages as they come; ends when none came for ``timeout`` seconds or the client was closed."""
        if self._pump is None:
            self._pump = self.wait(self._start_pump())
        while True:
            try:
                message = self._messages.get(timeout=timeout)
            except queue.Empty:
                return
            if message is None:
                return
            yield message
            if self.client is not None:
                self._loop.call_soon_threadsafe(self.client.confirm, message.seq)

    async def _start_pump(self) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(self._hand_over(), name="tcpchat messages")

    async def _hand_over(self) -> None:
        assert self.client is not None
        async for message in self.client.messages():
            self._messages.put(message)
        self._messages.put(None)

    def __getattr__(self, name: str) -> Any:
        """Any other method or attribute of Client; coroutines are waited for."""
        client = self.__dict__.get("client")
        if client is None:
            raise AttributeError(name)
        value = getattr(client, name)
        if not asyncio.iscoroutinefunction(value):
            return value

        def call(*args: Any, **options: Any) -> Any:
            return self.wait(value(*args, **options))

        return call


def connect(server: str | None = None, login: str = "", **options: Any) -> SyncClient:
    """A client for ``with``; options as tcpchat.connect."""
    return SyncClient(server, login, **options)
