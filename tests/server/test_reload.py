"""What a running server reads again."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from support.rawpeer import Peer
from tcpchat import config
from tcpchat.config import ConfigError
from tcpchat.server import Server


async def test_settings_and_message_of_the_day(tmp_path: Path, closed_peers: None) -> None:
    path, motd = tmp_path / "config.toml", tmp_path / "motd"
    path.write_text("[server]\nport = 0\nmax_text = 10\n")
    flags = {"data": str(tmp_path / "data"), "port": "0"}

    def read() -> config.Config:
        return config.load(flags, {}, path)

    server = Server.from_config(read(), read_settings=read)
    await server.start()
    duck = await Peer.enter(server.port, "duck")
    duck.send("say", to="#all", text="a" * 11, n=1)
    assert (await duck.until("refused"))["code"] == "too_long"
    motd.write_text("Quack.\n")
    path.write_text(f'[server]\nport = 7\nmax_text = 20\ndead_after = 99.0\nmotd = "{motd}"\n')
    assert server.reload() == []
    assert server.site.motd() == ["Quack."]
    duck.send("say", to="#all", text="a" * 11, n=1)
    await duck.until("accepted")
    assert (server.config.port, server.config.dead_after) == (0, 99.0)
    path.write_text("[server]\nmax_txet = 20\n")
    assert [text for text in server.reload() if "max_text" in text]
    assert server.config.max_text == 20  # it stays as it was
    motd.unlink()
    assert len(server.reload()) == 2
    await server.stop()


async def test_a_server_without_a_settings_file() -> None:
    server = Server(port=0, data=None)
    await server.start()
    before = server.config
    assert server.reload() == []
    assert server.config == before
    await server.stop()


def test_who_reads_them_says_what_is_wrong() -> None:
    server = Server(port=0, data=None)

    def broken() -> config.Config:
        raise ConfigError("no such setting")

    server.read_settings = broken
    assert server.reload() == ["the settings stay as they were: no such setting"]


def test_settings_for_life_are_settings() -> None:
    from tcpchat.server.server import AT_START

    assert set(AT_START) <= {field.name for field in dataclasses.fields(config.Config)}
