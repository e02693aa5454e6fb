"""A bot in a few lines: handlers for messages and commands, reconnecting by itself."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from tcpchat.client.client import Client
from tcpchat.client.sent import Sent
from tcpchat.core import model as m

logger = logging.getLogger("tcpchat.bot")

Handler = Callable[..., Any]


class Heard:
    """A message as a bot's handler gets it: ``by``, ``to``, ``text``, ``seq``, ``at``, and ``reply``."""

    def __init__(self, message: m.Message, client: Client) -> None:
        self.message, self.client = message, client
        self.by, self.to, self.text, self.seq, self.at = message.by, message.to, message.text, message.seq, message.at
        self.direct = message.to.startswith("@")

    async def reply(self, text: str) -> Sent:
        """Answer where it was said: in the room, or to the one who said it."""
        return await self.client.send("@" + self.by if self.direct else self.to, text, re=self.seq)


class Bot:
    """A program that answers. Options are those of ``connect``.

    ``@bot.on_message`` takes every message of others; ``@bot.command("!ping")`` those that begin with the word, with
    the rest of the line as second argument. Handlers may be async or not; what one returns as text is the reply.
    """

    def __init__(self, server: str | None = None, login: str = "bot", **options: Any) -> None:
        self.server, self.login, self.options = server, login, {"bot": True, "label": "bot", **options}
        self.client: Client | None = None
        self.rooms: list[str] = []
        self._listeners: list[Handler] = []
        self._commands: dict[str, Handler] = {}

    def on_message(self, handler: Handler) -> Handler:
        """Call the handler with every message (Heard)."""
        self._listeners.append(handler)
        return handler

    def command(self, word: str) -> Callable[[Handler], Handler]:
        """Call the handler with (Heard, rest) for messages that begin with ``word``."""

        def register(handler: Handler) -> Handler:
            self._commands[word] = handler
            return handler

        return register

    def join(self, *rooms: str) -> Bot:
        """Rooms to enter when online."""
        self.rooms += rooms
        return self

    async def serve(self) -> None:
        """Run until cancelled, or until the server refuses for good."""
        async with Client(self.server, self.login, **self.options) as client:
            self.client = client
            for room in self.rooms:
                await client.join(room)
            async for message in client.messages():
                if not client.is_me(message.by):
                    await self._handle(Heard(message, client))

    def run(self) -> None:
        """``serve`` for programs without a loop of their own; ends with Ctrl+C."""
        try:
            asyncio.run(self.serve())
        except KeyboardInterrupt:
            pass

    async def _handle(self, heard: Heard) -> None:
        word, _, rest = heard.text.partition(" ")
        handlers: list[tuple[Handler, tuple[object, ...]]] = [(one, (heard,)) for one in self._listeners]
        if word in self._commands:
            handlers.append((self._commands[word], (heard, rest.strip())))
        for handler, arguments in handlers:
            try:
                answer = handler(*arguments)
                if inspect.isawaitable(answer):
                    answer = await _result(answer)
                if isinstance(answer, str) and answer:
                    await heard.reply(answer)
            except Exception:
                # One bad handler must not end the bot; the message counts as taken.
                logger.exception("! handler %s failed", getattr(handler, "__name__", handler))


async def _result(answer: Awaitable[Any]) -> Any:
    return await answer
