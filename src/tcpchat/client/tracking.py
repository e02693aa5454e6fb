"""Which own messages have arrived and been read: receipts are cumulative, so each conversation is two short queues."""

from __future__ import annotations

from collections import deque

from tcpchat.client.sent import Sent
from tcpchat.core.text import fold

REMEMBERED = 4_096  # newest messages of a conversation whose receipts are still followed


class Conversation:
    """Own accepted messages of one conversation, by seq: those not delivered, and those delivered and not read."""

    __slots__ = ("delivered", "open")

    def __init__(self) -> None:
        self.open: deque[Sent] = deque(maxlen=REMEMBERED)
        self.delivered: deque[Sent] = deque(maxlen=REMEMBERED)


class Following:
    """Own accepted messages whose receipts are to come."""

    def __init__(self) -> None:
        self._conversations: dict[str, Conversation] = {}

    def add(self, item: Sent) -> None:
        """Follow a message that was just accepted."""
        self._conversations.setdefault(item.conversation, Conversation()).open.append(item)

    def reached(self, to: str, seq: int, state: str, of: int = 0) -> list[Sent]:
        """All messages of this conversation up to ``seq`` are delivered, or read. Returns those that got further."""
        conversation = self._conversations.get(fold(to))
        if conversation is None:
            return []
        news = []
        while conversation.open and conversation.open[0].seq <= seq:
            item = conversation.open.popleft()
            item.have = item.of = of
            item.advance("delivered")
            conversation.delivered.append(item)
            news.append(item)
        if state == "read":
            news = []
            while conversation.delivered and conversation.delivered[0].seq <= seq:
                news.append(conversation.delivered.popleft())
            news = [item for item in news if item.advance("read")]
        self._forget(fold(to))
        return news

    def some(self, to: str, seq: int, have: int, of: int) -> Sent | None:
        """``have`` of ``of`` members have this message. Returns it when it is followed."""
        conversation = self._conversations.get(fold(to))
        for item in reversed(conversation.open if conversation else ()):
            if item.seq == seq:
                item.have, item.of = have, of
                return item
        return None

    def lost(self, to: str, seq: int) -> list[Sent]:
        """Nobody is left who could get these: all up to ``seq`` that were not delivered."""
        conversation = self._conversations.get(fold(to))
        lost = []
        while conversation and conversation.open and conversation.open[0].seq <= seq:
            lost.append(conversation.open.popleft())
        self._forget(fold(to))
        return lost

    def gone(self, seq: int) -> list[Sent]:
        """The log has nothing from ``seq`` on: the messages that were there, which nobody will get."""
        gone = []
        for key, one in list(self._conversations.items()):
            for queue in (one.open, one.delivered):
                while queue and queue[-1].seq >= seq:
                    gone.append(queue.pop())
            self._forget(key)
        return sorted(gone, key=lambda item: item.seq)

    def renamed(self, old: str, new: str) -> None:
        """Receipts of this conversation come under another name from now on."""
        conversation = self._conversations.pop(fold(old), None)
        if conversation is not None:
            self._conversations[fold(new)] = conversation

    def all(self) -> list[Sent]:
        """Every message that is followed."""
        return [item for one in self._conversations.values() for item in (*one.open, *one.delivered)]

    def _forget(self, key: str) -> None:
        conversation = self._conversations.get(key)
        if conversation is not None and not conversation.open and not conversation.delivered:
            del self._conversations[key]
