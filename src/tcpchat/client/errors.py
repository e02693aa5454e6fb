"""What can go wrong for a client: a small tree."""

from __future__ import annotations


class ChatError(Exception):
    """Anything the chat can tell a program."""


class ConnectionFailed(ChatError):
    """The server cannot be reached, or the connection ended and is not tried again."""


class KeyChanged(ChatError):
    """The server shows another certificate than the one that is trusted for it."""


class Refused(ChatError):
    """The server has refused, for good: ``code`` is one of tcpchat.core.errors.CODES."""

    def __init__(self, code: str, text: str, after: float = 0.0, about: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.code, self.text, self.after, self.about = code, text, after, about


class TimedOut(ChatError):
    """Waited in vain: the state was not reached in time. The message keeps its way."""


class Unknown(ChatError):
    """The client ended before it was known whether the message was accepted. Sending it again with the same
    outbox (same device and number) is safe: it cannot be doubled."""

    def __init__(self, text: str, n: int = 0) -> None:
        super().__init__(text)
        self.n = n
