"""``tcpchat serve``: every printed way to join works, its files are private, and what is in its way has a name."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tcpchat.cli.serve import joining_name
from tcpchat.server.sockets import listen

SECONDS = 30
TCPCHAT = [sys.executable, "-m", "tcpchat"]


class Served:
    """A server as a program."""

    def __init__(self, *words: str, umask: int = -1) -> None:
        self.process = subprocess.Popen(
            [*TCPCHAT, "serve", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, umask=umask
        )
        self.lines: list[str] = []
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if line.startswith("Messages in"):
                break

    def __enter__(self) -> Served:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        _, self.complaints = self.process.communicate(timeout=SECONDS)

    def join(self, what: str) -> str:
        """The printed way."""
        return next(re.split(r" {2,}", line.strip())[0] for line in self.lines if line.endswith(what))


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


IPV6 = pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
HOSTS = [
    "", "localhost", "127.0.0.1", "127.0.0.2", "0.0.0.0",
    *(pytest.param(host, marks=IPV6) for host in ("::", "::1", "[::1]", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1")),
]  # fmt: skip


@pytest.mark.parametrize("host", HOSTS)
def test_every_printed_way_to_join_works(tmp_path: Path, host: str) -> None:
    with Served("--host", host, "--port", "0", "--data", str(tmp_path / "data")) as server:
        assert server.lines, server.process.stderr.read() if server.process.stderr else ""
        for what, words in (("full screen", ["status", "-s"]), ("numbered menu", ["client"])):
            told = server.join(what).split()[2:]
            done = subprocess.run(
                [*TCPCHAT, *words, *told], input="5\n", capture_output=True, text=True, timeout=SECONDS
            )
            assert done.returncode == 0, done.stderr
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        assert opener.open(server.join("browser") + "/healthz", timeout=SECONDS).status == 200
        command = server.join("any IRC client").split()
        with socket.create_connection((command[2], int(command[4])), SECONDS) as irc:
            irc.sendall(b"NICK duck\r\nUSER duck 0 * :duck\r\n")
            assert b" 001 duck " in irc.recv(4096)


@pytest.mark.parametrize("host", ["", pytest.param("::", marks=IPV6)])
def test_all_addresses_are_those_of_both_kinds(host: str) -> None:
    with ExitStack() as stack:
        sockets = [stack.enter_context(sock) for sock in listen(host, 0)]
        port = sockets[0].getsockname()[1]
        for address in ["127.0.0.1", *(["::1"] if has_ipv6() else [])]:
            socket.create_connection((address, port), SECONDS).close()


@pytest.mark.parametrize(
    ("host", "addresses", "local", "name"),
    [
        ("localhost", ["127.0.0.1", "::1"], ["127.0.0.1", "::1"], "localhost"),
        ("127.0.0.1", ["127.0.0.1"], ["127.0.0.1"], "localhost"),
        ("127.0.0.1", ["127.0.0.1"], ["127.0.0.1", "::1"], "127.0.0.1"),
        ("0.0.0.0", ["0.0.0.0"], ["127.0.0.1"], "localhost"),
        ("0.0.0.0", ["0.0.0.0"], ["::1"], "127.0.0.1"),
        ("0.0.0.0", ["0.0.0.0"], [], "127.0.0.1"),
        ("::", ["::"], ["127.0.0.1"], "::1"),
        ("::", ["0.0.0.0", "::"], ["127.0.0.1", "::1"], "localhost"),
        ("::1", ["::1"], ["127.0.0.1"], "::1"),
        ("[fe80::1%eth0]", ["fe80::1%eth0"], ["127.0.0.1"], "fe80::1%eth0"),
        ("chat.example", ["192.0.2.7"], ["127.0.0.1"], "chat.example"),
    ],
)
def test_the_name_that_is_printed(
    monkeypatch: pytest.MonkeyPatch, host: str, addresses: list[str], local: list[str], name: str
) -> None:
    def found(*_: object, **__: object) -> list[tuple[object, ...]]:
        if not local:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [(0, 0, 0, "", (one, 0)) for one in local]

    monkeypatch.setattr(socket, "getaddrinfo", found)
    assert joining_name(host, addresses) == name


# -- private files -----------------------------------------------------------------------------------------------------


def read_by_others(top: Path) -> list[str]:
    return sorted(
        str(path.relative_to(top))
        for path in top.rglob("*")
        if path.is_file() and path.stat().st_mode & (stat.S_IROTH | stat.S_IRGRP) and path.name != "tls-cert.pem"
    )


@pytest.mark.skipif(os.name != "posix", reason="rights of POSIX")
@pytest.mark.parametrize("there", [False, True])
def test_nothing_that_is_kept_is_for_others(tmp_path: Path, there: bool) -> None:
    data = tmp_path / "data"
    if there:
        data.mkdir(mode=0o755)
    with Served("--port", "0", "--data", str(data), umask=0o022) as server:
        port = server.join("any IRC client").split()[-1]
        for words in (["send", "@all", "secret", "-s", f"localhost:{port}"], ["config", "set", "server", "x"],
                      ["admin", "--data", str(data), "backup", str(tmp_path / "copy.db")]):  # fmt: skip
            subprocess.run([*TCPCHAT, *words], check=True, capture_output=True, timeout=SECONDS, umask=0o022)
        assert {"tcpchat.db", "tcpchat.db-wal", "syslog", "irc.db", "admin.secret"} <= {
            one.name for one in data.iterdir()
        }
        assert read_by_others(tmp_path) == []
    assert read_by_others(tmp_path) == []
    assert stat.S_IMODE(data.stat().st_mode) == (0o755 if there else 0o700)
    assert server.complaints == ""


@pytest.mark.skipif(os.name != "posix", reason="rights of POSIX")
def test_what_others_can_already_read_or_write_is_said_with_what_to_type(tmp_path: Path) -> None:
    data = tmp_path / "my data"
    with Served("--port", "0", "--data", str(data)):
        pass
    data.chmod(0o777)
    for name in ("tcpchat.db", "syslog"):
        (data / name).chmod(0o644)
    (data / "syslog.1").write_text("older")
    (data / "syslog.1").chmod(0o604)
    with Served("--port", "0", "--data", str(data)) as server:
        pass
    commands = re.findall(r"End it with: (chmod .*)", server.complaints)
    assert len(commands) == 2
    for command in commands:
        subprocess.run(["sh", "-c", command], check=True)
    with Served("--port", "0", "--data", str(data)) as server:
        pass
    assert server.complaints == ""


@pytest.mark.skipif(os.name != "posix", reason="rights of POSIX")
def test_a_settings_file_with_a_password_is_private(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[ui]\ntheme = 'dark'\n")
    file.chmod(0o644)
    subprocess.run([*TCPCHAT, "config", "set", "ui.theme", "light"], check=True, timeout=SECONDS)
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    subprocess.run([*TCPCHAT, "config", "set", "server.oper_password", "quack"], check=True, timeout=SECONDS)
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    shown = subprocess.run([*TCPCHAT, "config"], check=True, timeout=SECONDS, capture_output=True, text=True).stdout
    assert "quack" not in shown
    assert 'server.oper_password = "***"' in shown
    file.chmod(0o644)
    with Served("--port", "0", "--data", str(tmp_path / "data")) as server:
        pass
    assert f"chmod o-rwx {file}" in server.complaints


# -- what is in the way ------------------------------------------------------------------------------------------------


def ordinary() -> list[str]:
    """A prefix under which rights count; none for who is not root."""
    if os.geteuid() != 0:
        return []
    if not shutil.which("setpriv"):
        pytest.skip("root, and no setpriv")
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner", "--"]


def refused(*words: str, **environment: str) -> str:
    """What a server says that cannot start."""
    done = subprocess.run(
        [*ordinary(), *TCPCHAT, "serve", "--port", "0", *words],
        capture_output=True, text=True, timeout=SECONDS, env={**os.environ, **environment}, check=False,
    )  # fmt: skip
    assert done.returncode in (1, 2), done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    return done.stderr


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "data"
    folder.mkdir()
    yield folder
    folder.chmod(0o700)


@pytest.mark.parametrize(
    "name", ["syslog", "admin.secret", "server.secret", "tcpchat.db", "tcpchat.db.lock", "tls-key.pem", "tls-cert.pem"]
)
@pytest.mark.parametrize("what", ["folder", "unreadable"])
def test_a_file_in_the_way_is_named(data: Path, name: str, what: str) -> None:
    if what == "folder":
        (data / name).mkdir()
    elif name in ("admin.secret", "server.secret"):
        pytest.skip("it is made anew")
    else:
        (data / name).touch(mode=0o000)
    said = refused("--data", str(data))
    assert f"{data / name}" in said
    assert re.search(r"(?i)move|name another|check|choose", said), said


@pytest.mark.parametrize("name", ["irc.db", "cloak.key"])
def test_what_a_server_can_do_without_is_named_and_costs_no_start(data: Path, name: str) -> None:
    (data / name).mkdir()
    with Served("--port", "0", "--data", str(data)) as server:
        assert server.lines
    assert f"{data / name}" in server.complaints


def test_a_data_folder_that_cannot_be_one_is_named(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for folder in (file, file / "below"):
        said = refused("--data", str(folder))
        assert str(folder) in said
        assert "--data" in said
    data.chmod(0o555)
    for folder in (data, data / "below"):
        said = refused("--data", str(folder))
        assert str(folder) in said
        assert "--data" in said


@pytest.mark.parametrize("setting", ["syslog", "tls_cert", "tls_key", "tls_client_ca"])
@pytest.mark.parametrize("what", ["missing", "folder", "unreadable", "below a file"])
def test_a_setting_that_names_a_path_is_named_with_it(data: Path, tmp_path: Path, setting: str, what: str) -> None:
    path = tmp_path / ("none" if setting == "syslog" and what == "missing" else "") / "it"
    if what == "folder":
        path.mkdir()
    elif what == "unreadable":
        path.touch(mode=0o000)
    elif what == "below a file":
        path.touch()
        path /= "below"
    words = ["--" + setting.replace("_", "-"), str(path)]
    if setting == "tls_key":
        with Served("--port", "0", "--data", str(tmp_path / "other")):
            words += ["--tls-cert", str(tmp_path / "other" / "tls-cert.pem")]
    said = refused("--data", str(data), *words)
    assert str(path) in said
    assert words[0] in said


@pytest.mark.parametrize("what", ["missing", "folder", "unreadable", "no text"])
def test_a_message_of_the_day_that_cannot_be_read_is_said(data: Path, tmp_path: Path, what: str) -> None:
    path = tmp_path / "motd"
    if what == "folder":
        path.mkdir()
    elif what != "missing":
        path.write_bytes(b"\xff\xff\n")
    if what == "unreadable":
        path.chmod(0)
        if os.geteuid() == 0:
            pytest.skip("root reads all")
    with Served("--port", "0", "--data", str(data), "--motd", str(path)) as server:
        assert server.lines
    assert str(path) in server.complaints
    assert "--motd" in server.complaints


@pytest.mark.parametrize("what", ["missing", "folder", "unreadable", "no text", "no toml", "no table"])
@pytest.mark.parametrize("by", ["flag", "environment", "default"])
def test_a_settings_file_that_cannot_be_used_is_named(data: Path, tmp_path: Path, what: str, by: str) -> None:
    path = tmp_path / "home" / "config.toml"
    path.parent.mkdir()
    if what == "folder":
        path.mkdir()
    elif what != "missing":
        path.write_bytes({"no text": b"\xff\xff", "no toml": b"a b", "no table": b"server = 3"}.get(what, b""))
    if what == "unreadable":
        path.chmod(0)
    environment = {"TCPCHAT_HOME": str(path.parent)}
    words = ["--data", str(data)]
    if by == "default" and what == "missing":
        path.parent.chmod(0)  # somebody else's home: who knows what is in there
    elif by == "environment":
        environment["TCPCHAT_CONFIG"] = str(path)
    elif by == "flag":
        words += ["--config", str(path)]
    try:
        assert str(path) in refused(*words, **environment)
    finally:
        path.parent.chmod(0o700)


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.name.invalid", "a..b", "x" * 300, "2001:db8::1"])
def test_an_address_of_another_machine_is_named(data: Path, host: str) -> None:
    said = refused("--data", str(data), "--host", host)
    assert host in said
    assert said.count("\n") == 1


def test_admin_names_what_is_in_the_way(data: Path) -> None:
    with Served("--port", "0", "--data", str(data)):
        pass
    (data / "admin.secret").mkdir()
    call = [*TCPCHAT, "admin", "--data", str(data), "users"]
    done = subprocess.run(call, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 1
    assert str(data / "admin.secret") in done.stderr
    assert "Traceback" not in done.stderr
