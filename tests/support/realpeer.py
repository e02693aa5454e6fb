"""Debian's irssi and WeeChat, driven by keys: each runs in a folder of its own and logs what it shows."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE = 20.0  # seconds that a program of others may take for one step


def missing(*programs: str) -> str:
    """Why these tests cannot run here; "" when they can. In CI they must."""
    gone = [name for name in programs if shutil.which(name) is None]
    return f"not installed: {', '.join(gone)}" if gone and not os.environ.get("CI") else ""


def wait(what: str, true: Callable[[], object]) -> None:
    """Wait for a state of another program; it has no other barrier to offer."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.05)


class Program:
    """A client program with its log files."""

    name = ""

    def __init__(
        self, home: Path, port: int, account: str = "", password: str = "", nick: str = "", cert: Path | None = None
    ) -> None:
        self.home, self.port, self.account, self.password = home, port, account, password
        self.cert = cert  # comes by TLS and logs in by this certificate
        self.nick = nick or account
        self.logs = home / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)

    def start(self) -> None: ...
    def type(self, line: str, where: str = "") -> None: ...
    def pid(self) -> int: ...
    def kill(self) -> None:
        """Cut it off as a crash does."""
        os.kill(self.pid(), signal.SIGKILL)

    def freeze(self) -> None:
        os.kill(self.pid(), signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid(), signal.SIGCONT)

    def text(self) -> str:
        """Everything it has shown in its windows so far."""
        files = sorted(self.logs.rglob("*log"))
        return "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in files)

    def shows(self, words: str) -> None:
        wait(f"{self.name} shows {words!r}: {self.text()[-2000:]}", lambda: words in self.text())


class Irssi(Program):
    """irssi in a tmux of its own."""

    name = "irssi"

    def __init__(self, *args: object, **named: object) -> None:
        super().__init__(*args, **named)  # type: ignore[arg-type]
        self.tmux = ["tmux", "-L", f"tcpchat-{os.getpid()}-{self.home.name}", "-f", "/dev/null"]

    def start(self) -> None:
        sasl = f'sasl_mechanism = "PLAIN"; sasl_username = "{self.account}"; sasl_password = "{self.password}";'
        tls = ""
        if self.cert is not None:
            sasl = 'sasl_mechanism = "EXTERNAL";'
            tls = f'use_tls = "yes"; tls_verify = "no"; tls_cert = "{self.cert}";'
        (self.home / "config").write_text(
            f"""
servers = ( {{ address = "127.0.0.1"; chatnet = "t"; port = "{self.port}"; autoconnect = "yes"; {tls} }} );
chatnets = {{ t = {{ type = "IRC"; nick = "{self.nick}"; {sasl if self.account else ""} }}; }};
settings = {{
  core = {{ real_name = "Real"; user_name = "{self.nick}"; nick = "{self.nick}"; }};
  "irc/core" = {{ cmds_max_at_once = "100"; cmd_queue_speed = "1msec"; }};
  "fe-common/core" = {{
    autolog = "yes"; autolog_path = "{self.logs}/$0.log"; autolog_level = "all -crap -clientcrap -ctcps";
  }};
}};
"""
        )
        # Behind a shell: tmux continues a stopped child of its own at once.
        command = f"env TERM=screen irssi --home={self.home}; exit"
        subprocess.run([*self.tmux, "new-session", "-d", "-x", "200", "-y", "50", command], check=True)
        wait("irssi is connected", lambda: "Welcome to the" in self.screen() or "has joined" in self.screen())

    def screen(self) -> str:
        done = subprocess.run([*self.tmux, "capture-pane", "-p", "-S", "-200"], capture_output=True, text=True)
        return done.stdout

    def type(self, line: str, where: str = "") -> None:
        if where:
            self.type(f"/window goto {where}")
            wait(f"irssi is in {where}", lambda: self.screen().rstrip().endswith(f"[{where}]"))
        subprocess.run([*self.tmux, "send-keys", "-l", line], check=True)
        # A line that comes together with its Enter is a paste for irssi.
        wait(f"irssi has {line!r} before it", lambda: self.screen().rstrip().endswith(line[-40:].rstrip()))
        subprocess.run([*self.tmux, "send-keys", "Enter"], check=True)

    def pid(self) -> int:
        done = subprocess.run([*self.tmux, "list-panes", "-F", "#{pane_pid}"], capture_output=True, text=True)
        shell = int(done.stdout)
        return int(Path(f"/proc/{shell}/task/{shell}/children").read_text().split()[0])

    def stop(self) -> None:
        subprocess.run([*self.tmux, "kill-server"], capture_output=True)


class WeeChat(Program):
    """weechat-headless, driven through its FIFO."""

    name = "WeeChat"

    def start(self) -> None:
        sasl = (
            f"/set irc.server.t.sasl_username {self.account};/set irc.server.t.sasl_password {self.password};"
            if self.account
            else ""
        )
        tls = "-notls"
        if self.cert is not None:
            done = subprocess.run(["weechat-headless", "--version"], capture_output=True, text=True, check=True)
            word = "tls" if int(done.stdout.partition(".")[0]) >= 4 else "ssl"  # the options' names until 3.8
            tls = f"-{word}"
            sasl = f"/set irc.server.t.sasl_mechanism external;/set irc.server.t.{word}_cert {self.cert};"
            sasl += f"/set irc.server.t.{word}_verify off;"
        run = (
            f"/server add t 127.0.0.1/{self.port} {tls};/set irc.server.t.nicks {self.nick};"
            f"/set irc.server.t.username {self.nick};{sasl}"
            "/set irc.server_default.anti_flood_prio_high 0;/set irc.server_default.anti_flood_prio_low 0;"
            f"/set logger.file.path {self.logs};/set logger.file.flush_delay 0;"
            "/set logger.file.mask $plugin.$name.weelog;"
            "/set fifo.file.enabled on;/connect t"
        )
        log = (self.home / "out").open("wb")
        self.process = subprocess.Popen(
            ["weechat-headless", "-d", str(self.home), "-r", run],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
        log.close()
        wait("WeeChat is connected", lambda: "Welcome to the" in self.text())

    def fifo(self) -> Path | None:
        found = [path for path in self.home.rglob("weechat_fifo_*") if path.name.endswith(str(self.process.pid))]
        return found[0] if found else None

    def type(self, line: str, where: str = "") -> None:
        wait("WeeChat has its pipe", self.fifo)
        fifo = self.fifo()
        assert fifo is not None
        buffer = f"irc.t.{where}" if where else "irc.server.t"
        with fifo.open("w") as pipe:
            pipe.write(f"{buffer} *{line}\n")

    def pid(self) -> int:
        return self.process.pid

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait()
