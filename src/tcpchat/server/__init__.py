"""The server: listens, lets everybody in by the door they knock at, and carries out what the chat wants done."""

from tcpchat.server.server import Server
from tcpchat.server.sockets import PortInUse

__all__ = ["PortInUse", "Server"]
