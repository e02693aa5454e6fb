"""Registration, capabilities, SASL, accounts, several connections of one account, the end."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode
from typing import Any

import pytest

from support.ircpeer import House, commands, only


def plain(account: str, password: str, zone: str = "") -> str:
    return b64encode(f"{zone}\0{account}\0{password}".encode()).decode()


def test_the_welcome(house: House) -> None:
    a = house.join("alice")
    words = commands(a.seen)
    assert words[:4] == ["001", "002", "003", "004"]
    assert "005" in words
    assert [word for word in words if word in ("251", "255", "265", "266", "422")] == [
        "251",
        "255",
        "265",
        "266",
        "422",
    ]
    for line in a.seen:
        if line.command == "005":
            assert len(line.params) <= 15
            assert all(token.count("=") <= 1 and token.isascii() for token in line.params[1:-1])


def test_names_that_cannot_be(house: House) -> None:
    a = house.connect()
    a.send("NICK *", "USER u 0 * :real")
    assert a.read().command == "432"
    a.send("NICK :", "NICK", "NICK nickserv", "NICK valid")
    assert commands(a.until("001")) == ["431", "431", "432", "001"]
    b = house.connect()
    b.send("NICK foo", "USER username 0 * :")
    assert b.read().params[:2] == ["foo", "USER"]
    b.send("USER x", "FOO", "JOIN #r")
    assert commands([b.read(), b.read(), b.read()]) == ["461", "451", "451"]
    a.sync()
    assert commands(a.ask("USER u 0 * :again", "PASS x")) == ["462", "462"]


def test_two_want_one_name(house: House) -> None:
    house.join("foo")
    b = house.connect()
    b.send("NICK FOO", "USER u 0 * :real")
    assert b.read().command == "433"
    b.send("NICK other")
    assert b.until("001")[-1].params[0] == "other"


def test_changing_names(house: House) -> None:
    a, b = house.join("alice", rooms=("#r",)), house.join("bob", rooms=("#r",))
    a.sync()
    assert commands(b.ask("NICK alice")) == ["433"]
    assert b.ask("NICK " + "b" * 40)[0].params[:2] == ["bob", "b" * 40]
    (line,) = a.ask("NICK Alice")
    assert (line.command, line.params) == ("NICK", ["Alice"])
    assert b.sync()[-1].params == ["Alice"]
    assert a.ask("NICK Alice") == []
    (line,) = a.ask("NICK malice")
    assert line.source.startswith("Alice!")
    house.join("alice")


def test_a_name_is_free_when_its_wearer_has_gone(house: House) -> None:
    for nick in ("alice", "alice", "ALICE"):
        a = house.join(nick)
        a.send("QUIT :bye")
        end = a.closed()
        assert commands(end) == ["QUIT", "ERROR"]


def test_server_password(make_house: Any) -> None:
    house: House = make_house(connection_password="open sesame")
    a = house.connect()
    a.send("PASS :open sesame", "NICK foo", "USER u 0 * :real")
    assert a.read().command == "001"
    for words in ([], ["PASS wrong"]):
        b = house.connect()
        b.send(*words, "NICK bar", "USER u 0 * :real")
        assert commands(b.closed()) == ["464", "ERROR"]


def test_motd(make_house: Any, tmp_path: Any) -> None:
    (tmp_path / "motd").write_text("Welcome\nto this\n")
    house: House = make_house(motd=str(tmp_path / "motd"))
    a = house.join("alice")
    assert [word for word in commands(a.seen) if word[:2] == "37"] == ["375", "372", "372", "376"]
    assert commands(a.ask("MOTD")) == ["375", "372", "372", "376"]


# -- capabilities --------------------------------------------------------------------------------------------


def test_capabilities(house: House) -> None:
    a = house.connect()
    a.send("CAP LIST")
    assert a.read().params == ["*", "LIST", ""]
    a.send("CAP LS")
    old = a.read().params
    assert len(old) == 3
    assert "=" not in old[2]
    a.send("CAP LS 302")
    words: list[str] = []
    while True:
        line = a.read()
        words += line.params[-1].split()
        if line.params[2] != "*":
            break
    caps = dict((*word.split("=", 1), "")[:2] for word in words)
    assert "PLAIN" in caps["sasl"]
    assert {"multi-prefix", "draft/chathistory", "draft/multiline"} <= set(caps)
    for wrong in (
        "foo qux bar baz qux quux",
        "foo multi-prefix bar",
        "multi-prefix bar",
        "-cap-notify",
        "sts",
    ):
        a.send(f"CAP REQ :{wrong}")
        assert a.read().params == ["*", "NAK", wrong]
    a.send("CAP REQ :multi-prefix server-time", "NICK foo", "USER u 0 * :real", "CAP NONSENSE", "CAP END")
    assert a.read().params == ["*", "ACK", "multi-prefix server-time"]
    assert commands(a.until("001")) == ["410", "001"]
    a.sync()
    assert set(only(a.ask("CAP LIST"), "CAP").params[-1].split()) == {
        "cap-notify",
        "multi-prefix",
        "server-time",
    }
    assert only(a.ask("CAP REQ :-server-time"), "CAP").params[1:] == ["ACK", "-server-time"]
    (line,) = a.ask("CAP LIST")
    assert line.tags is None
    assert "server-time" not in line.params[-1]


# -- SASL ----------------------------------------------------------------------------------------------------


def test_sasl_plain(house: House) -> None:
    house.account("jilles", "sesame")
    a = house.connect()
    a.send("CAP REQ :sasl", "AUTHENTICATE PLAIN")
    assert a.until("AUTHENTICATE")[-1].params == ["+"]
    a.send("AUTHENTICATE " + plain("jilles", "wrong"))
    assert a.read().command == "904"
    a.send("AUTHENTICATE PLAIN", "AUTHENTICATE " + plain("jilles", "sesame", "jilles"))
    assert [a.read().command for _ in range(3)] == ["AUTHENTICATE", "900", "903"]
    a.send("NICK foo", "USER u 0 * :real", "CAP END")
    assert a.until("001")[-1].params[0] == "foo"
    a.sync()
    (line,) = [line for line in a.ask("WHOIS foo") if line.command == "330"]
    assert line.params[:3] == ["foo", "foo", "jilles"]


def test_sasl_faults(house: House) -> None:
    a = house.connect()
    a.send("CAP REQ :sasl", "AUTHENTICATE FOO", "AUTHENTICATE *", "AUTHENTICATE PLAIN", "AUTHENTICATE *")
    assert commands(a.until("906")) == ["CAP", "908", "904", "904", "AUTHENTICATE", "906"]
    a.send("AUTHENTICATE PLAIN", "AUTHENTICATE " + "x" * 401)
    assert commands(a.until("905"))[-1] == "905"
    a.send("AUTHENTICATE PLAIN", "AUTHENTICATE !!!")
    assert commands(a.until("904"))[-1] == "904"
    a.send("AUTHENTICATE PLAIN", "AUTHENTICATE " + plain("x", "y", "another"))
    assert commands(a.until("904"))[-1] == "904"
    a.send("AUTHENTICATE")
    assert a.read().command == "461"


def test_sasl_in_pieces(house: House) -> None:
    for name, password in (("first", "bar" * 100), ("exact", "bar" * 95 + "abc")):
        house.account(name, password)
        blob = plain(name, password, name)
        a = house.connect()
        a.send("CAP REQ :sasl", "AUTHENTICATE PLAIN", f"AUTHENTICATE {blob[:400]}")
        a.send(f"AUTHENTICATE {blob[400:] or '+'}")
        assert commands(a.until("903", "904"))[-2:] == ["900", "903"]


def scram(a: Any, name: str, password: str) -> str:
    """Log in by SCRAM-SHA-256 as a client does (RFC 5802); the last command."""
    a.send("CAP REQ :sasl", "AUTHENTICATE SCRAM-SHA-256")
    a.until("AUTHENTICATE")
    first = f"n={name},r=clientnonce"
    a.send("AUTHENTICATE " + b64encode(b"n,," + first.encode()).decode())
    challenge = b64decode(a.read().params[0]).decode()
    words = dict(part.split("=", 1) for part in challenge.split(","))
    assert words["r"].startswith("clientnonce")
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), b64decode(words["s"]), int(words["i"]))
    key = hmac.digest(salted, b"Client Key", "sha256")
    bare = f"c=biws,r={words['r']}"
    text = f"{first},{challenge},{bare}".encode()
    signature = hmac.digest(hashlib.sha256(key).digest(), text, "sha256")
    proof = bytes(x ^ y for x, y in zip(key, signature, strict=True))
    a.send("AUTHENTICATE " + b64encode(f"{bare},p={b64encode(proof).decode()}".encode()).decode())
    line = a.read()
    if line.command != "AUTHENTICATE":
        return str(line.command)
    server = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), text, "sha256")
    assert b64decode(line.params[0]) == b"v=" + b64encode(server)
    a.send("AUTHENTICATE +")
    return str(a.until("903", "904")[-1].command)


def test_scram(house: House) -> None:
    house.account("Scramtest", "sesame")
    assert scram(house.connect(), "Scramtest", "sesame") == "903"
    assert scram(house.connect(), "Scramtest", "millet") == "904"
    assert scram(house.connect(), "nobody", "sesame") == "904"


def test_sasl_after_the_welcome(house: House) -> None:
    house.account("jilles", "sesame")
    house.account("foo", "barbar")
    watcher = house.join("watcher", "account-notify", rooms=("#r",))
    a = house.join("user", "sasl", rooms=("#r",))
    watcher.sync()
    for name, password in (("foo", "barbar"), ("jilles", "sesame")):
        lines = a.ask("AUTHENTICATE PLAIN", "AUTHENTICATE " + plain(name, password))
        assert commands(lines) == ["AUTHENTICATE", "900", "903"]
        assert only(watcher.sync(), "ACCOUNT").params == [name]


# -- accounts ------------------------------------------------------------------------------------------------


def test_register(house: House) -> None:
    house.join("sam")
    a = house.connect()
    a.send("CAP REQ :draft/account-registration", "NICK sam", "REGISTER * * sesame1")
    assert a.until("FAIL")[-1].params[:3] == ["REGISTER", "ACCOUNT_EXISTS", "sam"]
    a.send("NICK bar", "REGISTER other * sesame1x")
    assert a.until("FAIL")[-1].params[:2] == ["REGISTER", "ACCOUNT_NAME_MUST_BE_NICK"]
    a.send("REGISTER bar * ab")
    assert a.until("FAIL")[-1].params[:2] == ["REGISTER", "WEAK_PASSWORD"]
    a.send("REGISTER bar")
    assert a.until("FAIL")[-1].params[:2] == ["REGISTER", "NEED_MORE_PARAMS"]
    b = house.join("carol", "draft/account-registration")
    (line, logged) = b.ask("REGISTER carol * sesame")
    assert (line.command, line.params[:2]) == ("REGISTER", ["SUCCESS", "carol"])
    assert logged.command == "900"
    assert b.ask("REGISTER carol * sesame")[0].params[:2] == ["REGISTER", "ALREADY_AUTHENTICATED"]
    assert b.ask("VERIFY carol x")[0].params[:2] == ["VERIFY", "ALREADY_AUTHENTICATED"]
    d = house.join("dave", "draft/account-registration")
    assert d.ask("VERIFY dave x")[0].params[:2] == ["VERIFY", "INVALID_CODE"]
    assert d.ask("REGISTER eve * sesame")[0].params[1] == "ACCOUNT_NAME_MUST_BE_NICK"
    assert d.ask("REGISTER dave * ab")[0].params[1] == "WEAK_PASSWORD"
    assert d.ask("REGISTER dave")[0].params[1] == "NEED_MORE_PARAMS"


def test_register_settings(make_house: Any) -> None:
    house: House = make_house(irc_register_before_connect=False, irc_register_email=True)
    a = house.connect()
    a.send("CAP LS 302", "CAP REQ :draft/account-registration", "NICK bar", "REGISTER * * sesame")
    lines = a.until("FAIL")
    caps = " ".join(line.params[-1] for line in lines if line.command == "CAP" and line.params[1] == "LS")
    assert "draft/account-registration=email-required" in caps.split()[0:99]
    assert lines[-1].params[:2] == ["REGISTER", "COMPLETE_CONNECTION_REQUIRED"]
    b = house.join("bob")
    assert b.ask("REGISTER * * sesame")[0].params[:2] == ["REGISTER", "INVALID_EMAIL"]


def test_a_claimed_name_is_never_taken(house: House) -> None:
    house.account("duck", "sesame")
    a = house.connect()
    a.send("NICK duck", "USER u 0 * :real")
    assert a.read().command == "433"
    a.send("NICK rabbit")
    a.until("001")
    a.sync()
    assert commands(a.ask("NICK duck")) == ["433"]


def test_connections_of_one_account_are_one_nick(house: House) -> None:
    house.account("testuser", "sesame")
    watcher = house.join("watcher", rooms=("#r",))
    one = house.join("nick", "echo-message", "server-time", "message-tags", account="testuser", password="sesame")
    one.ask("JOIN #r")
    two = house.join("nick", "server-time", "message-tags", account="testuser", password="sesame", user="else")
    assert only(two.seen, "JOIN").params == ["#r"]
    watcher.sync()
    one.ask("PRIVMSG watcher :hello")
    assert only(watcher.sync(), "PRIVMSG").params == ["watcher", "hello"]
    assert only(two.sync(), "PRIVMSG").params == ["watcher", "hello"]
    one.send("QUIT :one out")
    one.closed()
    assert watcher.sync() == []
    assert two.sync() == []
    two.send("QUIT :two out")
    two.closed()
    assert "two out" in only(watcher.sync(), "QUIT").params[0]


def test_quit_is_shown(house: House) -> None:
    a, b = house.join("alice", rooms=("#r",)), house.join("bob", rooms=("#r",))
    a.sync()
    b.send("QUIT :qux out")
    b.closed()
    (line,) = a.sync()
    assert (line.command, line.source.split("!")[0]) == ("QUIT", "bob")
    assert "qux out" in line.params[0]
    c = house.join("carol", rooms=("#r",))
    a.sync()
    c.close()
    assert a.until("QUIT")[-1].source.startswith("carol!")


def test_pings(house: House) -> None:
    a = house.join("alice")
    assert only(a.ask("PING abcdef"), "PONG").params == ["My.Chat.Server", "abcdef"]
    assert commands(a.ask("PING", "PING :")) == ["409", "409"]
    b = house.connect()
    b.send("PING early")
    assert b.read().params[-1] == "early"
    b.send("QUIT :gone before it began")
    assert commands(b.closed()) == ["ERROR"]


def test_lusers(house: House) -> None:
    a = house.join("bar")
    b = house.connect()
    b.send("NICK qux", "PING x")
    b.read()

    def numbers() -> tuple[str, list[str]]:
        lines = {line.command: line.params for line in a.ask("LUSERS")}
        return lines["253"][1], lines["265"][1:3]

    assert numbers() == ("1", ["1", "1"])
    b.send("USER u 0 * :real")
    b.until("001")
    assert numbers() == ("0", ["2", "2"])
    b.send("QUIT")
    b.closed()
    assert numbers() == ("0", ["1", "2"])


PASSWORDS = [
    "plain-enough",
    "with a blank",
    "colon:inside",
    "ends-with:",
    ":begins",
    "a:b:c:d-long",
    "пароль-1",
    "duck:x",
]


@pytest.mark.parametrize("password", PASSWORDS)
def test_pass_logs_in_whatever_is_in_the_password(house: House, password: str) -> None:
    a = house.connect()
    a.send("CAP REQ :draft/account-registration", "NICK Duck", f"REGISTER * * :{password}")
    a.until("REGISTER")
    a.send("QUIT")
    a.closed()
    given = [f"Duck:{password}", f"duck:{password}"] + [password] * (not password.startswith("duck:"))
    for one in given:
        b = house.connect()
        b.send(f"PASS :{one}", "NICK Duck", "USER u 0 * :real")
        assert b.until("001", "433")[-1].command == "001", one
        b.send("QUIT")
        b.closed()
    for one in (f"goose:{password}", password + "x", "Duck:"):
        c = house.connect()
        c.send(f"PASS :{one}", "NICK Duck", "USER u 0 * :real")
        assert c.until("001", "433")[-1].command == "433", one


def test_register_says_that_a_name_is_taken_whoever_has_it(house: House) -> None:
    house.account("owned", "sesame")
    house.join("guest")
    for name in ("owned", "guest", "Guest"):
        a = house.connect()
        a.send("CAP REQ :draft/account-registration", f"NICK {name}", "REGISTER * * sesame1x")
        assert a.until("FAIL", "REGISTER")[-1].params[:3] == ["REGISTER", "ACCOUNT_EXISTS", name]
