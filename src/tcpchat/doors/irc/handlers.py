"""All modules that enter commands into the table, in one import."""

from tcpchat.doors.irc import (
    channels,
    history,
    messages,
    metadata,
    modes,
    multiline,
    operators,
    people,
    registration,
    sasl,
    serverinfo,
    services,
)

__all__ = [
    "channels",
    "history",
    "messages",
    "metadata",
    "modes",
    "multiline",
    "operators",
    "people",
    "registration",
    "sasl",
    "serverinfo",
    "services",
]
