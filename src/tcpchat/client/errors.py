"""What can go wrong for a client: a small tree."""

from __future__ import annotations


class ChatError(Exception):
    """Anything the chat can tell a program."""


class ConnectionFailed(ChatError):
    """The server cannot be reached, or the connection ended and is not tried again."""


class KeyChanged(ChatError):
    """The server shows another certificate than the one that is trusted for it."""


class NotTrusted(KeyChanged):
    """A person was asked whether to trust the server's key, and did not."""


class OutboxError(ChatError):
    """The outbox file cannot be used or written; the text says why. A message that raised it was not sent."""


class Refused(ChatError):
    """The server has refused, for good: ``code`` is one of tcpchat.core.errors.CODES."""

    def __init__(self, code: str, text: str, after: float = 0.0, about: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.code, self.text, self.after, self.about = code, text, after, about


class Lost(ChatError):
    """The message was accepted, and the server was set back to before it (a backup was restored): it is not there."""


class TimedOut(ChatError):
    """Waited in vain. A message that is accepted stays on the server and keeps its way."""


class Unknown(ChatError):
    """The waiting or the client ended before it was known whether the message was accepted.

    It may be or not; sending it again from the same outbox (same device and number) is safe: it cannot be doubled.
    ``n`` is the number it left under, 0 when it has not left.

    A message whose state is "unknown" has this error for good: the server has forgotten the numbers of this device, so
    nobody can tell any more. It is not sent again by itself; Client.resend does, and may double it.
    """

    def __init__(self, text: str, n: int = 0) -> None:
        super().__init__(text)
        self.n = n
