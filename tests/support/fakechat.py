"""A small chat server that does what a test tells it to: cuts the cable at any byte, refuses, stays silent.

It keeps the promises of the real one (numbers per device, a log, a feed behind ``after``), so that a test can count
what got lost or doubled.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from tcpchat.core import model as m
from tcpchat.doors.native import ServerSide, encode

PATIENCE = 20.0
Rule = Callable[["Link", m.Say], None]


class Link:
    """One connection of a client."""

    def __init__(self, chat: FakeChat, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.chat, self.reader, self.writer = chat, reader, writer
        self.door = ServerSide()
        self.hello = m.Hello("")
        self.open = True

    def tell(self, event: m.AnyEvent) -> None:
        if self.open:
            self.writer.write(encode(event))

    def cut(self) -> None:
        """Everything that was told arrives, then the end."""
        self.open = False
        self.writer.close()

    async def run(self) -> None:
        try:
            while self.open and (data := await self.reader.read(65536)):
                for command in self.door.receive(data):
                    if self.open:
                        self.chat.take(self, command)
        except OSError:
            pass
        finally:
            self.cut()
            self.chat.links.discard(self)
            self.chat.happened()


class FakeChat:
    """``rules`` are for the next messages that come, one each; without one a message is accepted."""

    def __init__(self) -> None:
        self.log: list[m.Message] = []
        self.devices: dict[str, list[int]] = {}
        self.rules: deque[Rule] = deque()
        self.on_hello: deque[Callable[[Link], bool]] = deque()  # True: that was the answer
        self.commands: list[m.Command] = []
        self.links: set[Link] = set()
        self.forgot = 0  # numbers of messages up to here are forgotten
        self.mute = False  # the machine is there, the program is not
        self.server: asyncio.Server | None = None
        self.port = 0
        self._news = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    # -- life ------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        self.server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self.port = self.server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self.server is not None
        self.server.close()
        for link in list(self.links):
            link.cut()
        await asyncio.gather(*self._tasks)
        await self.server.wait_closed()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(self, reader, writer)
        self.links.add(link)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        await link.run()
        self._tasks.discard(task)

    def happened(self) -> None:
        self._news.set()

    async def until(self, check: Callable[[], object]) -> None:
        """Return once the check holds; it is looked at whenever something happened here."""
        async with asyncio.timeout(PATIENCE):
            while not check():
                self._news.clear()
                await self._news.wait()

    # -- what a client says ----------------------------------------------------------------------------------------

    def take(self, link: Link, command: m.Command) -> None:
        self.commands.append(command)
        self.happened()
        if self.mute:
            return
        match command:
            case m.Hello():
                link.hello = command
                if not (self.on_hello and self.on_hello.popleft()(link)):
                    self.welcome(link)
            case m.Say():
                rule = self.rules.popleft() if self.rules else accept
                rule(link, command)
            case m.Ping():
                link.tell(m.Ponged(command.token))
            case m.Bye():
                link.tell(m.Goodbye())
                link.cut()
            case m.Status():
                link.tell(m.State("WAIT4CLIENTS", 1, len(self.log), ref=command.ref))

    def welcome(self, link: Link) -> None:
        hello, head = link.hello, len(self.log)
        after = head if hello.after is None or hello.after < 0 else min(hello.after, head)
        mine = self.devices.setdefault(hello.device, [])
        link.tell(
            m.Welcome(hello.login, head, after, len(mine), tuple(mine[-64:]), state="WAIT4CLIENTS", forgot=self.forgot)
        )
        for message in self.log[after:]:
            link.tell(message)

    def store(self, link: Link, say: m.Say) -> int:
        """Put a message into the log under its number; returns its place, also of a repeat. 0 = a gap."""
        mine = self.devices[link.hello.device]
        if say.n > len(mine) + 1:
            return 0
        if say.n == len(mine) + 1:
            mine.append(self.put(link.hello.login, say.text, say.to, link))
        return mine[say.n - 1]

    def put(self, by: str, text: str, to: str = "#all", skip: Link | None = None) -> int:
        """Somebody says something; who is here hears it."""
        message = m.Message(len(self.log) + 1, 1, by, to, text)
        self.log.append(message)
        for link in self.links:
            if link is not skip:
                link.tell(message)
        return message.seq

    # -- looking ---------------------------------------------------------------------------------------------------

    @property
    def texts(self) -> list[str]:
        return [message.text for message in self.log]

    def came(self, kind: type[m.Command]) -> list[m.Command]:
        return [command for command in self.commands if isinstance(command, kind)]

    @property
    def confirmed(self) -> int:
        return max((one.seq for one in self.commands if isinstance(one, m.Confirm)), default=0)


# -- rules -----------------------------------------------------------------------------------------------------------


def accept(link: Link, say: m.Say) -> None:
    seq = link.chat.store(link, say)
    expected = len(link.chat.devices[link.hello.device]) + 1
    link.tell(m.Accepted(say.n, seq) if seq else m.Refused("gap", "A gap.", n=say.n, expected=expected))


def cut_before(link: Link, say: m.Say) -> None:
    """The cable is cut before the server has it."""
    link.cut()


def cut_stored(link: Link, say: m.Say) -> None:
    """The server has it, the answer is lost."""
    link.chat.store(link, say)
    link.cut()


def cut_at(byte: int) -> Rule:
    """The server has it, the cable is cut inside the answer's line."""

    def rule(link: Link, say: m.Say) -> None:
        line = encode(m.Accepted(say.n, link.chat.store(link, say)))
        link.writer.write(line[:byte])
        link.cut()

    return rule


def cut_answered(link: Link, say: m.Say) -> None:
    accept(link, say)
    link.cut()


def silent(link: Link, say: m.Say) -> None:
    """No answer."""


def refuse(code: str, after: float = 0.0) -> Rule:
    def rule(link: Link, say: m.Say) -> None:
        link.tell(m.Refused(code, f"No: {code}.", n=say.n, after=after))

    return rule
