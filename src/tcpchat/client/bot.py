"""A bot in a few lines: handlers for messages and commands, reconnecting by itself."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar, Unpack

from tcpchat.client.client import Client
from tcpchat.client.errors import ChatError
from tcpchat.client.events import Online
from tcpchat.client.options import Options
from tcpchat.client.sent import Sent
from tcpchat.core import model as m

logger = logging.getLogger("tcpchat.bot")

ANSWERS_MAX, ANSWERS_SECONDS = 30, 30.0  # answers in one place: one a second at length, a burst for a lively room
PLACES_MAX = 1_000  # rooms and logins whose answers are counted

Handler = TypeVar("Handler", bound=Callable[..., Any])


class Heard:
    """A message as a bot's handler gets it: ``by``, ``to``, ``text``, ``seq``, ``at``, and ``reply``."""

    def __init__(self, message: m.Message, client: Client) -> None:
        self.message, self.client = message, client
        self.by, self.to, self.text, self.seq, self.at = message.by, message.to, message.text, message.seq, message.at
        self.direct = message.to.startswith("@")
        self.bot = message.bot  # another program wrote it
        self.place = "@" + self.by if self.direct else self.to  # where an answer goes

    async def reply(self, text: str) -> Sent:
        """Answer where it was said: in the room, or to the one who said it."""
        return await self.client.send(self.place, text, re=self.seq)


class Brake:
    """How many answers in a row a bot may give in one place; beyond that it is silent there for a while."""

    def __init__(self) -> None:
        self._times: dict[str, deque[float]] = {}

    def lets(self, place: str, now: float) -> bool:
        """Count one more answer in this place; False: it is one too many."""
        times = self._times.pop(place, None) or deque(maxlen=ANSWERS_MAX)
        self._times[place] = times  # the newest stand last
        if len(self._times) > PLACES_MAX:
            del self._times[next(iter(self._times))]
        if len(times) == ANSWERS_MAX and now - times[0] < ANSWERS_SECONDS:
            return False
        times.append(now)
        return True


class Bot:
    """A program that answers. Options are those of ``connect``.

    ``@bot.on_message`` takes every message of others; ``@bot.command("!ping")`` those that begin with the word, with
    the rest of the line as second argument. Handlers may be async or not; what one returns as text is the reply.
    One that is not has a thread of its own meanwhile and may take its time: the bot stays connected. They are called
    one after the other. A handler that fails is logged, and the bot goes on.

    What other bots write is left out, or two that answer everything would never end; ``answer_bots`` takes it too. What
    handlers return is sent at most ANSWERS_MAX times in ANSWERS_SECONDS in one room or to one login; what is beyond is
    dropped and logged. ``Heard.reply`` and ``client.send`` have no such brake.
    """

    def __init__(
        self, server: str | None = None, login: str = "bot", *, answer_bots: bool = False, **options: Unpack[Options]
    ) -> None:
        preset: Options = {"bot": True, "label": "bot"}
        preset.update(options)
        self.server, self.login, self.options = server, login, preset
        self.answer_bots = answer_bots
        self.client: Client | None = None
        self._brake = Brake()
        self.rooms: list[str] = []
        self._listeners: list[Callable[..., Any]] = []
        self._commands: dict[str, Callable[..., Any]] = {}

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
        """Run until cancelled, or until the server refuses for good: that is raised."""
        async with Client(self.server, self.login, **self.options) as client:
            self.client = client
            async for event in client.events():
                if isinstance(event, Online):
                    await self._enter(client)
                elif isinstance(event, m.Message) and self._concerns(client, event):
                    await self._handle(Heard(event, client))
            if client.error is not None:
                raise client.error

    def run(self) -> None:
        """``serve`` for programs without a loop of their own; ends with Ctrl+C."""
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(self.serve())

    def _concerns(self, client: Client, message: m.Message) -> bool:
        """Is this for the handlers? Not the own words, nothing taken back, nothing of other bots unless asked for."""
        return not (client.is_me(message.by) or message.removed or (message.bot and not self.answer_bots))

    async def _enter(self, client: Client) -> None:
        for room in self.rooms:
            try:
                await client.join(room)
            except ChatError as error:
                logger.warning("! %s: %s", room, error)

    async def _handle(self, heard: Heard) -> None:
        for listener in self._listeners:
            await self._call(heard, listener, heard)
        word, _, rest = heard.text.partition(" ")
        if word in self._commands:
            await self._call(heard, self._commands[word], heard, rest.strip())

    async def _call(self, heard: Heard, handler: Callable[..., Any], *arguments: object) -> None:
        try:
            if inspect.iscoroutinefunction(handler):
                answer = handler(*arguments)
            else:
                answer = await _in_a_thread(handler, *arguments)
            if inspect.isawaitable(answer):
                answer = await answer
            if isinstance(answer, str) and answer:
                if self._brake.lets(heard.place, time.monotonic()):
                    await heard.reply(answer)
                else:
                    logger.warning("! too many answers to %s; one was left out", heard.place)
        except Exception:
            # One bad handler must not end the bot; the message counts as taken.
            logger.exception("! handler %s failed", getattr(handler, "__name__", handler))


async def _in_a_thread(work: Callable[..., Any], *arguments: object) -> Any:
    """What the function returns. The thread is a daemon: a handler that never ends keeps no program alive."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()

    def settle(result: Any, error: BaseException | None) -> None:
        if not done.done():
            done.set_exception(error) if error is not None else done.set_result(result)

    def run() -> None:
        result, error = None, None
        try:
            result = context.run(work, *arguments)
        except BaseException as caught:  # told to who waits, SystemExit too
            error = caught
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, result, error)

    context = contextvars.copy_context()
    threading.Thread(target=run, name="handler", daemon=True).start()
    return await done
