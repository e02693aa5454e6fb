"""The server: one port, one chat, one log. Embeddable.

    async with tcpchat.Server(port=0, data=None) as server:
        print(server.port)
        await server.serve_forever()

Or in a thread of its own, from code that knows nothing of asyncio: ``with tcpchat.Server.in_thread(port=0) as server``.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import os
import secrets
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import msgspec

from tcpchat.config import Config, ConfigError
from tcpchat.core.chat import Chat
from tcpchat.core.state import StateError
from tcpchat.core.version import VERSION
from tcpchat.doors import Peer
from tcpchat.doors.registry import alpn
from tcpchat.log import Log, LogError, LogLost
from tcpchat.server import clock
from tcpchat.server.admission import Admission
from tcpchat.server.clock import TICKS_PER_SECOND
from tcpchat.server.connection import LINGER_SECONDS, Connection
from tcpchat.server.datafolder import blaming, exposed, keeping_private, make_folder, private_file
from tcpchat.server.keepalive import look
from tcpchat.server.layer import Layer
from tcpchat.server.pipe import PENDING_MAX, Pipe
from tcpchat.server.site import ServerSite
from tcpchat.server.snapshots import Snapshots
from tcpchat.server.sockets import BACKLOG, listen, make_prompt
from tcpchat.server.textlog import AuditLog, Eraser, move_on
from tcpchat.server.thread import ServerThread, collecting_nothing
from tcpchat.server.turns import READ_MAX, Turns
from tcpchat.trust.fingerprint import CertificateError

if TYPE_CHECKING:
    from tcpchat.core.model import Said
    from tcpchat.core.sessions import User
    from tcpchat.trust.certificates import Certificate
    from tcpchat.trust.tls import Tls

DATABASES = ("tcpchat.db", "tcpchat.db-wal", "tcpchat.db-shm", "irc.db", "irc.db-wal", "irc.db-shm")
ADMIN_FILE = "admin.secret"  # in the data folder, while the server runs
OWN_FILE = "server.secret"  # in the data folder, for good
logger = logging.getLogger("tcpchat.server")

RENEW_TICKS = 3_600 * TICKS_PER_SECOND  # once an hour the certificate is read again: its operator may have renewed it
LOOK_TICKS = 60 * TICKS_PER_SECOND  # once a minute: is the self-made one still good? The clock may have been set right
AT_START = (  # settings that hold for the life of a server, whatever the file says later
    "host", "port", "data", "syslog", "retention_days", "plain_only", "tls_cert", "tls_key", "tls_client_ca",
    "tls_client_certs",
)  # fmt: skip
PEEK_SECONDS = 0.05  # between two looks at who is still here while stopping
STOP_SECONDS = 5.0  # a stopping server waits this long for the log, and as long for its peers to read


class Server:
    """A chat server.

    ``data`` is the folder of the messages; None keeps them for the life of the server only. ``log`` replaces the log
    altogether. ``syslog`` is a text file for the original's log lines, or its name in the folder. ``console`` is called
    with a line when somebody joins or leaves. ``settings`` are those of tcpchat.config.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 6060,
        data: str | Path | None = ".",
        log: Log | None = None,
        *,
        syslog: TextIO | str | None = None,
        console: Callable[[str], None] | None = None,
        **settings: Any,
    ) -> None:
        if isinstance(syslog, str):
            settings["syslog"] = syslog
        self.config = Config(host=host, port=port, data=str(data or ""), **settings)
        # Called for who joins, each message, who leaves; set them before the start. What they raise is logged.
        self.on_join: Callable[[User], None] | None = None
        self.on_message: Callable[[Said], None] | None = None
        self.on_leave: Callable[[User], None] | None = None
        self.read_settings: Callable[[], Config] = lambda: self.config  # reads them again; see reload
        self.host, self.port = host, port
        self.data = None if data is None else Path(data)
        self.tls: Callable[[bytes], Layer] | None = None  # the encryption for a first record; None = plain only
        self._tls: Tls | None = None
        self.log: Log | None = log
        self.ticks = 0  # tenths of a second since the start: the clock of all time-outs, blind to clock changes
        self.pending_max = PENDING_MAX
        self.site = ServerSite(self)
        self.admission = Admission()
        self.chat: Chat
        self.pipe: Pipe
        self.turns: Turns
        self.view = memoryview(bytearray(READ_MAX))  # what a read brings, until it is taken out of it at once
        self.audit = AuditLog(None if isinstance(syslog, str) else syslog, console)
        place = self.config.syslog if self.config.syslog not in ("", "off") else "syslog"
        self.eraser = Eraser(self.audit, None if self.data is None else self.data / place)
        self._listeners: list[asyncio.AbstractServer] = []
        self._pump: asyncio.Task[None] | None = None
        self.snapshots: Snapshots
        self._timer: asyncio.TimerHandle | None = None
        self._ended: asyncio.Future[None] | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._own_syslog: TextIO | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None  # of a server without a folder of its own

    @classmethod
    def from_config(
        cls,
        config: Config,
        console: Callable[[str], None] | None = None,
        read_settings: Callable[[], Config] | None = None,
    ) -> Server:
        """A server with settings read by tcpchat.config.load; ``read_settings`` reads them again (``reload``), and
        raises ConfigError where they cannot be used."""
        values = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
        server = cls(console=console, **values)
        if read_settings is not None:
            server.read_settings = read_settings
        return server

    # -- life ------------------------------------------------------------------------------------------------

    async def start(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the log, restore the chat, listen (on these sockets, if the port was taken before).

        Raises LogError, PortInUse, StartError (a file or folder cannot be used), OSError, CertificateError.
        """
        loop = asyncio.get_running_loop()
        self._ended = loop.create_future()
        sockets = sockets or listen(self.host, self.port)
        self.port = int(sockets[0].getsockname()[1])
        try:
            await self._open_files(sockets)
        except BaseException:
            for sock in sockets:
                sock.close()
            if self.log is not None:
                with contextlib.suppress(Exception):
                    await self.log.close()
            self._close_syslog()
            self._remove_folder()
            raise
        assert self.log is not None
        self.audit.watch(self.on_join, self.on_message, self.on_leave)
        self.pipe = Pipe(self.chat, self.log, self.audit if self.audit.listening or self.eraser.files() else None)
        self.turns = Turns(self.config.work_per_second, self.config.work_burst)
        self._pump = loop.create_task(self.pipe.pump(), name="pump")
        self._pump.add_done_callback(self._pump_ended)
        for sock in sockets:
            make_prompt(sock)
            self._listeners.append(await loop.create_server(lambda: Connection(self), sock=sock, backlog=BACKLOG))
        self._timer = loop.call_later(1 / TICKS_PER_SECOND, self._tick)
        logger.info("= listening on port %d", self.port)

    async def _open_files(self, sockets: list[socket.socket]) -> None:
        """Everything that this server has in files. Raises LogError, StartError, CertificateError."""
        if self.data is not None:
            make_folder(self.data)
            for text in exposed(self.data, self._private_files()):
                logger.warning("! %s", text)
        self._open_tls()
        with keeping_private(self.data, DATABASES):
            await self._restore()
        self._open_syslog()
        self.site.open(time.time())
        self._let_operators_in(sockets)

    def _private_files(self) -> tuple[str, ...]:
        """The files of the data folder that are nobody else's business."""
        return (*DATABASES, *(path.name for path in self.eraser.files()))

    async def _restore(self) -> None:
        self.chat = Chat(msgspec.structs.replace(self.config.limits(), version=VERSION))
        self.chat.offset = time.time() - clock.now()
        if self.log is None:
            self.log = default_log(self._place(), self.config.retention_days)
        seq, state, cursors = await self.log.open()
        try:
            with collecting_nothing():
                self.chat.restore(seq, state, cursors)
        except StateError as error:
            raise LogError(str(error)) from None
        await self.log.replay(seq, self.chat.replay)
        if hasattr(self.log, "lineages"):  # one of somebody's own, from before logs had ids, goes on without
            self.chat.begin(self.log.lineages())
        self.chat.salt = self._own_secret()
        self.snapshots = Snapshots(self.chat, self.log, seq)

    def _own_secret(self) -> bytes:
        """A secret of this data folder that lasts: what it answers about logins that do not exist stays the same."""
        if self.data is None:
            return secrets.token_bytes(32)
        path = self.data / OWN_FILE
        with blaming(path, "Move it away, and a new one is made."):
            if not path.exists() or path.stat().st_size == 0:  # empty: the disk was full when it was made
                path.unlink(missing_ok=True)
                with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
                    out.write(secrets.token_hex(32) + "\n")
            return path.read_bytes()

    def _place(self) -> Path:
        """The data folder, or one that goes away with the server."""
        if self.data is not None:
            return self.data
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="tcpchat-")
        return Path(self._folder.name)

    def _remove_folder(self) -> None:
        if self._folder is not None:
            self._folder.cleanup()

    def _open_tls(self) -> None:
        config = self.config
        if self.tls is None and not config.plain_only:
            from tcpchat.trust.tls import Tls

            files = config.tls_cert, config.tls_key, config.tls_client_ca
            self._tls = Tls(self._place(), *files, name=config.host, ask=config.tls_client_certs, alpn=tuple(alpn()))
            self.tls = self._tls.layer

    @property
    def addresses(self) -> list[str]:
        """The addresses that this server listens on."""
        sockets = [sock for listener in self._listeners for sock in getattr(listener, "sockets", ())]
        return [str(sock.getsockname()[0]) for sock in sockets]

    @property
    def connections(self) -> set[Connection]:
        """All connections that are open."""
        return self.admission.connections

    @property
    def encrypts(self) -> bool:
        """Is TLS spoken?"""
        return self.tls is not None

    @property
    def fingerprint(self) -> str:
        """Of the key that clients are shown; "" without TLS."""
        return self._tls.fingerprint if self._tls is not None else ""

    @property
    def certificate(self) -> Certificate | None:
        """What clients are shown; None without TLS."""
        return self._tls.certificate if self._tls is not None else None

    def reload(self) -> list[str]:
        """Read settings, message of the day and certificate again; who is connected stays so.

        Limits and other settings hold from now on, but for those of ``AT_START``. What cannot be used stays as it was;
        returned and logged is what was wrong, in sentences.
        """
        problems = [self._reload_settings(), self.site.motd_problem(), self._reload_certificate()]
        told = [problem for problem in problems if problem]
        for problem in told:
            logger.error("! %s", problem)
        return told

    def _reload_settings(self) -> str:
        try:
            config = self.read_settings()
        except ConfigError as error:
            return f"the settings stay as they were: {error}"
        if config != self.config:
            kept = {name: getattr(self.config, name) for name in AT_START}
            self.config = self.site.settings = dataclasses.replace(config, **kept)
            self.chat.relimit(msgspec.structs.replace(self.config.limits(), version=VERSION))
            self.turns.rate, self.turns.burst = self.config.work_per_second, self.config.work_burst
            logger.info("= settings read")
        return ""

    def _reload_certificate(self) -> str:
        """Read the certificate again (renew the self-made one); new connections get it."""
        if self._tls is None:
            return ""
        try:
            self._tls.reload()
        except CertificateError as error:
            return f"the certificate stays as it was: {error}"
        logger.info("= certificate read, %s", self.fingerprint)
        return ""

    def _open_syslog(self) -> None:
        name = self.config.syslog
        if self.audit.sink is None and self.data is not None and name not in ("", "off"):
            path = self.data / name
            with blaming(path, "Name another file with --syslog; `--syslog off` keeps none."):
                self._write_syslog(path)
            self.audit.full = self.config.syslog_bytes
            self.audit.begin_anew = lambda: self._move_syslog(path)
        self.audit.login_of = self._login_of

    def _write_syslog(self, path: Path) -> None:
        # Held open for the life of the server; closed by stop().
        self._own_syslog = open(path, "a", encoding="utf-8", errors="replace", opener=private_file)  # noqa: SIM115
        self.audit.sink = self._own_syslog

    def _move_syslog(self, path: Path) -> None:
        """The text log is as large as it may be: begin a new one, unless what is erased is just sought in the old."""
        if self.eraser.busy:
            return
        try:
            move_on(path, self.config.syslog_files)
            old = self._own_syslog
            self._write_syslog(path)
            if old is not None:
                old.close()
        except OSError as error:
            logger.error("! the text log could not be moved: %s", error)

    def _login_of(self, uid: int) -> str:
        user = self.chat.state.users.get(uid)
        return user.login if user is not None else ""

    async def stop(self, why: str = "stopping") -> None:
        """Take nothing more, make durable what came, say goodbye in every door's language, close. Idempotent."""
        if self._stopping is None:
            self._stopping = asyncio.get_running_loop().create_task(self._stop(why), name="stop")
        await asyncio.shield(self._stopping)

    async def _stop(self, why: str) -> None:
        if self._timer is None:
            return
        for listener in self._listeners:
            listener.close()
        for connection in list(self.connections):
            connection.pause("stopping")
        if not await self.pipe.drained(STOP_SECONDS):
            logger.error("! stopped with %d entries not written", len(self.pipe.pending))
        self._timer.cancel()
        if self.data is not None:
            (self.data / ADMIN_FILE).unlink(missing_ok=True)
        await self._goodbye(why)
        await self._end()
        logger.info("= stopped")

    def _close_syslog(self) -> None:
        if self._own_syslog is not None:
            with contextlib.suppress(OSError):  # a full disk
                self._own_syslog.close()

    def _let_operators_in(self, sockets: list[socket.socket]) -> None:
        """Who can read the data folder is an operator: a secret of this run, and where to bring it, in a file."""
        if self.data is None:
            return
        self.chat.admin_secret = secrets.token_urlsafe(32)
        path = self.data / ADMIN_FILE
        with blaming(path, "`tcpchat admin` needs it: move away what is there."):
            path.unlink(missing_ok=True)
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(file, "w") as out:
                out.write(f"{self._loopback(sockets)} {self.port} {self.chat.admin_secret}\n")

    def _loopback(self, sockets: list[socket.socket]) -> str:
        """An address of this machine itself on which this server listens."""
        hosts = [sock.getsockname()[0] for sock in sockets]
        if any(host in ("0.0.0.0", "127.0.0.1") for host in hosts):
            return "127.0.0.1"
        return "::1" if any(host in ("::", "::1") for host in hosts) else hosts[0]

    async def _goodbye(self, why: str) -> None:
        for connection in list(self.connections):
            connection.hang_up("stopping", "" if why == "stopping" else why)
        await self._left_in_peace()
        for connection in list(self.connections):
            if connection.transport.get_write_buffer_size():
                connection.transport.abort()  # it reads nothing
            else:
                connection.transport.close()
        await asyncio.sleep(0)

    async def _left_in_peace(self) -> None:
        """Let peers read their last words and go themselves: what they send to a closed socket would make their
        machines throw those words away. Who has read all has a moment for it, who is slow STOP_SECONDS."""
        vacant = self.admission.vacant = asyncio.Event()
        moment = int(LINGER_SECONDS / PEEK_SECONDS)
        for turn in range(int(STOP_SECONDS / PEEK_SECONDS)):
            slow = any(one.transport.get_write_buffer_size() for one in self.connections)
            if not self.connections or (turn >= moment and not slow):
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(vacant.wait(), PEEK_SECONDS)

    async def _end(self) -> None:
        self.pipe.flush()
        await self.pipe.drained(STOP_SECONDS)
        if self._pump is not None:
            self._pump.cancel()
        await self.snapshots.finish()
        await self.pipe.close()
        assert self.log is not None
        await self.snapshots.last()
        await self.log.close()
        await self.site.store.close()
        self.audit.flush()
        await self.eraser.end()
        self._close_syslog()
        self._remove_folder()
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)

    async def __aenter__(self) -> Server:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def serve_forever(self) -> None:
        """Return when the server has been stopped; raise if it stopped because of a fault of its own."""
        assert self._ended is not None, "start() first"
        await asyncio.shield(self._ended)

    def _pump_ended(self, task: asyncio.Task[None]) -> None:
        """The log did something unforeseen: stop loudly; clients come back and go on where they were."""
        if task.cancelled() or self._ended is None or self._ended.done():
            return
        error = task.exception() or RuntimeError("the pump ended")
        if isinstance(error, LogLost):
            logger.critical("! stopping: %s", error)
            for connection in list(self.connections):  # without a word: what would be said of a message is not known
                connection.transport.abort()
        else:
            logger.critical("! the log failed in an unforeseen way; stopping", exc_info=error)
        self._ended.set_exception(error)

    # -- connections -----------------------------------------------------------------------------------------

    def admit(self, connection: Connection) -> bytes:
        """Count a new connection; b"" lets it in, else the line it is refused with."""
        return self.admission.admit(connection, self.config)

    def leave(self, connection: Connection) -> None:
        """A connection is gone."""
        self.admission.leave(connection)
        if connection.user is not None:
            self.audit.left(connection.user)

    def moved(self, connection: Connection, peer: Peer) -> None:
        """A door has learnt by whom a connection is used."""
        if not self.admission.moved(connection, peer, self.config):
            connection.hang_up("too_many", "Too many connections from your address.")

    # -- time ------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        """Ten times a second; every connection has its turn once a second."""
        self._timer = asyncio.get_running_loop().call_later(1 / TICKS_PER_SECOND, self._tick)
        self.ticks += 1
        now = clock.now()
        try:
            self.pipe.run(self.chat.set_clock(time.time(), now))
            self.pipe.run(self.chat.tick(now))
            self.site.tick(now)
        except Exception:
            logger.exception("! a fault of this server, in tick")
        for connection in self.admission.due(self.ticks):
            try:
                look(connection, now)
            except Exception:
                connection.bug()
        self.turns.tick(now)
        self.audit.flush()
        self.eraser.tick()
        if self.ticks % TICKS_PER_SECOND == 0:
            self.snapshots.consider(self.ticks, self.config, self.pipe.idle)
            self.site.store.tick()
        due = self.ticks % LOOK_TICKS == 0 and self._tls is not None and self._tls.due
        if (due or self.ticks % RENEW_TICKS == 0) and (problem := self._reload_certificate()):
            logger.error("! %s", problem)

    # -- a thread of its own ---------------------------------------------------------------------------------

    @classmethod
    @contextlib.contextmanager
    def in_thread(cls, *args: Any, **settings: Any) -> Iterator[Server]:
        """A running server in a thread, stopped at the end of the block."""
        server = cls(*args, **settings)
        thread = ServerThread(server)
        thread.begin()
        try:
            yield server
        finally:
            thread.end()


def default_log(data: Path, retention_days: int = 0) -> Log:
    """The embedded log in this folder."""
    from tcpchat.log.sqlite import SqliteLog

    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    return SqliteLog(data, retention_days=retention_days)
