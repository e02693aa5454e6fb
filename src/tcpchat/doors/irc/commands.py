"""The table of commands: name -> handler, how many parameters it needs, when it may come; filled by decorators.

A handler takes the door and the line. What needs the chat's answer is a generator: it yields a command of
core.model and is given the event that answers it, so that a whole IRC command reads from top to bottom.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from tcpchat.core.model import Command

if TYPE_CHECKING:
    from tcpchat.doors.irc.door import IrcDoor
    from tcpchat.doors.irc.wire import Line


class Wait(NamedTuple):
    """Yielded instead of a command: wait for what the chat sends by itself."""

    what: str


TURN = Wait("turn")  # yielded in the middle of long work: let others have their turn, then go on

T = TypeVar("T")
Asks = Generator[Command | Wait, Any, T]  # steps that give something back to the steps they are part of
Steps = Asks[None]
Handler = Callable[["IrcDoor", "Line"], Steps | None]


class Spec(NamedTuple):
    """One row of the table."""

    name: str
    handler: Handler
    least: int = 0  # parameters needed, else 461
    early: bool = False  # allowed before registration
    usage: str = ""
    help: str = ""
    missing: str = ""  # what is answered instead of 461
    flows: bool = False  # may be sent on while earlier messages are not answered yet


COMMANDS: dict[str, Spec] = {}


def command(
    name: str,
    usage: str = "",
    help: str = "",
    *,
    least: int = 0,
    early: bool = False,
    missing: str = "",
    flows: bool = False,
) -> Callable[[Handler], Handler]:
    """Enter a handler into the table."""

    def enter(handler: Handler) -> Handler:
        COMMANDS[name] = Spec(name, handler, least, early, usage, help, missing, flows)
        return handler

    return enter
