"""A client without a server: rooms in memory, the API of tcpchat.client.Client, events that a test puts in."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any

from tcpchat.client import ChatError, ConnectionFailed, Offline, Online, Sent, SentChanged
from tcpchat.core import model as m
from tcpchat.core.text import fold

NOON = 1_763_805_600_000  # 2025-11-22 10:00 UTC, in ms


class FakeClient:
    """Give it rooms with ``room`` and ``say``; then hand ``FakeClient.factory`` to the application."""

    def __init__(self, login: str = "you") -> None:
        self.login = login
        self.host, self.port = "localhost", 6060
        self.state = "connecting"
        self.latency: float | None = 0.012
        self.fingerprint = ""
        self.error: ChatError | None = None
        self.welcome: m.Welcome | None = None
        self.seq = 0
        self.at = NOON
        self.infos: dict[str, dict[str, Any]] = {}
        self.log: dict[str, list[m.Message | m.RoomEvent]] = {}
        self.persons: list[m.Person] = []
        self.pending: list[Sent] = []
        self.doubtful: list[Sent] = []
        self.asked: list[tuple[Any, ...]] = []  # every call, for tests
        self.receipt_lists: dict[int, m.ReceiptList] = {}
        self.answers: dict[type, m.AnyEvent | ChatError] = {}
        self.options: dict[str, Any] = {}
        self.hold = asyncio.Event()  # cleared: pages wait
        self.hold.set()
        self._numbers = itertools.count(1)
        self._events: asyncio.Queue[object] = asyncio.Queue()

    # -- making a world ------------------------------------------------------------------------------------------------

    def factory(self, server: str, login: str, **options: Any) -> Any:
        """What the application calls to connect."""
        self.options = options
        self.asked.append(("connect", server, login))
        return self

    def room(self, to: str, **info: Any) -> None:
        """A conversation, "#room" or "@login"."""
        self.infos[fold(to)] = {"to": to, **info}
        self.log.setdefault(fold(to), [])

    def say(self, to: str, by: str, text: str, *, at: int = 0, live: bool = False, **more: Any) -> m.Message:
        """A message in a conversation; ``live`` also sends it as an event."""
        self.seq += 1
        self.at = at or self.at + 1000
        shown = to
        message = m.Message(self.seq, self.at, by, shown, text, **more)
        self.log.setdefault(fold(to), []).append(message)
        if live:
            direct = not to.startswith("#") and fold(by) != fold(self.login)
            self.put(m.Message(self.seq, self.at, by, "@" + self.login, text, **more) if direct else message)
        return message

    def happen(self, room: str, what: str, login: str, *, text: str = "", at: int = 0, live: bool = False) -> None:
        """Something in a room."""
        self.seq += 1
        self.at = at or self.at + 1000
        event = m.RoomEvent(self.seq, self.at, what, room, by=login, login=login, text=text)
        self.log.setdefault(fold(room), []).append(event)
        if live:
            self.put(event)

    def person(self, login: str, online: bool = True, **more: Any) -> None:
        """Somebody."""
        self.persons.append(m.Person(login, online, **more))

    def put(self, event: object) -> None:
        """Something happens now."""
        self._events.put_nowait(event)

    def go_online(self, state: str = "READY2SERV") -> None:
        """Welcome and the list of rooms."""
        self.state = "online"
        self.welcome = m.Welcome(self.login, self.seq, self.seq, state=state, max_text=8000, role="owner")
        self.put(Online(self.welcome))
        self.put(m.RoomList(self.room_infos()))
        self.put(m.State(state, online=len(self.persons)))

    def go_offline(self, why: str = "The connection was lost.", retry: float | None = 4.0) -> None:
        """The line is cut."""
        self.state = "waiting" if retry is not None else "closed"
        self.put(Offline(why, retry))

    def room_infos(self) -> tuple[m.RoomInfo, ...]:
        """The rooms with their counts."""
        out = []
        for key, info in self.infos.items():
            rows = self.log[key]
            read = info.get("read", 0)
            unread = [row for row in rows if isinstance(row, m.Message) and row.seq > read and row.by != self.login]
            facts = {"head": rows[-1].seq if rows else 0, "unread": min(len(unread), 100), **info}
            if key.startswith("@"):
                facts["mentions"] = facts["unread"]
            out.append(m.RoomInfo(**facts))
        return tuple(out)

    # -- the client's API ----------------------------------------------------------------------------------------------

    @property
    def online(self) -> bool:
        return self.state == "online"

    def begin(self) -> FakeClient:
        return self

    async def events(self) -> AsyncIterator[object]:
        while True:
            event = await self._events.get()
            if event is None:
                return
            yield event

    async def close(self, why: str = "", *, wait: float = 0.0) -> None:
        self.asked.append(("close", why))
        self.state = "closed"
        self.put(None)

    def end(self, error: ChatError) -> None:
        """Refused for good."""
        self.error, self.state = error, "closed"
        self.put(Offline(str(error), None))
        self.put(None)

    def reconnect_now(self) -> None:
        self.asked.append(("reconnect_now",))

    def read(self, to: str, seq: int) -> None:
        self.asked.append(("read", to, seq))

    def typing(self, to: str, on: bool = True) -> None:
        self.asked.append(("typing", to, on))

    def _check(self) -> None:
        if not self.online:
            raise ConnectionFailed("There is no connection to the server now.")

    async def history(
        self, to: str, before: int = 0, after: int = 0, around: int = 0, at: int = 0, limit: int = 50,
        events: bool = False,
    ) -> m.Page:  # fmt: skip
        self._check()
        self.asked.append(("history", to, before, after, around, at))
        rows = self.log.get(fold(to), [])
        if around:
            older = [row for row in rows if row.seq < around]
            newer = [row for row in rows if row.seq >= around]
            kept = older[-(limit // 2) :]
            kept = kept + newer[: limit - len(kept)]
            more = len(kept) < len(rows)
        elif after or at:
            found = [row for row in rows if (row.seq > after if after else row.at >= at)]
            kept, more = found[:limit], len(found) > limit
        else:
            found = [row for row in rows if not before or row.seq < before]
            kept, more = found[-limit:], len(found) > limit
        await self.hold.wait()
        info = self.infos.get(fold(to), {})
        return m.Page(to, tuple(kept), more, 0, info.get("delivered", 0), info.get("seen", 0))

    async def search(
        self, words: str, to: str = "", by: str = "", since: int = 0, before: int = 0, limit: int = 20
    ) -> m.Page:
        self._check()
        self.asked.append(("search", words, to))
        rooms = [self.log[fold(to)]] if to else list(self.log.values())
        found = [
            row for rows in rooms for row in rows if isinstance(row, m.Message) and words.lower() in row.text.lower()
        ]
        found.sort(key=lambda row: -row.seq)
        return m.Page(to, tuple(found[:limit]), len(found) > limit)

    async def who(self, to: str = "", all: bool = False) -> tuple[m.Person, ...]:
        self._check()
        if to.startswith("@"):
            return tuple(one for one in self.persons if fold(one.login) == fold(to[1:]))
        return tuple(self.persons)

    async def rooms(self, all: bool = False) -> tuple[m.RoomInfo, ...]:
        self._check()
        public = (m.RoomInfo("#lobby", False, "for everybody", members=3),) if all else ()
        return self.room_infos() + public

    async def receipts(self, seq: int) -> m.ReceiptList:
        self._check()
        return self.receipt_lists.get(seq) or m.ReceiptList(seq, "accepted", ())

    async def status_now(self) -> m.State:
        self._check()
        return m.State("READY2SERV", online=len(self.persons), head=self.seq, version="1", uptime=7200)

    async def send(self, to: str, text: str, re: int = 0, kind: str = "text", tags: Any = None) -> Sent:
        sent = Sent(to, text, re, kind, tags, self.at + 1000)
        sent.number = next(self._numbers)
        self.pending.append(sent)
        self.asked.append(("send", to, text, re, kind))
        return sent

    def accept(self, sent: Sent) -> None:
        """The server has it."""
        self.pending.remove(sent)
        self.seq += 1
        self.at += 1000
        sent.seq, sent.at = self.seq, self.at
        sent.advance("accepted")
        self.log.setdefault(fold(sent.to), []).append(
            m.Message(sent.seq, sent.at, self.login, sent.to, sent.text, sent.re, sent.kind)
        )
        self.put(SentChanged(sent))

    def refuse(self, sent: Sent, error: ChatError) -> None:
        """The server does not take it."""
        self.pending.remove(sent)
        sent.fail(error)
        self.put(SentChanged(sent))

    async def resend(self, sent: Sent) -> Sent:
        return await self.send(sent.to, sent.text, sent.re, sent.kind)

    def cancel(self, sent: Sent) -> bool:
        self.pending.remove(sent)
        return True

    def __getattr__(self, name: str) -> Any:
        """Every other request: remembered, answered with nothing (or with what ``answers`` has)."""
        if name.startswith("_") or name in ("start",):
            raise AttributeError(name)

        async def request(*args: Any, **options: Any) -> Any:
            self._check()
            self.asked.append((name, *args, *options.values()))
            answer = self.answers.get(type(args[0])) if name == "command" else None
            if isinstance(answer, ChatError):
                raise answer
            return answer

        return request
