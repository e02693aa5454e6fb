"""The short form of benchmarks/fuzz.py: what the long form has found, and a second of damaged bytes at every door."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import fuzz, oracle

CORPUS = Path(__file__).resolve().parent / "corpus"


@pytest.mark.parametrize("door", sorted(fuzz.DOORS))
def test_damaged_bytes_do_no_harm(door: str) -> None:
    assert fuzz.by_mutation(door, 2.0, seed=7) > 20


@pytest.mark.parametrize("door", sorted(fuzz.DOORS))
def test_what_was_found_does_no_harm(door: str) -> None:
    assert fuzz.replay(door, CORPUS) > 5


def test_the_corpus_is_small() -> None:
    files = [path for path in CORPUS.rglob("*") if path.is_file()]
    assert len(files) < 300
    assert sum(path.stat().st_size for path in files) < 300_000


def test_paths_that_were_a_fault_once(tmp_path: Path) -> None:
    bench = fuzz.Bench(tmp_path)
    for path in (b"M", b"*", b"M/x", b"//", b"/%00", b"http://a/b"):
        bench.throw([b"POST " + path + b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"])
    bench.close()


@pytest.mark.parametrize(
    ("door", "said"),
    [
        ("native", b'{"t":"message","text":"a\rb"}\n'),
        ("native", b"[]\n"),
        ("native", b'{"t":"a"}{"t":"b"}\n'),
        ("irc", b":a PRIVMSG #all :x\n:b NOTICE c :d\r\n"),
        ("irc", b":a PRIVMSG #all :x\0\r\n"),
        ("irc", b":a PRIVMSG #all :" + b"x" * 500 + b"\r\n"),
        ("irc", b"@" + b"x" * 8_192 + b" PING a\r\n"),
        ("irc", b":a privmsg\r\n"),
        ("irc", b":a PRIVMSG #all :\xff\r\n"),
        ("seed", b'{"TYPE":"BYE"}'),
        ("seed", b'{"TYPE":"BYE","BODY":""}x'),
        ("web", b"HTTP/1.1 200 OK\r\nX: a\nb\r\n\r\n"),
        ("web", b"HTTP/1.1 200 OK\r\nX y: a\r\n\r\n"),
        ("web", b"HTTP/1.1 101 Switching\r\nA: b\r\n\r\n\x81\x83abc"),
    ],
)
def test_the_oracle_sees_what_may_not_be_said(door: str, said: bytes) -> None:
    watch = oracle.Watch(door)
    watch.feed(said[:2])
    assert not watch.fault
    watch.feed(said[2:])
    assert watch.fault


def test_the_oracle_lets_pass_what_may_be_said() -> None:
    for door, said in (
        ("native", b'{"t":"message","text":"a\\r\\n"}\n{"t":"bye"}\n'),
        ("irc", b"@time=x;label=1 :a!b@c PRIVMSG #all :quack\r\n:here 001 a :hi\r\nPING x\r\n"),
        ("seed", b'{"TYPE": "STATE", "BODY": "WAIT4CLIENTS"}{"TYPE":"BYE","BODY":""}'),
        ("web", b'HTTP/1.1 101 Switching Protocols\r\nA: b\r\n\r\n\x81\x0b{"t":"bye"}\x88\x00'),
    ):
        watch = oracle.Watch(door)
        for at in range(len(said)):
            watch.feed(said[at : at + 1])
        assert not watch.fault
