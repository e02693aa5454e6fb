"""Standard input, output and error as they may be: closed, full, a pipe without a reader, an old terminal's encoding.

What a screen cannot show is shown as ``?``. Output that cannot be written ends a command with a sentence and an exit
code; complaints that cannot be written (standard error) end nothing.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import TextIO

from tcpchat.core.text import decoded, normal_text

FAILED, BROKEN_PIPE = 1, 141


class Output(io.TextIOWrapper):
    """Standard output that remembers what went wrong: unbuffered output forgets it, and argparse passes over it."""

    failure: OSError | None = None

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError as error:
            self.failure = error
            raise

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            self.failure = error
            raise


class Complaints(io.TextIOWrapper):
    """Standard error of a program that has better things to do than to fail at complaining."""

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError:
            self.flush()
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError:
            _divert(self)


def prepare() -> None:
    """Once, before anything is read or said."""
    if sys.stdin is None:
        sys.stdin = _closed(0, io.TextIOWrapper)
    if sys.stdout is sys.__stdout__:
        sys.stdout = _wrapped(sys.stdout, Output) if sys.stdout else _closed(1, Output)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _wrapped(sys.stderr, Complaints) if sys.stderr else _closed(2, Complaints)


def _wrapped(stream: TextIO, kind: type[io.TextIOWrapper]) -> TextIO:
    """The stream with other manners; what it cannot show it shows as ``?``."""
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    lines, through = stream.line_buffering, stream.write_through
    return kind(stream.buffer, stream.encoding, "replace", line_buffering=lines, write_through=through)


def _closed(number: int, kind: type[io.TextIOWrapper]) -> TextIO:
    """A stream in the place of one that was closed when the program began.

    It is open for reading only: writing there fails, as it should, and no socket or file gets its number.
    """
    file = os.open(os.devnull, os.O_RDONLY)
    try:
        os.fstat(number)
    except OSError:
        os.dup2(file, number)
        os.close(file)
        file = number
    raw = open(file, "wb" if number else "rb", buffering=0)  # noqa: SIM115 (for the life of the program)
    return kind(io.BufferedWriter(raw) if number else io.BufferedReader(raw), "utf-8", "replace", line_buffering=True)


def finish() -> int:
    """Write what is left; 0, or the exit code of output that could not be written."""
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    failure = getattr(sys.stdout, "failure", None)
    return lost(failure) if failure is not None else 0


def lost(error: OSError) -> int:
    """Standard output takes nothing more: say so (unless its reader has gone), let go of the rest; the exit code."""
    silence()
    if isinstance(error, BrokenPipeError):
        return BROKEN_PIPE
    print(f"The output cannot be written: {error.strerror or error}.", file=sys.stderr)
    return FAILED


def silence() -> None:
    """Standard output takes nothing more, and that is no matter."""
    if isinstance(sys.stdout, Output):
        sys.stdout.failure = None
    _divert(sys.stdout)


def _divert(stream: object) -> None:
    """What is written to it from now on, and what waits, goes nowhere: Python would complain at the end once more."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())  # type: ignore[attr-defined]
        os.close(nowhere)
        stream.flush()  # type: ignore[attr-defined]


def standard_input() -> str:
    """All of standard input as text: UTF-8, else what this terminal's encoding makes of it."""
    data = sys.stdin.buffer.read()
    try:
        return decoded(data)
    except UnicodeDecodeError:
        return normal_text(data.decode(sys.stdin.encoding or "utf-8", "replace"))
