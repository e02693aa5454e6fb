"""The IRC door and the real chat in memory, with a log that is a list."""

from __future__ import annotations

from typing import Any

from tcpchat.core.chat import Chat
from tcpchat.core.model import Append, Entry, Result, Tell
from tcpchat.doors.irc.door import IrcDoor
from tcpchat.doors.irc.network import Network

NOW = 1_700_000_000.0
HELLO = b"CAP LS 302\r\nNICK foo\r\nUSER foo 0 * :Foo Bar\r\nCAP REQ :server-time message-tags\r\nCAP END\r\n"


class Rig:
    """A door and the real chat, with a log that is a list."""

    def __init__(self, network: Network | None = None, chat: Chat | None = None) -> None:
        self.network = network or Network()
        self.network.lobby = ""
        self.chat = chat or Chat()
        self.door = IrcDoor(self.network, local=True, address="127.0.0.1")
        self.session = self.chat.open(
            NOW,
            nonce="n",
            device=str(id(self)),
            door="irc",
            dialect=self.door.dialect,
            local=True,
            traits=self.door.traits,
        )

    def feed(self, data: bytes) -> bytes:
        commands = self.door.receive(data, NOW)
        while commands:
            for command in commands:
                self.run(self.chat.receive(self.session, command, NOW))
            commands = self.door.more(NOW)
        return self.door.data_to_send()

    def run(self, effects: list[Any]) -> None:
        for effect in effects:
            if isinstance(effect, Append):
                entry = Entry(self.chat.head + 1, int(NOW * 1000), effect.fact, effect.origin)
                self.run(self.chat.applied([entry], NOW))
            elif isinstance(effect, Tell) and effect.session is self.session:
                self.door.deliver(effect.event)
            elif type(effect).__name__ == "FanOut" and effect.skip is not self.session:
                if self.session in effect.audience:
                    self.door.deliver(effect.event)
            elif type(effect).__name__ == "Load":
                self.run(self.chat.loaded(effect, Result(), NOW))
