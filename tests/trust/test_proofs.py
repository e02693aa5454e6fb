"""Proofs of a login: bound to one connection and one server; guesses; devices that are linked by a code."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from support.tlspeer import Native, Start, dial, secure
from tcpchat import cli
from tcpchat.client.first_use import known_servers
from tcpchat.core import linking, throttle
from tcpchat.core.model import Check
from tcpchat.core.proofs import proof_text
from tcpchat.core.rules import challenge_text
from tcpchat.core.sessions import Session
from tcpchat.core.throttle import Guesses
from tcpchat.server import Server, clock
from tcpchat.trust import certificates, checking, passwords
from tcpchat.trust.checking import Checker
from tcpchat.trust.keys import Key


def prove(peer: Native, login: str, key: Key, binding: str, **hello: Any) -> dict[str, Any]:
    challenge = peer.enter(login, key=key.public, claim=True, **hello)
    if challenge["t"] != "challenge":
        return challenge
    peer.send("proof", signature=key.sign(challenge_text(challenge["nonce"], login, binding)), key=key.public)
    return peer.until("welcome", "refused")


@pytest.fixture
def key(server: Server) -> Key:
    """The key that has claimed duck."""
    made = Key.make()
    with Native(secure(server.port)) as peer:
        assert prove(peer, "duck", made, server.fingerprint)["claimed"]
    return made


def test_a_proof_is_bound_to_the_servers_key(server: Server, key: Key, tmp_path: Path) -> None:
    """Who stands in between with a key of their own cannot pass the proof on; nor can one be used in plain."""
    other = certificates.own(tmp_path).fingerprint
    for binding in (other, ""):
        with Native(secure(server.port)) as peer:
            assert prove(peer, "duck", key, binding)["code"] == "wrong_proof"
    with Native(dial(server.port)) as peer:
        assert prove(peer, "duck", key, server.fingerprint)["code"] == "wrong_proof"
    with Native(dial(server.port)) as peer:
        assert prove(peer, "duck", key, "")["t"] == "welcome"


def test_a_proof_in_plain_is_for_one_server_address_and_mode(server: Server, start: Start, key: Key) -> None:
    """Changed in one of them it opens nothing; as it was meant it opens."""
    here, other = f"localhost:{server.port}", start()
    with Native(dial(other.port)) as peer:
        another = peer.enter("duck", key=key.public, claim=True)["server"]
    for name, at, mode, opens in (
        ("", here, "plain", True), (another, here, "plain", False), ("", here, "tls", False), ("", here, "ws", False),
        ("", f"localhost:{other.port}", "plain", False), ("", "chat.example:6060", "plain", True),
    ):  # fmt: skip
        with Native(dial(server.port)) as peer:
            challenge = peer.enter("duck", key=key.public)
            assert challenge["server"] not in ("", another)
            text = proof_text(challenge["nonce"], "duck", name or challenge["server"], at, mode, "")
            peer.send("proof", signature=key.sign(text), at=at)
            assert (peer.until("welcome", "refused")["t"] == "welcome") is opens, (name, at, mode)


class Between:
    """Who has taken a port of this machine: speaks no TLS, asks the real server in plain, and changes what it likes."""

    def __init__(self, real: Server, **changes: Any) -> None:
        self.real, self.changes = real, changes
        self.got: list[dict[str, Any]] = []  # what it was given, and what the real server said to it
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve)

    def _serve(self) -> None:
        while True:
            own, _ = self.listener.accept()
            with Native(own) as victim:
                first = victim.file.read(1)
                if not first:
                    return
                if first == b"{":
                    self._relay(victim, json.loads(first + victim.file.readline()))

    def _relay(self, victim: Native, hello: dict[str, Any]) -> None:
        with Native(dial(self.real.port)) as there:
            challenge = there.enter(hello["login"], key=hello["key"])
            victim.send("challenge", **{**challenge, **self.changes})
            for line in victim.file:
                if (proof := json.loads(line))["t"] == "proof":
                    self.got.append(proof)
                    there.send("proof", **{**proof, "key": hello["key"]})
                    self.got.append(there.until("welcome", "refused"))
                    return

    def __enter__(self) -> Between:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with dial(self.port):
            pass  # nothing is said: the end
        self.thread.join()
        self.listener.close()


def said(port: int, capsys: pytest.CaptureFixture[str], text: str = "hello") -> tuple[int, str]:
    """``tcpchat send`` to a port of this machine: exit code and standard error."""
    code = cli.main(["send", "-s", f"localhost:{port}", "-u", "duck", "#all", text])
    return code, capsys.readouterr().err


@pytest.mark.parametrize("first", ["tls", "plain"])
def test_who_passes_a_challenge_on_gets_no_proof_that_opens(
    server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    monkeypatch.setenv("TCPCHAT_TLS", "auto" if first == "tls" else "never")
    assert said(server.port, capsys)[0] == 0
    monkeypatch.setenv("TCPCHAT_TLS", "auto")
    for changes in ({}, {"server": "f" * 32}):
        with Between(server, **changes) as between:
            assert said(between.port, capsys)[0] != 0
        assert [one["t"] for one in between.got] == ["proof", "refused"]
        assert between.got[1]["code"] == "wrong_proof"


def test_a_key_that_is_used_elsewhere_signs_nothing_nameless(
    server: Server, start: Start, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert said(server.port, capsys)[0] == 0
    assert "#id localhost" in (home / "known_servers").read_text()
    with Between(server, server="") as between:
        code, told = said(between.port, capsys)
    assert (code, between.got) == (4, [])
    assert f"localhost:{server.port}" in told
    assert "does not say which server it is" in told
    known_servers().forget("localhost", server.port)  # a key that is used nowhere else may be shown to an old server
    with Between(server, server="") as between:
        said(between.port, capsys)
    assert between.got[0]["t"] == "proof"


def test_another_server_at_the_same_place_is_noticed(
    server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TCPCHAT_TLS", "never")
    assert said(server.port, capsys)[0] == 0
    known, where = known_servers(), f"localhost:{server.port}"
    (met,) = known.met()
    assert (met.address, met.id) == (where, server.chat.server_id)
    known.meet(where, "f" * 32, met.keys[0])
    code, told = said(server.port, capsys)
    assert code == 4
    assert f"tcpchat trust forget {where}" in told
    assert cli.main(["trust", "forget", where]) == 0
    assert said(server.port, capsys)[0] == 0
    assert [one.id for one in known.met()] == [server.chat.server_id]


def test_a_server_that_is_known_elsewhere_is_believed_over_tls_only(
    server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert said(server.port, capsys)[0] == 0
    known_servers().forget("localhost", server.port)
    known_servers().meet("chat.example:6060", server.chat.server_id, "SHA256:a")
    monkeypatch.setenv("TCPCHAT_TLS", "never")
    code, told = said(server.port, capsys)
    assert code == 4
    assert "chat.example:6060" in told
    monkeypatch.delenv("TCPCHAT_TLS")
    assert said(server.port, capsys)[0] == 0


def test_a_proof_cannot_be_replayed(server: Server, key: Key) -> None:
    with Native(secure(server.port)) as peer:
        nonce = peer.enter("duck", key=key.public)["nonce"]
        signature = key.sign(challenge_text(nonce, "duck", server.fingerprint))
        peer.send("proof", signature=signature, key=key.public)
        assert peer.until("welcome")
    with Native(secure(server.port)) as thief:
        assert thief.enter("duck", key=key.public)["nonce"] != nonce
        thief.send("proof", signature=signature, key=key.public)
        assert thief.until("refused", "welcome")["code"] == "wrong_proof"


def test_nobody_else_is_duck(server: Server, key: Key) -> None:
    for hello in ({}, {"key": Key.make().public}, {"key": "ed25519:AAAA"}, {"key": key.public, "claim": True}):
        with Native(secure(server.port)) as peer:
            assert peer.enter("duck", **hello)["t"] == "challenge"
            peer.send("say", to="#all", text="I am duck", n=1)
            peer.send("proof", signature="AAAA", key=hello.get("key", ""))
            assert peer.until("refused", "welcome")["t"] == "refused"


def test_a_revoked_key_opens_nothing(server: Server, key: Key) -> None:
    other = Key.make()
    with Native(secure(server.port)) as peer:
        challenge = peer.enter("duck", key=key.public)
        peer.send("proof", signature=key.sign(challenge_text(challenge["nonce"], "duck", server.fingerprint)))
        peer.until("welcome")
        text = challenge_text(challenge["nonce"], "duck", server.fingerprint)
        peer.send("key", do="add", key=other.public, signature=other.sign(text), ref=1)
        assert peer.until("done", "refused")["t"] == "done"
        peer.send("key", do="revoke", key=other.public, ref=2)
        assert peer.until("done", "refused")["t"] == "done"
    with Native(secure(server.port)) as peer:
        assert prove(peer, "duck", other, server.fingerprint)["code"] == "wrong_proof"


# -- guesses ---------------------------------------------------------------------------------------------------------


def test_waits_grow_by_address() -> None:
    past = Guesses()
    waits = []
    for _ in range(20):
        past.wrong("192.0.2.1", 100.0)
        waits.append(past.wait("192.0.2.1", 100.0))
    assert waits[: throttle.FREE] == [0.0] * (throttle.FREE - 1) + [1.0]
    assert waits[throttle.FREE : throttle.FREE + 3] == [2.0, 4.0, 8.0]
    assert waits[-1] == throttle.MOST_SECONDS
    assert past.wait("192.0.2.2", 100.0) == 0
    later = 100.0 + throttle.FORGET_SECONDS + 1
    past.wrong("192.0.2.1", later)
    assert past.wait("192.0.2.1", later) == 0


def test_addresses_that_are_one() -> None:
    past = Guesses()
    for number in range(throttle.FREE):
        past.wrong(f"2001:db8::{number}", 0.0)
        past.wrong("", 0.0)
        past.wrong("unix", 0.0)
    assert past.wait("2001:db8::ffff", 0.0) == past.wait("unix", 0.0) == 1.0
    assert past.wait("2001:db8:0:1::", 0.0) == past.wait("", 0.0) == 0


def test_only_so_many_addresses_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "ADDRESSES", 2)
    past = Guesses()
    for number in range(5):
        past.wrong(f"192.0.2.{number}", 0.0)
    assert len(past._at_one._past) == len(past._in_all._past) == 2


def guess(port: int, password: str, login: str = "goose") -> dict[str, Any]:
    with Native(secure(port)) as peer:
        assert peer.enter(login)["t"] == "challenge"
        peer.send("password", password=password)
        return peer.until("refused", "welcome")


def with_passwords(server: Server, *logins: str) -> None:
    """Logins whose password is ``quack quack``; the first one owns the place."""
    for login in logins:
        with Native(secure(server.port)) as peer:
            peer.enter(login)
            peer.send("password", password="", new="quack quack", ref=1)
            assert peer.until("done", "refused")["t"] == "done"


def test_wrong_passwords_have_to_wait(server: Server) -> None:
    with_passwords(server, "duck", "goose")
    assert [guess(server.port, "wrong")["code"] for _ in range(throttle.FREE)] == ["wrong_password"] * throttle.FREE
    refused = guess(server.port, "quack quack")
    assert refused["code"] == "too_fast"
    assert 0 < refused["after"] <= 1
    server.chat.guesses = Guesses()
    assert guess(server.port, "quack quack")["t"] == "welcome"


def test_who_guesses_at_one_login_keeps_nobody_else_out(server: Server) -> None:
    with_passwords(server, "duck", "goose", "swan")
    for _ in range(throttle.FREE + 2):
        guess(server.port, "wrong", "goose")
        guess(server.port, "wrong", "duck")
    assert guess(server.port, "quack quack", "goose")["code"] == "too_fast"
    assert guess(server.port, "quack quack", "swan")["t"] == "welcome"
    assert guess(server.port, "quack quack", "duck")["t"] == "welcome", "the owner, on this machine"


def test_guesses_at_once_are_no_more_than_one_by_one(server: Server) -> None:
    with_passwords(server, "duck", "goose")
    peers = [Native(secure(server.port)) for _ in range(20)]
    for peer in peers:
        assert peer.enter("goose")["t"] == "challenge"
    for peer in peers:
        peer.send("password", password="wrong")
    codes = [peer.until("refused")["code"] for peer in peers]
    for peer in peers:
        peer.socket.close()
    assert codes.count("wrong_password") == throttle.FREE
    assert codes.count("too_fast") == 20 - throttle.FREE


def test_right_passwords_at_once_are_no_guesses(server: Server) -> None:
    with_passwords(server, "duck", "goose")
    for _ in range(2 * throttle.FREE):
        assert guess(server.port, "quack quack")["t"] == "welcome"
    assert server.chat.guesses.wait("127.0.0.1", clock.now(), "goose") == 0


def test_many_logins_of_one_address_are_counted_together_and_never_wait_long() -> None:
    past = Guesses()
    for number in range(throttle.FREE_IN_ALL + 10):
        past.wrong("192.0.2.1", 0.0, f"login{number}")
    assert past.wait("192.0.2.1", 0.0, "another") == throttle.MOST_IN_ALL
    assert past.wait("192.0.2.2", 0.0, "another") == 0


@pytest.mark.parametrize("kind", [{"new": "other"}, {"password": "wrong", "new": "other"}, {"password": "wrong"}])
def test_every_kind_of_password_work_is_one_at_a_time(server: Server, kind: dict[str, str]) -> None:
    with Native(secure(server.port)) as peer:
        peer.enter("goose")
        lines = [{"t": "password", "password": "", "ref": ref, **kind} for ref in (1, 2, 3)]
        peer.socket.sendall("".join(json.dumps(line) + "\n" for line in lines).encode())
        codes = {(event := peer.until("refused"))["ref"]: event["code"] for _ in range(2)}
    assert "too_many_pending" in codes.values()
    assert codes.get(3) == "too_many_pending" or codes.get(2) == "too_many_pending"


async def test_the_turns_go_round_the_addresses() -> None:
    queue, order = checking.Queue(), []

    async def one(address: str) -> None:
        await queue.turn(address)
        order.append(address)

    tasks = [asyncio.create_task(one(address)) for address in ("a", "a", "a", "a", "b", "c")]
    await asyncio.sleep(0)
    for _ in tasks:
        queue.done()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert order == ["a", "a", "b", "c", "a", "a"]


async def test_no_address_fills_the_queue() -> None:
    queue = checking.Queue()
    assert [queue.enter("a") for _ in range(checking.SHARE_MAX + 1)] == [True] * checking.SHARE_MAX + [False]
    assert queue.enter("b")
    queue.leave("a")
    assert queue.enter("a")


def test_a_session_guesses_one_at_a_time(server: Server) -> None:
    with Native(secure(server.port)) as peer:
        peer.enter("duck")
        lines = [{"t": "password", "password": "x", "account": "goose", "ref": ref} for ref in (1, 2, 3)]
        peer.socket.sendall(
            "".join(json.dumps(line) + "\n" for line in lines).encode()
        )  # in one piece: none is answered before
        codes = {(event := peer.until("refused"))["ref"]: event["code"] for _ in range(3)}
    assert codes == {1: "wrong_password", 2: "too_many_pending", 3: "too_many_pending"}


async def test_the_queue_of_passwords_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "WAITING_MAX", 3)
    checker = Checker()
    check = Check(Session(1, 0.0), "password", "x")
    assert sorted(map(str, await asyncio.gather(*(checker.check(check) for _ in range(5))))) == [
        "",
        "",
        "",
        "None",
        "None",
    ]
    assert await checker.check(check) == ""
    checker.close()


def test_passwords_have_a_process_that_goes_last() -> None:
    worker = passwords.Worker()
    try:
        hashed = worker.ask("hash", "quack\nżółw", "")
        assert hashed.startswith("$argon2id$")
        assert worker.ask("password", "quack\nżółw", hashed) == "ok"
        process = worker._process
        assert process is not None
        if sys.platform == "linux":
            assert os.getpriority(os.PRIO_PROCESS, process.pid) == passwords.NICE
        process.kill()
        process.wait()
        assert worker.ask("password", "quack\nżółw", hashed) == "ok"  # a successor
        assert worker._process is not process
        last = worker._process
        assert last is not None
    finally:
        worker.close()
        worker.join()
    assert last.returncode is not None
    assert worker.ask("password", "quack", hashed) == ""


def test_where_no_process_can_be_had_it_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "")
    worker = passwords.Worker()
    assert worker.ask("password", "quack", worker.ask("hash", "quack", "")) == "ok"
    assert worker._process is None


def test_overload_is_told(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "WAITING_MAX", 0)
    with Native(secure(server.port)) as peer:
        peer.enter("duck")
        peer.send("password", password="", new="quack quack", ref=1)
        refused = peer.until("done", "refused")
        assert (refused["code"], refused["after"]) == ("too_fast", 1.0)


def test_time_tells_nothing_about_who_exists() -> None:
    hashed = passwords.work("hash", "quack", "")
    fits = passwords.work("password", "quack", hashed)
    assert fits == "ok"
    took = []
    for against in (hashed, ""):
        best = 1.0
        for _ in range(3):
            start = time.perf_counter()
            assert passwords.work("password", "x", against) == ""
            best = min(best, time.perf_counter() - start)
        took.append(best)
    assert took[1] > took[0] / 3


# -- linking ---------------------------------------------------------------------------------------------------------


def code_of(peer: Native) -> str:
    peer.send("key", do="link", ref=7)
    event = peer.until("done", "refused")
    assert event["t"] == "done", event
    return str(event["data"]["code"])


def test_a_device_is_linked_by_a_code(server: Server, key: Key) -> None:
    second = Key.make()
    with Native(secure(server.port)) as first:
        prove(first, "duck", key, server.fingerprint)
        code = code_of(first)
        assert len(code) == linking.LENGTH
        with Native(secure(server.port)) as peer:
            welcome = prove(peer, "duck", second, server.fingerprint, token=f"{code[:4]}-{code[4:]}".lower())
            assert (welcome["t"], welcome["login"]) == ("welcome", "duck")
        with Native(secure(server.port)) as thief:  # a code opens once
            assert prove(thief, "duck", Key.make(), server.fingerprint, token=code)["code"] == "wrong_proof"
    with Native(secure(server.port)) as peer:
        assert prove(peer, "duck", second, server.fingerprint)["t"] == "welcome"


def test_a_code_without_the_key_is_nothing(server: Server, key: Key) -> None:
    with Native(secure(server.port)) as first:
        prove(first, "duck", key, server.fingerprint)
        code = code_of(first)
        with Native(secure(server.port)) as peer:
            peer.enter("duck", key=Key.make().public, token=code)
            peer.send("proof", signature="AAAA")
            assert peer.until("refused")["code"] == "wrong_proof"


def test_codes_run_out(server: Server, key: Key) -> None:
    with Native(secure(server.port)) as first:
        prove(first, "duck", key, server.fingerprint)
        code = code_of(first)
        [(uid, shown)] = server.chat.links.items()
        assert 590 < shown.until - time.time() <= 600
        server.chat.links[uid] = shown._replace(until=time.time() - 1)
        with Native(secure(server.port)) as peer:
            assert prove(peer, "duck", Key.make(), server.fingerprint, token=code)["code"] == "wrong_proof"


def test_codes_cannot_be_guessed(server: Server, key: Key) -> None:
    with Native(secure(server.port)) as first:
        prove(first, "duck", key, server.fingerprint)
        code = code_of(first)
        for _ in range(throttle.FREE):
            with Native(secure(server.port)) as peer:
                assert peer.enter("duck", key=Key.make().public, token="AAAAAAAA")["code"] == "wrong_proof"
        with Native(secure(server.port)) as peer:  # the right one comes too late from here
            refused = peer.enter("duck", key=Key.make().public, token=code)
            assert (refused["code"], refused["fatal"]) == ("too_fast", True)
            assert refused["after"] > 500


def test_a_guest_links_nothing(server: Server) -> None:
    with Native(secure(server.port)) as peer:
        peer.enter("goose")
        peer.send("key", do="link", ref=7)
        assert peer.until("refused")["code"] == "guest"


def test_linking_from_the_command_line(
    start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TCPCHAT_SERVER", f"127.0.0.1:{start().port}")
    assert cli.main(["login", "--link"]) == 0
    out, err = capsys.readouterr()
    assert f"tcpchat login {out.strip()} -u 'me'" in err
    monkeypatch.setenv("TCPCHAT_HOME", str(tmp_path / "second"))
    assert cli.main(["whoami"]) == 4
    assert cli.main(["login", "AAAA-AAAA"]) == 4
    capsys.readouterr()
    assert cli.main(["login", out.strip(), "--json"]) == 0
    assert json.loads(capsys.readouterr()[0]) == {"login": "me"}
    assert cli.main(["login"]) == 0
    assert cli.main(["login", "--link", "--json"]) == 0
    assert cli.main(["keys"]) == 0
    assert capsys.readouterr()[0].count("ed25519:") >= 2
