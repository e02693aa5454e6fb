"""``tcpchat serve``: the server as a program.

Exit codes: 0 stopped by SIGTERM or SIGINT, 1 it could not start (port in use, log unusable) or failed, 2 usage.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import gc
import logging
import os
import shlex
import signal
import socket
import sys
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any

from tcpchat import config as settings
from tcpchat.cli import output
from tcpchat.config import SETTINGS, Config, ConfigError
from tcpchat.log import LogError
from tcpchat.server import Server
from tcpchat.server.datafolder import StartError, private_umask
from tcpchat.server.sockets import PortInUse
from tcpchat.trust.fingerprint import CertificateError, words

GC_THRESHOLDS = (50_000, 50, 100)  # a chat makes few cycles: measured 6 % less CPU than the defaults
LISTENING = "0A"  # state of a listening socket in /proc/net/tcp


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``serve``: host, port, and a flag for every setting."""
    parser.add_argument("at_host", nargs="?", metavar="HOST", help="address to listen on; 0.0.0.0 opens it to others")
    parser.add_argument("at_port", nargs="?", metavar="PORT", help="port; 0 takes a free one")
    parser.add_argument("--config", metavar="FILE", help="settings file (TOML, table [server]; TCPCHAT_CONFIG)")
    parser.add_argument("-d", "--debug", action="store_true", help="log every step to standard error")
    settings.add_arguments(parser)


def read_config(args: argparse.Namespace) -> Config:
    """Settings from flags, environment and file. Raises ConfigError."""
    flags = {name: value for name, value in vars(args).items() if name in SETTINGS}
    host, port = getattr(args, "at_host", None), getattr(args, "at_port", None)
    if host is not None and port is None and host.isdecimal():
        host, port = None, host  # `tcpchat serve 7000`
    if host is not None:
        flags["host"] = host
    if port is not None:
        flags["port"] = port
    file = getattr(args, "config", None)
    config = settings.load(flags, file=Path(file) if file else None)
    if not 0 <= config.port <= 65535:
        raise ConfigError(f"port {config.port}: ports are 0 to 65535.")
    return config


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT. Returns the exit code."""
    level = logging.DEBUG if getattr(args, "debug", False) else logging.INFO
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s", stream=sys.stderr)
    if level == logging.DEBUG or os.environ.get("TCPCHAT_LOG"):
        logging.getLogger("tcpchat").setLevel(level)
    try:
        config = read_config(args)
    except ConfigError as error:
        return _fail(str(error), 2)
    for text in told_secrets(args):
        print(text, file=sys.stderr)
    more_files()
    try:
        with private_umask(), _runner() as runner:
            return runner.run(serve(config, read_settings=lambda: read_config(args)))
    except PortInUse as error:
        return _fail(in_use(error.host, error.port))
    except LogError as error:
        return _fail(f"The messages in {config.data} cannot be used: {error}")
    except CertificateError as error:
        return _fail(f"{str(error).rstrip('.')}. {_certificate_remedy(config)}")
    except StartError as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(_cannot_listen(config, error))


def told_secrets(args: argparse.Namespace) -> list[str]:
    """A word for each settings file with passwords in it that other accounts of this machine can read."""
    named = getattr(args, "config", None)
    path = Path(named or os.environ.get("TCPCHAT_CONFIG") or settings.default_file())
    return settings.told_secrets(path)


def _certificate_remedy(config: Config) -> str:
    given = [flag for flag in ("tls_cert", "tls_key", "tls_client_ca") if getattr(config, flag)]
    if given:
        return "Correct " + " or ".join("--" + flag.replace("_", "-") for flag in given) + "."
    return "Move that file away and a new one is made (a new key is one that clients do not know), or use --plain-only."


def _cannot_listen(config: Config, error: OSError) -> str:
    hints = {
        errno.EADDRNOTAVAIL: " Its own addresses: ip address. All of them: tcpchat serve 0.0.0.0 (with IPv6: ::)",
        errno.EACCES: " Ports below 1024 are for root, or for who has CAP_NET_BIND_SERVICE. Without: --port 6060",
    }
    hint = hints.get(error.errno or 0, "")
    return f"Cannot serve on {config.host} port {config.port}: {error.strerror or error}.{hint}"


async def serve(
    config: Config, say: Callable[[str], None] | None = None, read_settings: Callable[[], Config] | None = None
) -> int:
    """Start, print how to join, serve until a signal; 0, or 1 after a fault of the server's own. ``read_settings``
    reads them again, for SIGHUP."""
    say = say or print_now
    server = Server.from_config(config, say, read_settings)
    stop = _signals(server.reload)
    await server.start()
    for line in banner(server):
        say(line)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    serving = asyncio.ensure_future(server.serve_forever())
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    failed = serving.done() and serving.exception() is not None
    stopping.cancel()
    await server.stop()
    if not failed:
        await serving
    return 1 if failed else 0


def _signals(reload: Callable[[], object]) -> asyncio.Event:
    """An event that SIGTERM and SIGINT set; SIGHUP reads settings and certificate again."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    if hasattr(signal, "SIGHUP"):
        loop.add_signal_handler(signal.SIGHUP, reload)
    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
    return stop


def _runner() -> asyncio.Runner:
    """A loop of uvloop where it is installed, else asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return asyncio.Runner()
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


def more_files() -> None:
    """Take as many open files as the system allows: every connection is one."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def print_now(line: str) -> None:
    """Print a line at once, also into a pipe; a closed pipe ends nothing."""
    try:
        print(line, flush=True)
    except (OSError, ValueError):
        output.silence()


def banner(server: Server) -> list[str]:
    """What the server prints when it is ready: where it is and how to join. Each line works on this very machine."""
    host, port, data = server.config.host, server.port, server.config.data
    name = joining_name(host, server.addresses)
    at = f"[{name}]:{port}" if ":" in name else f"{name}:{port}"
    width = max(len(f"tcpchat client {name} {port}"), 29) + 9
    joins = [
        (f"tcpchat chat {at}", "full screen"),
        (f"tcpchat client {name} {port}", "numbered menu"),
        (f"{'https' if server.config.require_tls else 'http'}://{at}", "browser"),
        (f"irssi -c {name} -p {port}", "any IRC client"),
    ]
    if "%" in name:
        del joins[2]  # no browser takes an address of one link (fe80::1%eth0)
    lines = [
        f"server (HOST,PORT) set to ({host},{port})",
        f"Listening on port {port}, state {server.audit.state}. Join with:",
    ]
    lines += [f"  {command.ljust(width)}{what}" for command, what in joins]
    if server.fingerprint:
        lines.append(f"Key {server.fingerprint}  ({words(server.fingerprint)})")
    return [*lines, *_owners(server, data), _places(server, data)]


def _owners(server: Server, data: str) -> list[str]:
    """Who owns the place, or how somebody safely becomes its owner."""
    if server.chat.state.founded:
        return []
    by_name = f"tcpchat admin{'' if data in ('.', '') else f' --data {data}'} owner LOGIN"
    return [f"Nobody owns it yet: the first login claimed on this computer does, or name one: {by_name}"]


def joining_name(host: str, addresses: list[str]) -> str:
    """By what name programs on this machine reach the server: ``localhost`` where all that it stands for is listened
    on, else an address, or the name that was given."""
    open_to = {_address(one) for one in addresses}
    every = {one.version for one in open_to if one.is_unspecified}
    local = _localhost()
    if local and all(one in open_to or one.version in every for one in local):
        return "localhost"
    if every:
        return "127.0.0.1" if 4 in every else "::1"
    return host.removeprefix("[").removesuffix("]")


def _address(text: str) -> IPv4Address | IPv6Address:
    return ip_address(text.partition("%")[0])


def _localhost() -> list[IPv4Address | IPv6Address]:
    """What ``localhost`` is on this machine; nothing where it does not know."""
    try:
        found = socket.getaddrinfo("localhost", None, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return [_address(str(address[0])) for *_, address in found]


def _places(server: Server, data: str) -> str:
    folder = "./" if data in (".", "") else data.rstrip("/") + "/"
    text = f"Messages in {folder}tcpchat.db"
    if server.audit.writing:
        text += f", log in {folder}{server.config.syslog}"
    text += "."
    if all(_address(one).is_loopback for one in server.addresses):
        text += "  Only this computer can connect; `tcpchat serve 0.0.0.0` opens it to others."
    return text


# -- port in use ---------------------------------------------------------------------------------------------


def in_use(host: str, port: int) -> str:
    """Who holds the port, and what to type."""
    who = holder(port)
    if who is not None:
        pid, command = who
        found = f"Port {port} is in use by process {pid}: {command}\nStop it with:   kill {pid}"
    else:
        found = f"Port {port} is in use by another program.\nFind it with:   ss -ltnp 'sport = :{port}'"
    return f"{found}\nOr take another port:   tcpchat serve {shlex.quote(host)} {port + 1 if port < 65535 else 0}"


def holder(port: int) -> tuple[int, str] | None:
    """The process that listens on this port, as (pid, command), where /proc tells it."""
    inodes = _listening(port)
    if not inodes:
        return None
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for process in Path("/proc").iterdir():
        if not process.name.isdecimal():
            continue
        try:
            if any(os.readlink(entry) in wanted for entry in (process / "fd").iterdir()):
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                return int(process.name), "".join(c for c in command if c.isprintable()).strip()
        except OSError:
            continue  # another user's, or gone meanwhile
    return None


def _listening(port: int) -> set[str]:
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            columns = row.split()
            if columns[3] == LISTENING and int(columns[1].rpartition(":")[2], 16) == port:
                inodes.add(columns[9])
    return inodes


def _fail(text: str, code: int = 1) -> int:
    print(text, file=sys.stderr)
    return code


def main(argv: list[str] | None = None) -> Any:
    """``python -m tcpchat.cli.serve``."""
    output.prepare()
    parser = argparse.ArgumentParser(prog="tcpchat serve", description="One port for every client.")
    add_arguments(parser)
    return run(parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
