"""The table of commands, completion, config, doctor, the reference, and the languages."""

from __future__ import annotations

import ast
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tcpchat import i18n
from tcpchat.cli import COMMANDS, available, config, parser
from tcpchat.cli.common import seconds
from tcpchat.server import Server
from tools.docs import cli as cli_page

Run = Any
ROOT = Path(__file__).resolve().parent.parent.parent


def test_the_overview(run: Run) -> None:
    code, out, _ = run("--help")
    assert code == 0
    assert all(f"  {name} " in out for name in available())
    assert "screen reader" in out
    assert run()[0] == 2  # no terminal here: a short help
    assert run("--version")[1].startswith("tcpchat ")


def test_typos(run: Run) -> None:
    code, _, err = run("sned")
    assert code == 2
    assert "Did you mean send?" in err


@pytest.mark.parametrize("name", sorted(available()))
def test_every_command_has_help(run: Run, name: str) -> None:
    code, out, _ = run(name, "--help")
    assert code == 0
    assert f"usage: tcpchat {name}" in out
    for action in parser(name)._actions:
        assert action.help, f"{name} {action.dest} says nothing"


def test_the_reference_is_fresh() -> None:
    path = ROOT / "docs" / "cli.md"
    assert path.read_text(encoding="utf-8") == cli_page.document(), "run: make docs"


@pytest.mark.parametrize(
    ("text", "value"), [("5", 5), ("5s", 5), ("250ms", 0.25), ("2m", 120), ("1h", 3600), ("1d", 86400)]
)
def test_seconds(text: str, value: float) -> None:
    assert seconds(text) == value


# -- completion ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_scripts_know_every_command(run: Run, shell: str) -> None:
    code, out, _ = run("completion", shell)
    assert code == 0
    for name in available():
        assert name in out
    assert "delivered" in out or shell == "powershell"


def test_bash_takes_and_uses_it(server: Server, run: Run, home: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash here")
    assert run("whoami", "-u", "Big Brother")[0] == 0
    (home / "tcpchat").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tcpchat "$@"\n')
    (home / "tcpchat").chmod(stat.S_IRWXU)

    def complete(*words: str) -> list[str]:
        line = f"PATH={home}:$PATH\n" + run("completion", "bash")[1]
        quoted = " ".join(f"'{word}'" for word in words)
        line += f'\nCOMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _tcpchat; printf "%s\\n" "${{COMPREPLY[@]}}"'
        return subprocess.run([bash, "-c", line], capture_output=True, text=True, check=True).stdout.split("\n")[:-1]

    assert "send" in complete("tcpchat", "se")
    assert complete("tcpchat", "send", "--wa") == ["--wait"]
    assert complete("tcpchat", "send", "--wait", "re") == ["read"]
    assert complete("tcpchat", "send", "Big") == ["Big\\ Brother"]
    assert complete("tcpchat", "send", "--room", "a") == ["all"]
    assert complete("tcpchat", "rooms", "j") == ["join"]


def test_names_without_a_server_are_none(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TCPCHAT_SERVER", "127.0.0.1:1")
    assert run("completion", "names") == (0, "", "")


# -- config --------------------------------------------------------------------------------------------------------


def test_config(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = home / "config.toml"
    assert run("config", "path")[1].strip() == str(path)
    assert run("config", "get", "server")[1] == "localhost:6060\n"
    path.write_text('# mine\n[ui]\nticks = \'ascii\'  # old terminal\n\n[keys]\n"a.b" = "f2"\n')
    for name, value in (
        ("server", "chat.example:7000"), ("ui.ticks", "words"), ("ui.mouse", "off"), ("ui.window", "100"),
        ("keys.room.next_unread", "alt+a"), ("profile.work.user", 'The "Boss"'), ("server.port", "7000"),
    ):  # fmt: skip
        assert run("config", "set", name, value)[0] == 0, name
    text = path.read_text()
    assert text.startswith('# mine\n[ui]\nticks = "words"\nmouse = false\nwindow = 100\n\n[keys]\n')
    assert '"room.next_unread" = "alt+a"' in text
    assert '[profile.work]\nuser = "The \\"Boss\\""\n' in text
    assert "[server]\nport = 7000\n" in text
    assert run("config", "get", "ui.mouse")[1] == "false\n"
    assert 'default.server = "chat.example:7000"  # file\n' in run("config", "list")[1]
    monkeypatch.setenv("TCPCHAT_SERVER", "other:1")
    assert '"from": "TCPCHAT_SERVER"' in run("config", "get", "server", "--json")[1]
    assert run("config", "set", "ui.mouse")[0] == 0
    assert "mouse" not in path.read_text()


def test_config_refuses(run: Run, home: Path) -> None:
    assert run("config", "get")[0] == 2
    code, _, err = run("config", "set", "ui.tick", "x")
    assert code == 5
    assert "Did you mean ui.ticks?" in err
    assert run("config", "set", "ui.mouse", "perhaps")[0] == 2
    assert run("config", "set", "ui.window", "many")[0] == 2
    (home / "config.toml").write_text("ui.ticks = 'ascii'\n")
    code, _, err = run("config", "set", "ui.ticks", "words")
    assert code == 1
    assert "tcpchat config edit" in err
    (home / "config.toml").write_text("[")
    assert run("config", "list")[0] == 2


def test_config_edit(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDITOR", f'"{sys.executable}" -c "import sys; print(open(sys.argv[1]).read())"')
    monkeypatch.delenv("VISUAL", raising=False)
    assert run("config", "edit")[0] == 0
    assert (home / "config.toml").read_text() == config.template()
    assert config.flat({}) == config.read()


# -- doctor --------------------------------------------------------------------------------------------------------


def test_doctor(server: Server, run: Run, home: Path) -> None:
    code, out, _ = run("doctor")
    assert code == 0, out
    assert "ok    login: me (owner)" in out
    (home / "keys" / "me.key").chmod(0o644)
    code, out, _ = run("doctor", "-q")
    assert code == 1
    assert "chmod 600" in out


def test_doctor_without_a_server(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, _ = run("doctor", "-s", "127.0.0.1:1")
    assert code == 1
    assert "tcpchat serve" in out


# -- words ---------------------------------------------------------------------------------------------------------


def literals(path: Path, name: str) -> list[str]:
    """The texts that a file passes to ``_`` or ``plural``."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
            found += [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    return found


def test_russian_is_whole() -> None:
    """Every text of the menu, the commands and their help, but for the server's settings."""
    source = ROOT / "src" / "tcpchat"
    paths = [*(source / "menu").glob("*.py"), *(source / "cli").glob("*.py")]
    texts = [text for path in paths for text in literals(path, "_")]
    i18n.use("en")
    for name in available():
        texts.append(COMMANDS[name].help)
        made = parser(name)
        if name != "serve":
            texts += [action.help or "" for action in made._actions]
        texts += [made.epilog or ""]
    catalogue = i18n.catalogue("ru")
    assert not [text for text in texts if text and text not in catalogue]
    for text, forms in catalogue.items():
        for form in forms:
            assert form.count("%") == text.count("%"), text


def test_help_in_russian(run: Run) -> None:
    i18n.use("ru")
    assert "отправить сообщение" in run("--help")[1]
    assert "какого состояния ждать" in run("send", "--help")[1]
    assert "Порт; 0" in run("serve", "--help")[1]


def test_plurals() -> None:
    one, many = "< You have %d message from before >", "< You have %d messages from before >"
    i18n.use("en")
    assert [i18n.plural(n, one, many) for n in (1, 2)] == [one, many]
    i18n.use("ru")
    words = [(i18n.plural(n, one, many) % n).split()[4] for n in (1, 2, 5, 11, 21, 112)]
    assert words == ["сообщение", "сообщения", "сообщений", "сообщений", "сообщение", "сообщений"]
    assert i18n._("no such text") == "no such text"
    i18n.use("en")


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "ru_RU.UTF-8"}, "ru"),
        ({"LC_ALL": "C", "LANG": "ru"}, "en"),
        ({"TCPCHAT_LANGUAGE": "ru"}, "ru"),
        ({"TCPCHAT_LANGUAGE": "auto", "LANG": "ru"}, "ru"),
    ],
)
def test_language(environment: dict[str, str], language: str) -> None:
    assert i18n.from_environment(environment) == language


def test_po() -> None:
    parsed = i18n.parse('# c\nmsgid ""\nmsgstr "head"\n\nmsgid "a "\n"b"\nmsgstr "c\\n"\n\nmsgid "none"\nmsgstr ""\n')
    assert parsed == {"a b": ("c\n",)}
    assert i18n.catalogue("xx") == {}
