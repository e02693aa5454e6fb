"""``tcpchat trust``: the keys of servers, trusted since they were first seen."""

from __future__ import annotations

import argparse

from tcpchat.cli.common import DONE, NOT_FOUND, Ended, guarded, show_json
from tcpchat.client.first_use import known_servers
from tcpchat.client.identity import parse_address
from tcpchat.core.text import clean_line
from tcpchat.trust import fingerprint
from tcpchat.trust.known import SYSTEM, KnownError, Server, address

CONNECT_SECONDS = 10.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``trust``."""
    parser.add_argument("do", nargs="?", choices=[*ACTS], default="list", help="what to do (list)")
    parser.add_argument("server", nargs="?", metavar="HOST[:PORT]", help="the server (forget HOST: all its ports)")
    parser.add_argument("key", nargs="?", metavar="SHA256:...", help="the key to add; without it, the one it shows now")
    parser.add_argument("--json", action="store_true", help="JSON on standard output")


def run(args: argparse.Namespace) -> int:
    """Carry it out; returns the exit code."""
    return guarded(args, lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    if args.do != "list" and not args.server:
        raise ValueError(f"Which server? tcpchat trust {args.do} HOST[:PORT]")
    try:
        return ACTS[args.do](args)
    except KnownError as error:
        raise Ended(1, str(error)) from None


def _list(args: argparse.Namespace) -> int:
    _print(args, [one for one in known_servers().all() if not args.server or _meant(one, args.server)])
    return DONE


def _show(args: argparse.Namespace) -> int:
    """What is trusted, and what the server shows at this moment."""
    host, port = parse_address(args.server)
    trusted, shown = known_servers().find(host, port), _shown(host, port)
    if args.json:
        show_json({"server": address(host, port), "trusted": trusted, "shown": shown})
    else:
        print(f"trusted  {_described(trusted)}\nnow      {_described(shown)}")
    return DONE if trusted in (shown, "", SYSTEM) else 4


def _add(args: argparse.Namespace) -> int:
    host, port = parse_address(args.server)
    key = args.key or _shown(host, port)
    if not fingerprint.is_fingerprint(key):
        raise ValueError(f"{key!r} is no fingerprint; the server prints its own when it starts (Key SHA256:...).")
    known_servers().add(host, port, key)
    _print(args, [one for one in known_servers().all() if one.address == address(host, port)])
    return DONE


def _forget(args: argparse.Namespace) -> int:
    host, port = parse_address(args.server)
    gone = known_servers().forget(host, port if _has_port(args.server) else 0)
    if not gone:
        raise Ended(NOT_FOUND, f"{args.server} is not known (tcpchat trust list).")
    _print(args, gone)
    return DONE


ACTS = {"list": _list, "show": _show, "add": _add, "forget": _forget}


def _has_port(text: str) -> bool:
    return text.rpartition("]")[2].count(":") == 1


def _meant(server: Server, text: str) -> bool:
    host, port = parse_address(text)
    return (
        server.address == address(host, port) if _has_port(text) else server.address.startswith(address(host, 0)[:-1])
    )


def _shown(host: str, port: int) -> str:
    """The fingerprint that a server shows now, trusted or not."""
    import socket

    from tcpchat.client.errors import ConnectionFailed
    from tcpchat.client.first_use import unverified

    try:
        with (
            socket.create_connection((host, port), CONNECT_SECONDS) as plain,
            unverified().wrap_socket(plain, server_hostname=host) as own,
        ):
            return fingerprint.of_certificate(own.getpeercert(binary_form=True) or b"")
    except (OSError, UnicodeError, ValueError) as error:
        raise ConnectionFailed(f"{address(host, port)} shows no key: {error}") from None


def _described(key: str) -> str:
    if key == SYSTEM:
        return "what this system trusts"
    return f"{key}  ({fingerprint.words(key)})" if key else "not known"


def _print(args: argparse.Namespace, servers: list[Server]) -> None:
    if args.json:
        show_json([{**one._asdict(), "words": fingerprint.words(one.fingerprint)} for one in servers])
        return
    for one in servers:
        print(f"{clean_line(one.address)}  {_described(one.fingerprint)}  {clean_line(one.since)}".rstrip())
