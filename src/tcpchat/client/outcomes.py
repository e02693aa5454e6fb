"""What a Peer tells its driver beside the server's own events."""

from __future__ import annotations

from msgspec import Struct

from tcpchat.client.errors import ChatError
from tcpchat.client.record import Item
from tcpchat.core import model as m


class Opened(Struct, frozen=True):
    """The login was had: commands may be sent."""

    welcome: m.Welcome


class Ended(Struct, frozen=True):
    """This connection is of no more use: close it. Refused is final, ConnectionFailed may be tried again."""

    error: ChatError
    goodbye: m.Goodbye | None = None  # how the server put it


class LogReplaced(Struct, frozen=True):
    """The log has other entries from ``seq`` on than those that were heard: they are not there any more."""

    seq: int


class Settled(Struct, frozen=True):
    """The server has the message, in place ``seq`` (0 = so long ago that it does not remember), since ``at`` (ms)."""

    item: Item
    seq: int
    at: int


class Delayed(Struct, frozen=True):
    """The message could not be taken now and goes out again after a while (seconds)."""

    item: Item
    refused: m.Refused
    after: float


class Rejected(Struct, frozen=True):
    """The message is refused for good, and its number given back."""

    item: Item
    refused: m.Refused


class Doubted(Struct, frozen=True):
    """The server has forgotten this device's numbers: nobody can tell whether it took the message. Not sent again."""

    item: Item


class Passed:
    """An own message came by: its place in the feed, nothing for the program."""

    __slots__ = ("seq",)

    def __init__(self, seq: int) -> None:
        self.seq = seq
