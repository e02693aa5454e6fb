"""Keys act one after the other, as they were typed, however fast they come.

Textual gives a key of the application (Ctrl+K, Alt+Down) its turn at once, while the letters before it still wait for
the input. On a slow line, where many keys come in one piece, a message would go to the room that is opened after it.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

from textual import events
from textual.app import App
from textual.message_pump import MessagePump

from tcpchat.tui import keys
from tcpchat.tui.panels import Panel
from tcpchat.tui.screen import ChatScreen

ANSWER_SECONDS = 0.2  # for a panel to go after Enter; keys wait so long for it
KEY_SECONDS = 1.0  # for what a key does, on a busy computer; the next one waits no longer, whatever has become of it
LOOK_SECONDS = 0.05  # until waiting keys are looked at again, when nothing else has set them going


class OrderedKeys(App[int]):
    """The application's side of the keyboard."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._early: deque[events.Event] = deque()
        self._answered: tuple[object, float] = (None, 0.0)  # the panel in which Enter was pressed, and until when
        self._at_work = 0.0  # until when the key before is waited for
        self._turn = 0
        self._look: asyncio.TimerHandle | None = None

    async def on_event(self, event: events.Event) -> None:
        """Keys wait for the key before them, and for a panel that is being made: they go where they were meant to."""
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            if isinstance(event, events.Key):
                if event.key in keys.MODIFIERS:
                    return
                event.key = keys.latin(event.key)
            self._early.append(event)
            await self._take_keys()
        else:
            await super().on_event(event)

    async def on_panel_ready(self) -> None:
        await self._take_keys()

    async def _take_keys(self) -> None:
        while self._early and not self._must_wait():
            event = self._early.popleft()
            if isinstance(event, events.Key):
                self._before(event)
            target = self.focused or self.screen
            await super().on_event(event)
            self._turn += 1
            self._at_work = time.monotonic() + KEY_SECONDS
            # A key goes up from its widget to the application, where what it is bound to is done; what the widget
            # says about that (a new text, an answer) goes the same way after it.
            self._follow([*target.ancestors_with_self] * 2, self._turn)
        if self._early and self._look is None:
            self._look = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look_again)

    def _look_again(self) -> None:
        self._look = None
        self.call_later(self._take_keys)

    def _before(self, event: events.Key) -> None:
        if event.key == "enter" and isinstance(self.screen, Panel):
            self._answered = (self.screen, time.monotonic() + ANSWER_SECONDS)
        elif isinstance(self.screen, ChatScreen):
            self.screen.direct(event)

    def _follow(self, way: Sequence[MessagePump], turn: int) -> None:
        """Go behind a key through the queues of all that it may pass; then the next key has its turn."""
        if turn != self._turn:
            return
        for at, one in enumerate(way):
            if one.call_later(self._follow, way[at + 1 :], turn):
                return
        self._at_work = 0.0
        if self._early:
            self.call_later(self._take_keys)

    def _must_wait(self) -> bool:
        """Is the key before at work, a panel being made, or about to go because of Enter?"""
        screen, now = self.screen, time.monotonic()
        if isinstance(screen, Panel) and not screen.ready:
            return True
        return now < self._at_work or (screen is self._answered[0] and now < self._answered[1])
