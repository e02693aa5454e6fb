"""Input and output as they are: other encodings, Windows' line ends, outputs that are closed, full or left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tcpchat.server import Server

Run = Any
TEA = "tea ☕ чай 🍵"
SECONDS = 30


def command(
    *words: str, encoding: str = "utf-8", data: bytes = b"", **files: Any
) -> subprocess.CompletedProcess[bytes]:
    """A command in a process of its own."""
    env = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUNBUFFERED": ""}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **files}
    call = [sys.executable, "-m", "tcpchat", *words]
    return subprocess.run(call, input=data, env=env, timeout=SECONDS, check=False, **streams)


def by_shell(line: str, *words: str) -> subprocess.CompletedProcess[bytes]:
    """A command in a line of the shell; ``"$@"`` stands for it."""
    return subprocess.run(
        ["sh", "-c", line, "sh", sys.executable, "-m", "tcpchat", *words],
        capture_output=True, timeout=SECONDS, check=False,
    )  # fmt: skip


@pytest.fixture
def talk(server: Server, run: Run) -> Run:
    for text in ("before", TEA, "after"):
        assert run("send", "@all", text)[0] == 0
    return run


@pytest.mark.parametrize("encoding", ["cp1251", "cp866", "koi8-r", "latin-1", "ascii"])
@pytest.mark.parametrize("words", [["tail", "@all"], ["search", "tea"], ["tail", "@all", "--json"], ["rooms"], ["who"]])
def test_no_encoding_of_the_output_ends_a_command(talk: Run, encoding: str, words: list[str]) -> None:
    done = command(*words, encoding=encoding)
    shown = done.stdout.decode(encoding)
    assert (done.returncode, done.stderr) == (0, b"")
    if words[0] == "tail":
        assert [word in shown for word in ("before", "tea", "after")] == [True] * 3
    if "--json" in words:
        assert [json.loads(line)["text"] for line in shown.splitlines()] == ["before", TEA, "after"]
    elif words[0] in ("tail", "search"):
        assert ("чай" in shown) == (encoding in ("cp1251", "cp866", "koi8-r"))
        assert "tea ?" in shown


@pytest.mark.parametrize("encoding", ["koi8-r", "ascii"])
def test_the_menu_shows_what_it_can(talk: Run, server: Server, encoding: str) -> None:
    done = command("client", "127.0.0.1", str(server.port), encoding=encoding, data=b"5\n")
    assert done.returncode == 0
    assert b"codec" not in done.stderr + done.stdout


def test_json_has_nothing_that_moves_a_cursor_or_turns_a_line(talk: Run) -> None:
    text = "\x9b31m\u202egnp\u2069\u2028end"
    assert talk("send", "@all", text)[0] == 0
    out = command("tail", "@all", "-n", "1", "--json").stdout.decode()
    assert json.loads(out)["text"] == text[1:]  # the server takes out what steers a terminal
    assert "31m\\u202egnp\\u2069\\u2028end" in out


@pytest.mark.parametrize(
    "data", [b"alpha\r\nomega\r\n", b"\xef\xbb\xbfalpha\nomega\n", b"alpha\romega\r", "alpha\r\nomega".encode("utf-16")]
)
def test_standard_input_may_be_from_windows(talk: Run, data: bytes) -> None:
    assert command("send", "@all", "-", data=data).returncode == 0
    assert json.loads(talk("tail", "@all", "-n", "1", "--json")[1])["text"] == "alpha\nomega"


def test_standard_input_in_the_terminals_encoding(talk: Run) -> None:
    assert command("send", "@all", "-", data="чай\n".encode("koi8-r"), encoding="koi8-r").returncode == 0
    assert json.loads(talk("tail", "@all", "-n", "1", "--json")[1])["text"] == "чай"


def test_words_that_are_no_text_are_replaced_or_refused(talk: Run) -> None:
    assert by_shell('"$@"', "send", "@all", os.fsdecode(b"caf\xe9")).returncode == 0
    assert json.loads(talk("tail", "@all", "-n", "1", "--json")[1])["text"] == "caf?"
    refused = by_shell('"$@"', "tail", "-u", os.fsdecode(b"caf\xe9"))
    assert refused.returncode == 2
    assert b"no text" in refused.stderr
    assert b"Traceback" not in refused.stderr


def test_a_password_file_from_windows_has_the_same_password(server: Server, run: Run, home: Path) -> None:
    file = home / "password"
    file.write_bytes(b"\xef\xbb\xbfcorrect horse\r\nsecond line\r\n")
    assert run("passwd", "--new-file", str(file))[0] == 0
    file.write_bytes(b"correct horse")
    shell = f"TCPCHAT_PASSWORD_FILE='{file}' TCPCHAT_KEY_FILE='{home / 'other.key'}'"
    assert by_shell(f'{shell} "$@"', "whoami", "--no-input").returncode == 0
    file.write_bytes(b"wrong\xff")
    assert run("passwd", "--new-file", str(file))[0] == 2


def test_a_settings_file_from_windows(run: Run, home: Path) -> None:
    (home / "config.toml").write_bytes(b'\xef\xbb\xbf[default]\r\nserver = "chat:1"\r\n[server]\r\nnetwork = "n"\r\n')
    assert run("config", "get", "server")[1] == "chat:1\n"
    assert run("config", "set", "ui.theme", "dark")[0] == 0
    assert run("config", "get", "server.network")[1] == "n\n"


# -- outputs that take nothing -----------------------------------------------------------------------------------------

PRINTING = [
    ["--version"], ["--help"], ["send", "--help"], ["tail", "@all"], ["who", "--all"], ["status"], ["doctor"],
    ["config"], ["completion", "fish"], ["search", "tea", "--json"],
]  # fmt: skip
FULL = pytest.param(">/dev/full", marks=pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full"))


@pytest.mark.parametrize("words", PRINTING, ids=" ".join)
@pytest.mark.parametrize("how", [">&-", FULL])
def test_output_that_cannot_be_written_is_an_error_in_a_sentence(talk: Run, words: list[str], how: str) -> None:
    unbuffered = "1" if words[-1] == "--help" else ""
    done = by_shell(f'PYTHONUNBUFFERED={unbuffered} "$@" {how}', *words)
    assert done.returncode == 1
    assert done.stderr.startswith(b"The output cannot be written: ")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("words", PRINTING, ids=" ".join)
def test_nobody_misses_standard_error_and_input(talk: Run, words: list[str]) -> None:
    done = by_shell('"$@" 2>&- <&-', *words)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout


@pytest.mark.parametrize("words", PRINTING, ids=" ".join)
def test_a_reader_that_has_gone_is_an_exit_code_and_no_word(talk: Run, words: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = command(*words, stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize("how", [">&-", ">/dev/full", "2>/dev/full", ">/dev/full 2>&1"])
def test_a_message_that_was_taken_is_a_success_whoever_reads_so(talk: Run, how: str) -> None:
    done = by_shell(f'"$@" {how}', "send", "@all", f"sent with {how}")
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr
    assert talk("tail", "@all", "-n", "1")[1].endswith(f"sent with {how}\n")


@pytest.mark.parametrize("how", [">&-", ">/dev/full", "2>&-", ">&- 2>&- <&-"])
def test_a_usage_error_stays_one(how: str) -> None:
    for words in (["nosuch"], ["send", "--nosuch"], ["send"]):
        assert by_shell(f'"$@" {how} </dev/null', *words).returncode == 2


@pytest.mark.parametrize(
    ("words", "environment", "code"),
    [
        (["send", "", "hi"], {}, 2),
        (["send", ",", "hi"], {}, 2),
        (["who", "--timeout", "0"], {}, 3),
        (["who", "-s", ".."], {}, 3),
        (["who"], {"TCPCHAT_KEY_FILE": "/"}, 4),
        (["who"], {"TCPCHAT_CONFIG": "/"}, 2),
        (["passwd", "--new-file", "/"], {}, 2),
        (["config", "edit"], {"VISUAL": "no-such-editor"}, 2),
        (["config", "edit"], {"VISUAL": "/"}, 2),
        (["admin", "--data", "/dev/null", "users"], {}, 2),
        (["admin", "--data", "/nonexistent", "users"], {}, 1),
    ],
)
def test_what_is_in_the_way_is_one_sentence(
    server: Server, words: list[str], environment: dict[str, str], code: int
) -> None:
    call = [sys.executable, "-m", "tcpchat", *words]
    env = {**os.environ, **environment}
    done = subprocess.run(call, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False)
    assert (done.returncode, done.stderr.count(b"\n"), done.stdout) == (code, 1, b""), done.stderr
    assert b"Errno" not in done.stderr
