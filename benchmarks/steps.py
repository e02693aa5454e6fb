"""Which lines of tcpchat are run, and from which line to which: for the fuzzer and for what it keeps."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any, TypeAlias

Step: TypeAlias = tuple[str, int, int]  # file, from line, to line


class Steps:
    """Gathers the steps from line to line in the code of tcpchat."""

    def __init__(self) -> None:
        self.taken: set[Step] = set()
        self._ours: dict[str, bool] = {}

    def __enter__(self) -> Steps:
        sys.settrace(self.call)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def call(self, frame: FrameType, what: str, _: object) -> Any:
        name = frame.f_code.co_filename
        if name not in self._ours:
            self._ours[name] = "/tcpchat/" in name
        if not self._ours[name]:
            return None
        last = frame.f_lineno

        def line(frame: FrameType, what: str, _: object) -> Any:
            nonlocal last
            if what == "line":
                self.taken.add((name, last, frame.f_lineno))
                last = frame.f_lineno
            return line

        return line
