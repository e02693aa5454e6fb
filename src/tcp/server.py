"""``MyTCPServer`` and ``MyServerTCPHandler`` as the original has them, served by tcpchat.

    with open("syslog", "a") as log:
        with MyTCPServer((HOST, PORT), MyServerTCPHandler, bind_and_activate=True) as server_socket:
            server_socket.myinit(log)
            server_socket.serve_forever()

Everything else of tcpchat comes with it: messages are kept (in the current folder, or ``data=``), and every kind of
client may join on the same port.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from tcpchat.core.model import Said
from tcpchat.core.sessions import User
from tcpchat.menu.console import say
from tcpchat.server import Server
from tcpchat.server.sockets import listen


class MyServerTCPHandler:
    """One person's stay, in the manner of socketserver: ``setup``, ``handle``, ``finish`` are called in this order.

    Subclass it to be told: ``setup`` when somebody has joined, ``handle`` with each message of theirs, ``finish`` when
    they have left; or, for messages, the original's ``send_from_to`` and ``send_broadcast``. The hooks run in the
    server's thread and must return soon; an exception in one is logged and harms nobody. What they return is not looked
    at: the message is on disk and on its way already.
    """

    def __init__(self, request: str, client_address: tuple[str, int], server: MyTCPServer) -> None:
        self.request = self.user = request  # the login
        self.client_address = client_address
        self.server = server
        self.message: Said | None = None

    def setup(self) -> None:
        """Somebody has joined."""

    def handle(self) -> None:
        """They have said something: ``self.message`` has ``by``, ``to`` and ``text``. Calls one of the next two."""
        message = self.message
        if message is not None and message.to == "#all":
            self.send_broadcast(message.text)
        elif message is not None:
            self.send_from_to([message.to.removeprefix("@"), message.text])

    def send_from_to(self, message_pack: list[str]) -> None:
        """They have sent a message: ``[login (or "#room"), text]``."""

    def send_broadcast(self, message: str) -> None:
        """They have sent a message to all."""

    def finish(self) -> None:
        """They have left."""


class MyTCPServer:
    """The server. With ``bind_and_activate`` the port is taken at once, else by ``server_bind``.

    ``data`` is the folder of the messages; None keeps nothing behind the end of the process.
    """

    def __init__(
        self,
        server_address: tuple[str, int],
        RequestHandlerClass: type[MyServerTCPHandler] = MyServerTCPHandler,
        bind_and_activate: bool = True,
        *,
        data: str | Path | None = ".",
        **settings: Any,
    ) -> None:
        self.server_address = server_address
        self.RequestHandlerClass = RequestHandlerClass
        self._data, self._settings = data, settings
        self._log: TextIO | None = None
        self._sockets: list[socket.socket] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._asked = False  # shutdown was called
        self._over = threading.Event()
        self._over.set()
        self._handlers: dict[int, MyServerTCPHandler] = {}
        self.server: Server | None = None
        if bind_and_activate:
            self.server_bind()
            self.server_activate()

    def __enter__(self) -> MyTCPServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server_close()

    def server_bind(self) -> None:
        """Take the port; with port 0 ``server_address`` names the one that was given. Raises OSError."""
        self._sockets = listen(*self.server_address)
        self.server_address = (self.server_address[0], self._sockets[0].getsockname()[1])

    def server_activate(self) -> None:
        """Connections queue up from ``server_bind`` on; here for the original's sake."""

    def myinit(self, log: TextIO | None) -> None:
        """The open text file for the lines of the log."""
        self._log = log

    def serve_forever(self, poll_interval: float = 0.5) -> None:
        """Serve until ``shutdown`` is called from another thread, or Ctrl+C."""
        self._over.clear()
        try:
            asyncio.run(self._serve())
        except KeyboardInterrupt:
            pass
        finally:
            self._loop = None
            self._asked = False
            self._over.set()

    async def _serve(self) -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        host, port = self.server_address
        self.server = Server(host, port, self._data, syslog=self._log, console=say, **self._settings)
        self.server.on_join, self.server.on_message, self.server.on_leave = self._joined, self._said, self._left
        sockets, self._sockets = self._sockets, []
        await self.server.start(sockets or None)
        self.server_address = (host, self.server.port)
        with contextlib.suppress(NotImplementedError, ValueError, RuntimeError):  # not in the main thread, or Windows
            loop.add_signal_handler(signal.SIGTERM, stop.set)
        self._loop, self._stop = loop, stop
        if self._asked:
            stop.set()
        try:
            await stop.wait()
        finally:
            await self.server.stop()

    def get_users_list(self) -> list[str]:
        """The logins that are here."""
        return [handler.user for handler in list(self._handlers.values())]

    @property
    def STATE(self) -> str:
        """WAIT4CLIENTS or READY2SERV."""
        return self.server.audit.state if self.server is not None else "WAIT4CLIENTS"

    def shutdown(self) -> None:
        """Stop ``serve_forever`` and wait until it has; call it from another thread."""
        self._asked = True
        loop, stop = self._loop, self._stop
        if loop is not None and stop is not None:
            try:
                loop.call_soon_threadsafe(stop.set)
            except RuntimeError:
                pass  # it has ended meanwhile
        self._over.wait()

    def server_close(self) -> None:
        """Give the port back. Idempotent."""
        for own in self._sockets:
            own.close()
        self._sockets = []

    # -- handlers ------------------------------------------------------------------------------------------------------

    def _joined(self, user: User) -> None:
        address = user.sessions[-1].address if user.sessions else ""
        handler = self._handlers[user.uid] = self.RequestHandlerClass(user.login, (address, 0), self)
        handler.setup()

    def _said(self, message: Said) -> None:
        handler = self._handlers.get(message.user)
        if handler is not None:
            handler.message = message
            handler.handle()

    def _left(self, user: User) -> None:
        handler = self._handlers.pop(user.uid, None)
        if handler is not None:
            handler.finish()
