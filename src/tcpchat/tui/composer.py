"""The composer: where one types. Enter sends; drafts, history, completion and the paste guard live here."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from textual import events
from textual.document._document import Document
from textual.message import Message
from textual.widgets import TextArea

from tcpchat.core.text import clean
from tcpchat.tui.completion import Completion, World, complete

HISTORY = 200  # lines remembered
PASTE_LINES = 5  # more than these are asked about
NEW_LINE = ("ctrl+j", "shift+enter", "alt+enter")


class Composer(TextArea):
    """A text area of one to six lines that talks to the screen by messages."""

    DEFAULT_CSS = """
    Composer, Composer:focus {
        height: auto; max-height: 6; border: none; padding: 0; scrollbar-size-vertical: 1; scrollbar-size-horizontal: 0;
    }
    """

    class Sent(Message):
        """Enter was pressed."""

        def __init__(self, text: str) -> None:
            self.text = text
            super().__init__()

    class Typed(Message):
        """The text has changed by the person's hand."""

    class Offer(Message):
        """What Tab offers has changed."""

    class Pasted(Message):
        """Many lines were pasted; they are not in the text yet."""

        def __init__(self, text: str) -> None:
            self.text = text
            super().__init__()

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, compact=True, tab_behavior="focus", soft_wrap=True, show_line_numbers=False)
        self.world = World()
        self.completion: Completion | None = None
        self._base = ""  # the text before the first Tab
        self.past: deque[str] = deque(maxlen=HISTORY)
        self._at = -1  # place in the history, -1 = the line being written
        self._kept = ""  # that line

    # -- text ----------------------------------------------------------------------------------------------------------

    def put(self, text: str) -> None:
        """Replace the text, cursor behind it."""
        self.load_text(clean(text))
        self.move_cursor(self._text.end)
        self.drop_completion()

    @property
    def cursor_index(self) -> int:
        """The cursor as a place in the text."""
        return self._text.get_index_from_location(self.cursor_location)

    @property
    def _text(self) -> Document:
        assert isinstance(self.document, Document)
        return self.document

    # -- keys ----------------------------------------------------------------------------------------------------------

    async def _on_key(self, event: events.Key) -> None:
        handler = _KEYS.get(event.key)
        if handler is not None and handler(self):
            event.stop()
            event.prevent_default()
            return
        if event.key not in ("tab", "shift+tab"):
            self.drop_completion()
        await super()._on_key(event)

    def _send(self) -> bool:
        text = self.text
        if self.completion is not None and self.completion.index >= 0 and not text.strip():
            return True
        self.drop_completion()
        self._at = -1
        self.put("")  # at once: what is typed next is another message
        self.post_message(self.Sent(text))
        return True

    def sent(self, text: str) -> None:
        """The text was taken: remember it."""
        if text.strip() and (not self.past or self.past[-1] != text):
            self.past.append(text)

    def give_back(self, text: str) -> None:
        """The text was not taken: here it is again, before what was typed since."""
        self.put(text + self.text)

    def _new_line(self) -> bool:
        self.insert("\n")
        return True

    def _up(self) -> bool:
        if self.cursor_location[0] > 0 or not self.past or (self.wrapped_document.height > 1 and self._inner(-1)):
            return False
        if self._at < 0:
            self._kept = self.text
        if self._at + 1 < len(self.past):
            self._at += 1
            self.put(self.past[-1 - self._at])
        return True

    def _down(self) -> bool:
        if self._at < 0 or self.cursor_location[0] < self.document.line_count - 1 or self._inner(1):
            return False
        self._at -= 1
        self.put(self._kept if self._at < 0 else self.past[-1 - self._at])
        return True

    def _inner(self, step: int) -> bool:
        """Is there a wrapped line above (-1) or below (1) the cursor?"""
        offset = self.wrapped_document.location_to_offset(self.cursor_location)
        return 0 <= offset.y + step < self.wrapped_document.height

    def _tab(self, direction: int = 1) -> bool:
        if self.completion is None:
            self.completion = complete(self.text, self.cursor_index, self.world)
            self._base = self.text
        found = self.completion
        if found is None:
            return True  # Tab never leaves the composer: a slip would send the next words elsewhere
        word = found.step(direction)
        rest = self._base[found.end :].removeprefix(" " if word.endswith(" ") else "")
        text = self._base[: found.start] + word + rest
        self.load_text(text)
        self.move_cursor(self._text.get_location_from_index(found.start + len(word)))
        if len(found.candidates) == 1:
            self.completion = None
        self.post_message(self.Offer())
        return True

    def drop_completion(self) -> None:
        """The next Tab begins anew."""
        if self.completion is not None:
            self.completion = None
            self.post_message(self.Offer())

    def hint(self) -> list[str]:
        """What Tab would offer now."""
        found = self.completion or complete(self.text, self.cursor_index, self.world)
        if found is None:
            return []
        start = max(found.index, 0)
        return found.labels[start : start + 4] or found.labels[:4]

    async def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        text = clean(event.text.replace("\r\n", "\n").replace("\r", "\n"))  # tmux sends line ends as CR
        if text.count("\n") >= PASTE_LINES:
            self.post_message(self.Pasted(text))
        else:
            self.insert(text)
            self.drop_completion()

    def on_text_area_changed(self) -> None:
        self.post_message(self.Typed())


_KEYS: dict[str, Callable[[Composer], bool]] = {
    "enter": Composer._send,
    **dict.fromkeys(NEW_LINE, Composer._new_line),
    "up": Composer._up,
    "down": Composer._down,
    "tab": Composer._tab,
    "shift+tab": lambda self: self._tab(-1),
}
