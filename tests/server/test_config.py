"""Settings: one table, four places, precedence, and docs that cannot be stale."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from tcpchat import config
from tcpchat.cli import serve
from tcpchat.config import SETTINGS, Config, ConfigError
from tcpchat.core.rules import Limits
from tools.docs import settings

ROOT = Path(__file__).resolve().parents[2]
NOT_SETTINGS = {"version"}  # of Limits: told by the server itself


def parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    serve.add_arguments(parser)
    return parser.parse_args(words)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text('[server]\nport = 7001\ndead_after = 5\nguests = false\nhost = "file.example"\n')
    return path


def test_flag_beats_environment_beats_file_beats_default(file: Path) -> None:
    environment = {"TCPCHAT_PORT": "7002", "TCPCHAT_HOST": "env.example"}
    loaded = config.load({"port": "7003"}, environment, file)
    assert (loaded.port, loaded.host, loaded.dead_after, loaded.guests) == (7003, "env.example", 5.0, False)
    assert loaded.max_text == Limits().max_text


def test_the_file_is_found_by_the_environment(file: Path) -> None:
    assert config.load({}, {"TCPCHAT_CONFIG": str(file)}).port == 7001


@pytest.mark.parametrize(
    ("flags", "environment", "says"),
    [
        ({"port": "seven"}, {}, "--port: 'seven' is not a whole number"),
        ({}, {"TCPCHAT_DEAD_AFTER": "soon"}, "TCPCHAT_DEAD_AFTER: 'soon' is not a number"),
        ({}, {"TCPCHAT_GUESTS": "perhaps"}, "TCPCHAT_GUESTS: 'perhaps' is not a true or false"),
    ],
)
def test_what_cannot_be_used_is_named(
    flags: dict[str, str], environment: dict[str, str], says: str, file: Path
) -> None:
    with pytest.raises(ConfigError, match=says):
        config.load(flags, environment, file)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[server]\nprot = 1\n", "no setting 'prot'. Did you mean 'port'"),
        ("[server\n", "config.toml"),
        ('[server]\nport = "x"\n', "port: 'x' is not a whole number"),
    ],
)
def test_a_wrong_file_is_named(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says):
        config.load({}, {}, path)


def test_positional_host_and_port(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    monkeypatch.setenv("TCPCHAT_CONFIG", str(file))
    assert serve.read_config(parse("example.org", "7009")).host == "example.org"
    assert serve.read_config(parse("7010")).port == 7010
    assert serve.read_config(parse("--port", "7011")).port == 7011
    with pytest.raises(ConfigError, match="0 to 65535"):
        serve.read_config(parse("localhost", "70000"))


def test_every_setting_has_a_flag_unless_it_is_secret() -> None:
    parser = argparse.ArgumentParser()
    config.add_arguments(parser)
    text = parser.format_help()
    for setting in SETTINGS.values():
        assert (setting.flag in text) is not (setting.secret or setting.later), setting.name
        assert setting.help.endswith("."), setting.name


def test_every_limit_of_the_core_is_a_setting() -> None:
    assert set(Limits.__struct_fields__) - NOT_SETTINGS <= set(SETTINGS)
    assert Config().limits() == Limits()
    assert Config(max_text=99).limits().max_text == 99


def test_the_docs_are_those_of_the_table() -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert page == settings.rendered(page), "run: make docs"
