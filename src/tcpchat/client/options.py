"""What ``connect`` can be told, once for the asynchronous face, the synchronous one and bots."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict

if TYPE_CHECKING:
    from tcpchat.client.first_use import Ask
    from tcpchat.trust.keys import Key


class Options(TypedDict, total=False):
    """Options of ``connect``; all may be left out."""

    device: str | None  # an id that this device keeps; without it the outbox has one, or a new one is made
    label: str  # what others may see of the device: "script", "laptop"
    key: Key | str | Path | bool | None  # proves the login: True = this login's own key file, made at first use
    password: str | None  # proves the login
    claim: bool  # make the login one's own with this key, if nobody has it
    outbox: str | Path | None  # a file in which unsent messages survive the process
    after: int | None  # hear what came after this seq; -1 = from now on; None = what this device has not confirmed
    log: str  # of which log ``after`` is: the ``welcome.log`` that came with it; without it the server may guess wrong
    quiet: bool  # not counted as present, and without ``after`` nothing is heard: for sending and asking
    tls: Literal["auto", "never", "always"]  # auto: TLS, on this machine plain if the server has none
    trust: Ask | None  # asked whether to trust a server's key that is seen for the first time; without it it is
    reconnect: bool  # False: a lost connection, or one that cannot be made, is the end
    name: str  # real name
    bot: bool  # a program that speaks by itself: what it says is marked so
