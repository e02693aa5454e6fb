"""``MyTCPClient`` and ``MyClientTCPHandler`` as the original has them: the numbered menu.

with MyTCPClient((HOST, PORT), MyClientTCPHandler, bind_and_activate=True) as client_socket:
    client_socket.serve_forever()
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any

from tcpchat.menu import Menu
from tcpchat.menu.console import say


class MyClientTCPHandler:
    """What the client prints goes through here: subclass it and override ``handle``."""

    def __init__(self, client: MyTCPClient) -> None:
        self.client = client

    def setup(self) -> None:
        """Called before the login is asked for."""

    def handle(self, line: str) -> None:
        """One line (or block of lines) of the client; prints it."""
        say(line)

    def finish(self) -> None:
        """Called at the end."""


class MyTCPClient:
    """The client. ``serve_forever`` asks for a login and serves the menu until it is closed."""

    def __init__(
        self,
        server_address: tuple[str, int],
        RequestHandlerClass: type[MyClientTCPHandler] = MyClientTCPHandler,
        bind_and_activate: bool = True,
        **options: Any,
    ) -> None:
        self.server_address = server_address
        self.handler = RequestHandlerClass(self)
        self.options = options
        self.exit_code = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._menu: Menu | None = None

    def __enter__(self) -> MyTCPClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server_close()

    def serve_forever(self, poll_interval: float = 0.5) -> None:
        """Run until option 5, the end of the input, Ctrl+C, or ``shutdown`` from another thread."""
        self.handler.setup()
        try:
            self.exit_code = asyncio.run(self._serve())
        except KeyboardInterrupt:
            self.exit_code = 130
        finally:
            self._loop = None
            self.handler.finish()

    async def _serve(self) -> int:
        self._loop = asyncio.get_running_loop()
        host, port = self.server_address
        options = dict(self.options)
        self._menu = Menu(host, port, say=self.handler.handle, login=options.pop("login", ""), options=options)
        return await self._menu.run()

    def shutdown(self) -> None:
        """Close the client; from another thread."""
        if self._loop is not None and self._menu is not None:
            self._loop.call_soon_threadsafe(self._menu.ended.set)

    def server_close(self) -> None:
        """Nothing is left open behind ``serve_forever``; here for the original's sake."""
