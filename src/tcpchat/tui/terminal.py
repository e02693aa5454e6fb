"""The terminal of the client: when it is gone the client ends, and what a slow line cuts in two stays one."""

from __future__ import annotations

import codecs
import os
import re
import select
import threading
import time
from collections.abc import Iterable
from typing import Any

from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

HANGUP = 129  # exit code: 128 and SIGHUP, as a shell says it
GONE_SECONDS = 3.0  # the client has so long for its goodbyes when nobody sees it any more
TICK_SECONDS = 0.1  # how often a time-out of the parser is looked for
REST_SECONDS = 1.0  # a sequence that has begun may take so long; the key Escape alone is told from one sooner
PASTE, PASTED = "\x1b[200~", "\x1b[201~"
BEGUN = re.compile(r"\x1b\[[0-9;:?<]*\Z")  # of a control sequence (ECMA-48 5.4): nobody types that in a second
TAIL = 32  # characters: no key is longer


class PatientParser(XTermParser):
    """Textual takes what has not ended in 100 ms for typed. A slow line cuts anywhere: ``[200~`` is not text, and a
    paste ends where its bracket says, not where the line was slow."""

    def __init__(self, debug: bool = False) -> None:
        super().__init__(debug)
        self._tail, self._pasting = "", False
        self._fed = self._escaped = 0.0  # when something came, when Escape was taken for the key

    def feed(self, data: str) -> Iterable[Message]:
        now = time.monotonic()
        if data.startswith(PASTE[1:]) and now - self._escaped < REST_SECONDS:
            data = "\x1b" + data  # its first half was taken for the key
        self._fed, seen = now, self._tail + data
        begun, ended = seen.rfind(PASTE), seen.rfind(PASTED)
        if max(begun, ended) >= 0:
            self._pasting = begun > ended
        self._tail = seen[-TAIL:]
        return super().feed(data)

    def tick(self) -> Iterable[Message]:
        begun = BEGUN.search(self._tail) is not None and time.monotonic() - self._fed < REST_SECONDS
        if self._pasting or begun:
            return []
        if self._timeout_time is not None and self._tail.endswith("\x1b"):
            self._escaped = time.monotonic()
        return super().tick()


class Terminal(LinuxDriver):
    """Textual's driver, but for its reader."""

    def run_input_thread(self) -> None:
        """Read and hand on until the application ends, or the terminal does."""
        parser, decode = PatientParser(self._debug), codecs.getincrementaldecoder("utf-8")("replace").decode
        while not self.exit_event.is_set():
            if select.select([self.fileno], [], [], TICK_SECONDS)[0]:
                data = self._read()
                if not data:
                    return self._gone()
                self._hand_on(parser.feed(text) if (text := decode(data)) else ())
            self._hand_on(parser.tick())
        return None

    def _read(self) -> bytes:
        """What came; nothing when the terminal is gone."""
        try:
            return os.read(self.fileno, 4096)
        except OSError:
            return b""

    def _hand_on(self, messages: Iterable[Any]) -> None:
        for message in messages:
            self.process_message(message)

    def _gone(self) -> None:
        """Nobody sees or types anything any more, whether SIGHUP is ignored (nohup) or not."""
        last = threading.Timer(GONE_SECONDS, os._exit, (HANGUP,))
        last.daemon = True
        last.start()
        self._loop.call_soon_threadsafe(self._app.exit, HANGUP)
