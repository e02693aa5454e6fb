"""Every noun of the chat: commands in, facts and entries (what the log holds), events out, effects.

Commands and events are msgspec structs tagged by ``t``, so the native door (JSON lines) needs no second set of
types: what is written here is the wire. Doors of other protocols translate from and to the same structs.

Conventions: ``at`` is milliseconds since the Unix epoch, UTC. ``seq`` is a place in the log, from 1; 0 is "none".
A conversation is written ``#room`` or ``@login``. ``ref`` is the asker's own mark, given back in the answer.
"""

from __future__ import annotations

from tcpchat.core.commands import *
from tcpchat.core.effects import *
from tcpchat.core.events import *
from tcpchat.core.facts import *
