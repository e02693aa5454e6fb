"""All modules that enter commands into the table, in one import."""

from tcpchat.doors.irc import (
    channels,
    history,
    metadata,
    modes,
    multiline,
    operators,
    people,
    registration,
    sasl,
    serverinfo,
    services,
    talking,
)

__all__ = [
    "channels",
    "history",
    "metadata",
    "modes",
    "multiline",
    "operators",
    "people",
    "registration",
    "sasl",
    "serverinfo",
    "services",
    "talking",
]
