"""Settings of the server: one table, from which flags, environment names, file keys, the docs and the limits are made.

Precedence: flag, environment (``TCPCHAT_<NAME>``), file (``[server]`` in TOML), default. ``python -m tcpchat.config``
writes the table into ``docs/operations.md``.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import stat
import tomllib
import typing
from argparse import SUPPRESS, ArgumentParser, BooleanOptionalAction
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from tcpchat.core.rules import Limits
from tcpchat.core.text import decoded

ENVIRONMENT = "TCPCHAT_"
SECTION = "server"
SECRETS = ("oper_password", "connection_password")
ANOTHER = "Name another with --config FILE or TCPCHAT_CONFIG, or set HOME to this account's own."
KINDS = {str: "text", int: "whole number", float: "number", bool: "true or false"}


class ConfigError(Exception):
    """A setting cannot be used; the text says which, where it was set, and what it may be."""


def _row(default: Any, help: str, *, group: str, secret: bool = False, later: bool = False) -> Any:
    """One row of the table. ``secret``: no flag, since others see command lines. ``later``: not offered yet."""
    return dataclasses.field(default=default, metadata={"help": help, "group": group, "secret": secret, "later": later})


_CORE = Limits()


def _limit(name: str, help: str, *, group: str = "limits") -> Any:
    """A row that is a limit of the core; its default stands there."""
    return _row(getattr(_CORE, name), help, group=group)


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """Every setting of a server, with its default."""

    host: str = _row(
        "localhost", "Address to listen on; 0.0.0.0 accepts connections from other machines.", group="server"
    )
    port: int = _row(6060, "Port to listen on; 0 picks a free one and prints it.", group="server")
    data: str = _row(".", "Folder for the messages (tcpchat.db) and the text log.", group="server")
    syslog: str = _row("syslog", "Text log, relative to the data folder; off = none.", group="server")
    syslog_bytes: int = _row(
        10_000_000, "Bytes of the text log, then it becomes syslog.1 and so on; 0 = any.", group="server"
    )
    syslog_files: int = _row(5, "Rotated text logs to keep.", group="server")

    retention_days: int = _row(0, "Days to keep messages; 0 = forever.", group="server")

    dead_after: float = _row(30.0, "Disconnect a client after this many seconds of silence.", group="time")
    first_bytes_seconds: float = _row(10.0, "Seconds a new connection may take to send its first bytes.", group="time")
    snapshot_entries: int = _row(100_000, "Entries between two snapshots of the state.", group="time")
    snapshot_seconds: float = _row(
        60.0, "Seconds until a changed state is saved while the server is idle.", group="time"
    )

    connections: int = _row(20_000, "Connections in total.", group="limits")
    connections_per_address: int = _row(1_000, "Connections from one address.", group="limits")
    write_buffer: int = _row(262_144, "Bytes buffered for one reader before its feed pauses.", group="limits")

    work_per_second: float = _row(
        200.0,
        "Lines per second of one connection that no other limit counts (an HTTP request: 10); 0 = unlimited.",
        group="limits",
    )
    work_burst: int = _row(1_000, "Such lines of one connection in a burst.", group="limits")

    max_text: int = _limit("max_text", "Bytes of one message.")
    max_topic: int = _limit("max_topic", "Bytes of a room's topic.")
    max_why: int = _limit("max_why", "Bytes of a reason.")
    max_login: int = _limit("max_login", "Characters of a login.")
    max_name: int = _limit("max_name", "Characters of a real name.")
    max_label: int = _limit("max_label", "Characters of a device's label.")
    max_room: int = _limit("max_room", "Characters of a room's name, without #.")
    page: int = _limit("page", "Most messages in one answer.")
    feed_page: int = _limit("feed_page", "Messages read from the log at a time for one reader.")
    rooms: int = _limit("rooms", "Rooms in total.")
    rooms_per_login: int = _limit("rooms_per_login", "Rooms one login may be in.")
    list_entries: int = _limit("list_entries", "Bans, exceptions and invitations of one room.")
    keys_per_login: int = _limit("keys_per_login", "Keys of one login.")
    messages_per_second: float = _limit("messages_per_second", "Messages per second of one login; 0 = unlimited.")
    message_burst: int = _limit("message_burst", "Messages of one login in a burst.")
    bytes_per_second: float = _limit("bytes_per_second", "Bytes of text per second of one login; 0 = unlimited.")
    byte_burst: int = _limit("byte_burst", "Bytes of text of one login in a burst.")
    commands_per_second: float = _limit("commands_per_second", "Other commands per second of one login; 0 = unlimited.")
    command_burst: int = _limit("command_burst", "Other commands of one login in a burst.")
    signals_per_second: float = _limit(
        "signals_per_second", "Confirmations, pings and status per second of one login; 0 = unlimited."
    )
    signal_burst: int = _limit("signal_burst", "Confirmations, pings and status of one login in a burst.")
    logins_per_minute: float = _limit("logins_per_minute", "New logins per minute from one address; 0 = unlimited.")
    login_burst: int = _limit("login_burst", "New logins from one address in a burst.")
    guest_rooms_per_hour: float = _limit(
        "guest_rooms_per_hour", "Rooms that guests of one address may create per hour; 0 = unlimited."
    )
    guest_bytes_per_hour: float = _limit(
        "guest_bytes_per_hour", "Bytes that guests of one address may add to the log per hour; 0 = unlimited."
    )
    login_bytes_per_hour: float = _limit(
        "login_bytes_per_hour", "Bytes that one claimed login may add to the log per hour; 0 = unlimited."
    )
    guest_grace: float = _limit("guest_grace", "Seconds until a guest who left is forgotten.")
    numbers_days: float = _limit("numbers_days", "Days that a device may repeat a message after its last one.")
    numbered_devices: int = _limit("numbered_devices", "Devices (or send --id) of one login that number, in that time.")
    auth_seconds: float = _limit("auth_seconds", "Seconds a connection may take to log in.")
    guests: bool = _limit("guests", "Accept guests: logins that nobody has claimed.")
    invite_only_server: bool = _limit("invite_only_server", "Require an invite code to claim a login.")

    scram: bool = _limit("scram", "Prove passwords by SCRAM too; what is kept for that is tried faster than argon2.")

    plain_only: bool = _row(False, "Do not offer TLS, for a server whose proxy does.", group="tls")
    require_tls: bool = _row(False, "Require TLS: plain connections are told so and closed.", group="tls")
    tls_cert: str = _row("", "Certificate chain (PEM), reloaded on SIGHUP; empty = self-signed.", group="tls")
    tls_key: str = _row("", "Private key (PEM); empty = in the same file.", group="tls")
    tls_client_ca: str = _row("", "Authorities (PEM) that sign client certificates.", group="tls")
    tls_client_certs: bool = _row(True, "Request client certificates from IRC clients (needs pyOpenSSL).", group="tls")

    server_name: str = _limit("server_name", "Name of this server.", group="names")
    network: str = _row("tcpchat", "Network name shown by IRC clients.", group="irc")
    description: str = _row("A tcpchat server", "One line about this server.", group="irc")
    motd: str = _row("", "File with the message of the day.", group="irc")
    lobby: str = _row("#all", "Room that IRC clients join automatically.", group="irc")
    oper_name: str = _row("", "Name for the IRC command OPER.", group="irc")
    oper_password: str = _row("", "Password for OPER; keep it in the file, other users can see flags.", group="irc")
    connection_password: str = _row("", "Password that IRC clients must give; keep it in the file.", group="irc")
    irc_receipts_after: float = _row(
        10.0, "Seconds after the welcome until an IRC client is asked for receipts.", group="irc"
    )
    irc_replay_max: int = _row(5_000, "Most missed messages replayed to an IRC client.", group="irc")
    irc_dead_after: float = _row(
        240.0, "Disconnect an IRC client after this many seconds of silence; it is pinged at half of it.", group="irc"
    )
    irc_register_before_connect: bool = _row(True, "Allow the IRC command REGISTER before the welcome.", group="irc")
    irc_register_email: bool = _row(False, "Require an email address for the IRC command REGISTER.", group="irc")

    sts_seconds: int = _row(
        -1, "Seconds that IRC clients must use TLS (sts); 0 = stop requiring it, -1 = do not advertise it.", group="irc"
    )
    sts_port: int = _row(0, "TLS port advertised by sts; 0 = the port of the server.", group="irc")

    base_path: str = _row("", "Path of the page when a reverse proxy serves it below one, like /chat.", group="web")
    proxies: str = _row("", "Networks of reverse proxies whose X-Forwarded-For is trusted.", group="web")
    names: str = _row("", "Additional names by which browsers reach this server, like chat.example.org.", group="web")
    origins: str = _row("", "Additional web origins whose pages may open a WebSocket.", group="web")

    def limits(self) -> Limits:
        """The limits of the core as these settings have them."""
        return Limits(**{name: getattr(self, name) for name in Limits.__struct_fields__ if name in SETTINGS})


@dataclass(frozen=True)
class Setting:
    """One row of the table, as the faces need it."""

    name: str
    type: type
    default: Any
    help: str
    group: str
    secret: bool
    later: bool

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def environment(self) -> str:
        return ENVIRONMENT + self.name.upper()

    @property
    def shown(self) -> str:
        """The default as one would write it in the file."""
        return str(self.default).lower() if self.type is bool else str(self.default)

    def read(self, value: object, where: str) -> Any:
        """The value as this row's type; ConfigError names the place it came from."""
        try:
            return msgspec.convert(value, self.type, strict=not isinstance(value, str))
        except msgspec.ValidationError:
            raise ConfigError(f"{where}: {value!r} is not a {KINDS[self.type]}.") from None


@cache
def _table() -> dict[str, Setting]:
    types = typing.get_type_hints(Config)
    return {
        field.name: Setting(name=field.name, type=types[field.name], default=field.default, **dict(field.metadata))
        for field in dataclasses.fields(Config)
    }


SETTINGS: dict[str, Setting] = _table()


def add_arguments(parser: ArgumentParser) -> None:
    """Add a flag for every setting; what is not given does not appear in the parsed arguments."""
    for setting in SETTINGS.values():
        if setting.secret or setting.later:
            continue
        text = f"{setting.help} [{setting.shown}; {setting.environment}]".replace("%", "%%")
        if setting.type is bool:
            parser.add_argument(setting.flag, action=BooleanOptionalAction, default=SUPPRESS, help=text)
        else:
            metavar = "N" if setting.type in (int, float) else "TEXT"
            parser.add_argument(setting.flag, default=SUPPRESS, metavar=metavar, help=text)


def default_file() -> Path:
    """Where the settings file is looked for when nobody says."""
    import platformdirs

    home = os.environ.get(ENVIRONMENT + "HOME")
    return Path(home) / "config.toml" if home else platformdirs.user_config_path("tcpchat") / "config.toml"


def read_file(path: Path) -> dict[str, Any]:
    """The settings of the ``[server]`` table of a TOML file."""
    try:
        table = tomllib.loads(decoded(path.read_bytes())).get(SECTION, {})
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}. {ANOTHER}") from None
    except ValueError as error:  # no UTF-8, no TOML
        raise ConfigError(f"{path}: {error}") from None
    if not isinstance(table, dict):
        raise ConfigError(f"{path}: {SECTION} is a table: a line [{SECTION}], and the settings below it.")
    for key in table:
        if key not in SETTINGS:
            near = difflib.get_close_matches(key, SETTINGS, 1)
            raise ConfigError(f"{path}: no setting {key!r}." + (f" Did you mean {near[0]!r}?" if near else ""))
    return dict(table)


def load(flags: Mapping[str, object], environment: Mapping[str, str] | None = None, file: Path | None = None) -> Config:
    """Settings by precedence. Without ``file``: TCPCHAT_CONFIG, else the default place if there is one."""
    environment = os.environ if environment is None else environment
    named = file or (Path(environment["TCPCHAT_CONFIG"]) if environment.get("TCPCHAT_CONFIG") else None)
    path = named or default_file()
    stored = read_file(path) if named or _is_there(path) else {}
    chosen: dict[str, Any] = {}
    for name, setting in SETTINGS.items():
        if name in flags:
            chosen[name] = setting.read(flags[name], setting.flag)
        elif setting.environment in environment:
            chosen[name] = setting.read(environment[setting.environment], setting.environment)
        elif name in stored:
            chosen[name] = setting.read(stored[name], f"{path}: {name}")
    return Config(**chosen)


def _is_there(path: Path) -> bool:
    """Is there a settings file that nobody has named? Raises ConfigError where that cannot be seen."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:  # another user's home: to go on without its settings could open what they close
        raise ConfigError(f"{path} cannot be looked at: {error.strerror}. {ANOTHER}") from None
    return True


def told_secrets(path: Path) -> list[str]:
    """A sentence when a settings file holds passwords and all accounts of this machine can read it."""
    try:
        reach = path.stat().st_mode
        if os.name != "posix" or not reach & stat.S_IROTH or not any(key in read_file(path) for key in SECRETS):
            return []
    except (OSError, ConfigError):
        return []
    return [f"All accounts of this machine can read the passwords in {path}. End it with: chmod o-rwx {path}"]
