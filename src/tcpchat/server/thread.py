"""A server in a thread of its own, for programs and tests that do not run an event loop themselves."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tcpchat.server import Server


class ServerThread(threading.Thread):
    """Runs one server on a loop of its own."""

    def __init__(self, server: Server) -> None:
        super().__init__(name="tcpchat-server", daemon=True)
        self.server = server
        self.loop: asyncio.AbstractEventLoop | None = None
        self.error: BaseException | None = None
        self._ready = threading.Event()

    def begin(self) -> None:
        """Start; return when the server listens, raise what it raised."""
        self.start()
        self._ready.wait()
        if self.error is not None:
            self.join()
            raise self.error

    def end(self) -> None:
        """Stop the server and wait for the thread. From any other thread."""
        if self.loop is not None and self.is_alive():
            with contextlib.suppress(RuntimeError):  # the loop has ended by itself meanwhile
                asyncio.run_coroutine_threadsafe(self.server.stop(), self.loop)
        self.join()

    def run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self.error = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        async with self.server:
            self.loop = asyncio.get_running_loop()
            self._ready.set()
            await self.server.serve_forever()


@contextlib.contextmanager
def collecting_nothing() -> Iterator[None]:
    """Hundreds of thousands of objects are made and none of them is garbage: looking for it takes most of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
