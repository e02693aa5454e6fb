"""Where a person's things are: keys, outboxes, known servers."""

from __future__ import annotations

import os
import re
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from tcpchat.core.text import fold

if TYPE_CHECKING:
    from tcpchat.trust.keys import Key

PORT = 6060
ADDRESS = "localhost:6060"


def home(kind: str) -> Path:
    """The folder for "data" (keys), "state" (outboxes, known servers) or "config"; TCPCHAT_HOME is all in one."""
    own = os.environ.get("TCPCHAT_HOME")
    if own:
        return Path(own).expanduser()
    import platformdirs

    paths = {
        "data": platformdirs.user_data_path,
        "state": platformdirs.user_state_path,
        "config": platformdirs.user_config_path,
    }
    return paths[kind]("tcpchat", appauthor=False)


def parse_address(text: str | None) -> tuple[str, int]:
    """``host``, ``host:port``, ``[::1]:port``; without a text TCPCHAT_SERVER, else localhost:6060.

    Raises ValueError.
    """
    text = text or os.environ.get("TCPCHAT_SERVER") or ADDRESS
    bracketed, named, bare = (
        r"\[([^\]\s]+)\](?::(\d+))?",
        r"([^:\s\[\]]+)(?::(\d+))?",
        r"((?:[0-9a-fA-F]*:){2,}[0-9a-fA-F.]*)",
    )
    match = re.fullmatch(f"{bracketed}|{named}|{bare}", text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a server's address; write HOST, HOST:PORT or [ADDRESS]:PORT.")
    host = match[1] or match[3] or match[5]
    port = int(match[2] or match[4] or PORT)
    if not 0 < port < 65536:
        raise ValueError(f"{port} is not a port; ports go from 1 to 65535.")
    return host, port


def _file_name(text: str) -> str:
    """A name that every file system takes, still readable, never the same for two logins."""
    folded = fold(text)
    plain = re.sub(r"[^a-z0-9-]+", "_", folded)[:40]
    return plain if plain == folded else f"{plain}-{sha256(folded.encode()).hexdigest()[:8]}"


def key_path(login: str) -> Path:
    """The file of this login's key; TCPCHAT_KEY_FILE overrides."""
    own = os.environ.get("TCPCHAT_KEY_FILE")
    return Path(own) if own else home("data") / "keys" / f"{_file_name(login)}.key"


def load_key(login: str) -> Key:
    """This login's key, made at first use. Raises tcpchat.trust.keys.KeyFileError."""
    from tcpchat.trust.keys import Key

    return Key.load_or_make(key_path(login))


def why_no_key(login: str) -> str:
    """Why this login can have no key here (its file cannot be made); "" where it has one, or now has."""
    from tcpchat.trust.keys import KeyFileError, KeyNotKept

    try:
        load_key(login)
    except KeyNotKept as error:
        return str(error)
    except KeyFileError:
        pass  # it is there and cannot be used: that is told when it is asked for
    return ""


def outbox_path(server: str, login: str, kind: str) -> Path:
    """The file in which one kind of client keeps what is not accepted yet."""
    return home("state") / "outbox" / f"{_file_name(server)}--{_file_name(login)}--{kind}.db"
