"""The clock of everything that lasts: seconds that only go forward, whatever happens to the computer's clock.

It begins at the time of day at which the process began, so that a value reads like a time of day, and from then on it
counts what has really passed (sleep of the machine included, where the system can tell). NTP, a person or a virtual
machine that wakes may set the time of day: rates, time-outs, mutes and bans do not notice. The chat is told how far
the time of day is from this clock (``Chat.set_clock``) and shows and stores that.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

TICKS_PER_SECOND = 10  # of the clock of time-outs, Server.ticks


def _passing() -> Callable[[], float]:
    """Seconds that pass, from anywhere: CLOCK_BOOTTIME goes on while a Linux machine sleeps, monotonic does not."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    if boot is None:
        return time.monotonic
    return partial(time.clock_gettime, boot)


_passed = _passing()
_BEGIN = time.time() - _passed()


def now() -> float:
    """Seconds since 1970 as of the start of this process, and what has passed since. Never set, never back."""
    return _BEGIN + _passed()
