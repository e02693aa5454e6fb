"""The library: connect, send with receipts, hear, ask; bots; a synchronous face."""

from tcpchat.client.bot import Bot
from tcpchat.client.client import Client, connect
from tcpchat.client.errors import ChatError, ConnectionFailed, KeyChanged, OutboxError, Refused, TimedOut, Unknown
from tcpchat.client.events import Offline, Online, SentChanged
from tcpchat.client.sent import Sent

__all__ = [
    "Bot",
    "ChatError",
    "Client",
    "ConnectionFailed",
    "KeyChanged",
    "Offline",
    "Online",
    "OutboxError",
    "Refused",
    "Sent",
    "SentChanged",
    "TimedOut",
    "Unknown",
    "connect",
]
