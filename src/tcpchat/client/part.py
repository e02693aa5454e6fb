"""What the parts of a Client (Hearing, Sending, Asking) know of the whole."""

from __future__ import annotations

from tcpchat.client.errors import ChatError
from tcpchat.client.outbox import Outbox
from tcpchat.client.sent import Sent
from tcpchat.core import model as m


class Part:
    """A part of Client. What is not implemented here is in the other parts."""

    login: str
    state: str
    error: ChatError | None
    welcome: m.Welcome | None
    latency: float | None
    _outbox: Outbox

    @property
    def online(self) -> bool:
        """Is the session open right now?"""
        return self.state == "online"

    def _put(self, event: object) -> None:
        """Queue an event for the program."""
        raise NotImplementedError

    def _is_own(self, seq: int) -> None:
        """This message went out from here."""
        raise NotImplementedError

    def _lose(self, seq: int) -> list[Sent]:
        """The log has nothing of what it had from ``seq`` on; own messages that were there."""
        raise NotImplementedError

    def _send(self, command: m.Command) -> None:
        """Queue a command for the server."""
        raise NotImplementedError

    def _soon(self) -> None:
        """Write what is queued at the end of this turn of the loop."""
        raise NotImplementedError

    def _save_soon(self) -> None:
        """Commit the outbox before long."""
        raise NotImplementedError

    def _hang_up(self) -> None:
        """Start over with a new connection, at once."""
        raise NotImplementedError
