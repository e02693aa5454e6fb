"""What was read is on disk before anybody is told: a real process, killed at the moment of the telling."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from support.rawpeer import Peer, Start
from tcpchat.log import LogUnavailable
from tcpchat.trust.keys import Key

SERVE = """
import asyncio, sys, tcpchat
async def main():
    async with tcpchat.Server(port=0, data=sys.argv[1], plain_only=True) as server:
        print(server.port, flush=True)
        await server.serve_forever()
asyncio.run(main())
"""


async def serve(folder: Path) -> tuple[asyncio.subprocess.Process, int]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVE, str(folder), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    return process, int(await process.stdout.readline())


async def own(port: int, login: str, folder: Path) -> Peer:
    """A claimed login on a raw connection."""
    from tcpchat.core.rules import challenge_text

    key = Key.load_or_make(folder / f"{login}.key")
    peer = await Peer.connect(port)
    peer.send("hello", login=login, device=f"{login}-1", key=key.public, claim=True)
    challenge = await peer.until("challenge")
    peer.send("proof", signature=key.sign(challenge_text(challenge["nonce"], login, "")), key=key.public)
    peer.welcome = await peer.until("welcome")
    return peer


@pytest.mark.parametrize("told", ["done", "receipt"])
@pytest.mark.usefixtures("closed_peers")
async def test_who_was_told_of_a_reading_finds_it_after_kill_9(tmp_path: Path, told: str) -> None:
    process, port = await serve(tmp_path / "data")
    try:
        alice, bob = await own(port, "alice", tmp_path), await own(port, "bob", tmp_path)
        seq = 0
        for n in range(1, 6):
            seq = (await bob.say("@alice", f"{n}", n))["seq"]
            alice.send("read", to="@bob", seq=seq, ref="r")
            if told == "done":
                assert (await alice.until("done", ref="r"))["seq"] == seq
            else:
                await bob.until("receipt", state="read", seq=seq)
            os.kill(process.pid, signal.SIGKILL)
            await process.wait()
            await alice.gone()
            await bob.gone()
            process, port = await serve(tmp_path / "data")
            alice, bob = await own(port, "alice", tmp_path), await own(port, "bob", tmp_path)
            mine, theirs = await alice.until("roomlist"), await bob.until("roomlist")
            assert next(one["read"] for one in mine["rooms"] if one["to"] == "@bob") == seq
            assert next(one["seen"] for one in theirs["rooms"] if one["to"] == "@alice") == seq
            assert next(one["delivered"] for one in theirs["rooms"] if one["to"] == "@alice") == seq
    finally:
        process.kill()
        await process.wait()


async def test_a_reading_that_cannot_be_kept_is_refused_and_changes_nothing(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await start()
    duck = await Peer.enter(server.port, "duck", device="d1")
    goose = await Peer.enter(server.port, "goose", device="g1")
    seq = (await duck.say("@goose", "hello", 1))["seq"]
    assert server.log is not None

    async def full() -> None:
        raise LogUnavailable("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(server.log, "sync", full)
        goose.send("read", to="@duck", seq=seq, ref="r")
        assert (await goose.until("refused", ref="r"))["code"] == "unavailable"
    assert [one for one in await duck.sync() if one.get("state") == "read"] == []
    goose.send("read", to="@duck", seq=seq, ref="again")
    assert (await goose.until("done", ref="again"))["seq"] == seq
    await duck.until("receipt", state="read", seq=seq)


async def test_a_whole_room_that_reads_costs_few_commits(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    server = await start()
    assert server.log is not None
    duck = await Peer.enter(server.port, "duck", device="d1")
    readers = [await Peer.enter(server.port, f"r{n}", device=f"r{n}") for n in range(60)]
    seq = (await duck.say("#all", "hello", 1))["seq"]
    commits = 0
    store = server.log._store  # type: ignore[attr-defined]
    keep = store.keep

    def counted(cursors: object) -> None:
        nonlocal commits
        commits += 1
        keep(cursors)

    monkeypatch.setattr(store, "keep", counted)
    for reader in readers:
        reader.send("read", to="#all", seq=seq, ref="r")
    for reader in readers:
        await reader.until("done", ref="r")
    assert commits <= 20, "one for many"
