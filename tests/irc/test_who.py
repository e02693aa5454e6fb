"""WHO, WHOX, WHOIS, WHOWAS, ISON, USERHOST, AWAY, MONITOR, SETNAME, bots, operators, the server's own words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.ircpeer import Client, House, commands, only
from support.ircrig import HELLO, NOW, Rig


@pytest.fixture
def pair(house: House) -> tuple[Client, Client]:
    a = house.join("coolNick", user="myname", rooms=("#chan",))
    b = house.join("otherNick", rooms=("#chan",))
    a.sync()
    return a, b


@pytest.mark.parametrize("mask", ["coolNick", "coolnick", "coolni*"])
def test_who_is_this(pair: tuple[Client, Client], mask: str) -> None:
    a, b = pair
    row, end = b.ask(f"WHO {mask}")
    assert row.params[2:8] == ["~myname", row.params[3], "My.Chat.Server", "coolNick", "H", "0 Real coolNick"]
    assert (end.command, end.params[1]) == ("315", mask)
    a.ask("AWAY :be right back", "OPER boss secret")
    assert b.ask(f"WHO {mask}")[0].params[6] == "G*"


def test_who_is_in_a_room(pair: tuple[Client, Client]) -> None:
    a, b = pair
    rows = {line.params[5]: line.params for line in b.ask("WHO #CHAN") if line.command == "352"}
    assert {nick: row[6] for nick, row in rows.items()} == {"coolNick": "H@", "otherNick": "H"}
    assert commands(b.ask("WHO *")) == ["352", "352", "315"]
    assert commands(b.ask("WHO nobody", "WHO #none", "WHO")) == ["315", "315", "352", "352", "315"]
    a.ask("MODE coolNick +i")
    c_rows = b.ask("WHO *")
    assert len(c_rows) == 3  # they share a room


def test_whox(pair: tuple[Client, Client]) -> None:
    _, b = pair
    for letters in ("tcuihsnfdlaor", "roaldfnshiuct"):
        row, end = b.ask(f"WHO coolNick %{letters},123")
        assert row.command == "354"
        assert row.params[1] == "123"
        assert row.params[3] == "~myname"
        assert row.params[6:8] == ["My.Chat.Server", "coolNick"]
        assert row.params[11] == "0"
        assert row.params[-1] == "Real coolNick"
        assert len(row.params) == 14
        assert end.command == "315"
    assert b.ask("WHO coolNick %tn,321")[0].params == ["otherNick", "321", "coolNick"]


def test_whois(house: House) -> None:
    house.account("val", "sesame")
    a = house.join("nick1")
    b = house.join("nick2", account="val", password="sesame", rooms=("#one", "#two"))
    for words in ("nick2", "My.Chat.Server nick2", "nick2 nick2"):
        lines = a.ask(f"WHOIS {words}")
        assert commands(lines) == ["311", "330", "319", "312", "317", "318"]
    assert lines[0].params[:3] == ["nick1", "nick2", "~user"]
    assert lines[1].params[:3] == ["nick1", "nick2", "val"]
    assert set(lines[2].params[2].split()) == {"@#one", "@#two"}
    assert lines[3].params[:3] == ["nick1", "nick2", "My.Chat.Server"]
    b.ask("AWAY :I'm on a break", "MODE nick2 +i")
    lines = a.ask("WHOIS nick2")
    assert only(lines, "301").params == ["nick1", "nick2", "I'm on a break"]
    assert "319" not in commands(lines)
    a.ask("OPER boss secret")
    assert {"313"} <= set(commands(b.ask("WHOIS nick1")))
    assert {"338", "379"} <= set(commands(a.ask("WHOIS nick2")))
    assert commands(a.ask("WHOIS nobody", "WHOIS", "WHOIS x.y nick2")) == ["401", "318", "431", "402"]


def test_whowas(house: House) -> None:
    a = house.join("nick1")
    assert commands(a.ask("WHOWAS nick2", "WHOWAS")) == ["406", "369", "431"]
    for user in ("ident2", "ident3"):
        b = house.join("nick2", user=user)
        b.send("QUIT :bye")
        b.closed()
    for words, expected in (
        ("nick2", 2),
        ("nick2 1", 1),
        ("nick2 2", 2),
        ("nick2 -1", 2),
        ("nick2 0", 2),
        ("*ck2", 2),
    ):
        rows = [line.params for line in a.ask(f"WHOWAS {words}") if line.command == "314"]
        assert [row[2] for row in rows] == ["~ident3", "~ident2"][:expected], words
        assert rows[0][1] == "nick2"
        assert rows[0][4:] == ["*", "Real nick2"]
    b = house.join("nick3")
    b.send("QUIT")
    b.closed()
    lines = a.ask("WHOWAS nick2,nick3")
    assert [line.params[1] for line in lines if line.command == "314"] == ["nick3", "nick2", "nick2"]
    assert lines[-1].params[1] == "nick2,nick3"


def test_small_questions(pair: tuple[Client, Client]) -> None:
    a, b = pair
    assert only(b.ask("ISON coolNick nobody :otherNick x"), "303").params[1].split() == [
        "coolNick",
        "otherNick",
    ]
    assert only(b.ask("USERHOST coolNick"), "302").params[1].startswith("coolNick=+~myname@")
    a.ask("AWAY :afk")
    assert only(b.ask("USERHOST coolNick"), "302").params[1].startswith("coolNick=-")


def test_away(house: House) -> None:
    a, b = house.join("bar", rooms=("#r",)), house.join("qux", "away-notify", rooms=("#r",))
    a.sync()
    assert commands(a.ask("AWAY :I'm not here")) == ["306"]
    (line,) = b.sync()
    assert (line.command, line.params) == ("AWAY", ["I'm not here"])
    (line,) = b.ask("PRIVMSG bar :what's up")
    assert (line.command, line.params) == ("301", ["qux", "bar", "I'm not here"])
    c = house.join("late", "away-notify", "extended-join")
    a.ask("PART #r")
    c.ask("JOIN #r")
    a.ask("JOIN #r")
    assert commands(c.sync()) == ["JOIN", "AWAY"]
    assert commands(a.ask("AWAY")) == ["305"]
    assert b.until("AWAY")[-1].params == [] or b.until("AWAY")[-1].params == []
    assert b.ask("PRIVMSG bar :what's up") == []


def test_away_before_the_welcome(house: House) -> None:
    a = house.connect()
    a.send("CAP REQ :draft/pre-away", "AWAY :early", "NICK foo", "USER u 0 * :real", "CAP END")
    assert "306" in commands(a.until("001"))
    a.sync()
    assert only(a.ask("WHOIS foo"), "301").params[2] == "early"


def test_monitor(house: House) -> None:
    a = house.join("foo")
    assert only(a.ask("MONITOR + bar"), "731").params == ["foo", "bar"]
    b = house.join("bar")
    assert only(a.sync(), "730").params[1].startswith("bar!")
    b.send("QUIT")
    b.closed()
    assert only(a.sync(), "731").params == ["foo", "bar"]
    house.join("bar")
    assert commands(a.sync()) == ["730"]
    assert sorted(commands(a.ask("MONITOR + bar,baz"))) == ["730", "731"]
    assert commands(a.ask("MONITOR S")) == ["730", "731"]
    assert commands(a.ask("MONITOR L")) == ["732", "733"]
    assert a.ask("MONITOR - bar") == []
    assert only(a.ask("MONITOR L"), "732").params[1] == "baz"
    assert a.ask("MONITOR C") == []
    assert commands(a.ask("MONITOR L", "MONITOR")) == ["733", "461"]
    assert commands(a.ask("MONITOR + *!u@localhost")) == ["731"]
    many = ",".join(f"n{number}" for number in range(40))
    for start in range(3):
        lines = a.ask("MONITOR + " + many.replace("n", f"m{start}x"))
    assert "734" in commands(lines)


def test_monitored_names_change(house: House) -> None:
    a, b = house.join("bar"), house.join("baz")
    a.ask("MONITOR + qux")
    b.ask("NICK qux")
    assert only(a.sync(), "730").params[1].startswith("qux!")
    b.ask("NICK QUX")
    assert a.sync() == []
    b.ask("NICK bazbat")
    assert only(a.sync(), "731").params[1] == "QUX"


def test_extended_monitor(house: House) -> None:
    house.account("jilles", "sesame")
    a = house.join("foo", "extended-monitor", "away-notify", "setname", "account-notify")
    house.join("zoe", "extended-monitor").ask("MONITOR + bar")
    b = house.join("bar", "sasl", "setname")
    a.ask("MONITOR + bar")
    b.ask("AWAY :afk", "AWAY", "SETNAME :Another")
    assert [(line.command, line.params) for line in a.sync()] == [
        ("AWAY", ["afk"]), ("AWAY", []), ("SETNAME", ["Another"]),
    ]  # fmt: skip


def test_setname(house: House) -> None:
    a, b, c = house.join("foo", "setname"), house.join("bar", "setname"), house.join("baz")
    for one in (a, b, c):
        one.ask("JOIN #r")
    for one in (a, b, c):
        one.sync()
    (line,) = a.ask("SETNAME qux")
    assert (line.command, line.params) == ("SETNAME", ["qux"])
    assert only(b.sync(), "SETNAME").params == ["qux"]
    assert c.sync() == []
    assert only(a.ask("WHOIS foo"), "311").params[-1] == "qux"
    assert a.ask("SETNAME :" + "x" * 400)[0].params[:2] == ["SETNAME", "INVALID_REALNAME"]


def test_bots(house: House) -> None:
    bot, user = house.join("botnick", rooms=("#r",)), house.join("user", "message-tags", rooms=("#r",))
    letter = house.support["BOT"]
    assert only(bot.ask(f"MODE botnick +{letter}"), "MODE").params == ["botnick", f"+{letter}"]
    assert "335" in commands(user.ask("WHOIS botnick"))
    bot.ask("PRIVMSG user :beep")
    assert {"bot", "draft/bot"} <= set(user.sync()[-1].tags or {})
    assert any(letter in line.params[6] for line in user.ask("WHO #r") if line.command == "352")


def test_operators(house: House) -> None:
    op, a, b = house.join("op"), house.join("alice"), house.join("bob")
    assert commands(op.ask("OPER boss wrong", "OPER nobody secret", "OPER boss")) == ["464", "464", "461"]
    assert commands(a.ask("KILL bob :x", "WALLOPS :x", "REHASH", "KILL", "WALLOPS")) == [
        "481",
        "481",
        "481",
        "461",
        "461",
    ]
    lines = op.ask("OPER boss secret")
    assert commands(lines) == ["381", "MODE"]
    b.ask("MODE bob +w")
    op.ask("WALLOPS :hi everyone")
    assert only(b.sync(), "WALLOPS").params == ["hi everyone"]
    assert a.sync() == []
    assert commands(op.ask("REHASH", "KILL nobody :x")) == ["382", "401"]
    op.ask("KILL alice :some reason")
    assert "ERROR" in commands(a.closed())
    op.ask("KILL bob")
    assert "ERROR" in commands(b.closed())
    op.ask("MODE op -o")
    assert commands(op.ask("WALLOPS :x")) == ["481"]


def test_rehash_reads_what_sighup_reads(make_house: Callable[..., House], tmp_path: Path) -> None:
    motd = tmp_path / "motd"
    motd.write_text("one")
    op = make_house(motd=str(motd)).join("op")
    op.ask("OPER boss secret")
    motd.write_text("two")
    assert only(op.ask("REHASH"), "382").params == ["op", "config.toml", "Rehashing"]
    assert "two" in str(only(op.ask("MOTD"), "372"))
    motd.unlink()
    assert str(motd) in only(op.ask("REHASH"), "NOTICE").params[1]


def test_long_answers_are_given_in_turns() -> None:
    """One who has much shown cannot have all of it handled at once, and pays by its size."""
    rig = Rig()
    rig.feed(HELLO)
    for number in range(1_000):
        rig.network.gone.append((f"old{number}", "u", "h", "r", NOW))
    before = rig.door.units
    rig.door.receive(b"WHOWAS *\r\n" * 20, NOW)
    turns = 1
    assert rig.door.unread
    assert len(rig.door.data_to_send()) < 100_000
    while rig.door.unread:
        rig.door.more(NOW)
        assert len(rig.door.data_to_send()) < 100_000
        turns += 1
    assert turns > 100
    assert rig.door.units - before > 20 * 1_000 * 100 / 512


def test_the_server_about_itself(house: House) -> None:
    a = house.join("nick")
    assert commands(a.ask("VERSION"))[0] == "351"
    assert commands(a.ask("TIME", "ADMIN")) == ["391", "256", "257", "258", "259"]
    lines = a.ask("INFO")
    assert set(commands(lines)) == {"371", "374"}
    assert only(a.ask("LINKS"), "365").params[:2] == ["nick", "*"]  # operators alone are shown more
    for words, subject in (
        ("HELP", "*"),
        ("HELPOP", "*"),
        ("HELP PRIVMSG", "PRIVMSG"),
        ("HELPOP privmsg", "PRIVMSG"),
    ):
        lines = a.ask(words)
        assert (lines[0].command, lines[-1].command) == ("704", "706")
        assert {line.params[1] for line in lines} == {subject}
    assert commands(a.ask("HELP NOTACOMMAND")) == ["524"]
    assert commands(a.ask("STATS u", "STATS m", "STATS"))[-1] == "219"
    assert commands(a.ask("TIME no.such.server", "VERSION no.such.server", "MOTD no.such.server")) == ["402"] * 3
    assert commands(a.ask("NONSENSE")) == ["421"]


def test_services(house: House) -> None:
    a = house.join("duck")
    lines = a.ask("PRIVMSG NickServ :help")
    assert {line.source.split("!")[0] for line in lines} == {"NickServ"}
    (line, logged) = a.ask("NS REGISTER sesame")
    assert (line.command, line.params) == ("NOTICE", ["duck", "Account created"])
    assert logged.command == "900"
    assert "changed" in a.ask("PRIVMSG NickServ :SET PASSWORD newer sesame")[0].params[1]
    b = house.join("other")
    assert commands(b.ask("PRIVMSG NickServ :IDENTIFY duck wrong")) == ["NOTICE"]
    assert commands(b.ask("PRIVMSG NickServ :IDENTIFY duck newer")) == ["NOTICE", "900"]
    a.ask("JOIN #r")
    b.ask("JOIN #r")
    a.sync()
    assert "MODE" in commands(a.ask("PRIVMSG ChanServ :OP #r other"))
    assert commands(a.ask("PRIVMSG ChanServ :REGISTER #r")) == ["NOTICE"]
    a.ask("PRIVMSG #r :one", "PRIVMSG #r :two")
    shown = [line.params[1] for line in a.ask("PRIVMSG HistServ :#r 5")]
    assert [text.split("] ")[-1] for text in shown] == ["one", "two"]
    assert "to #r" in only(a.ask("PRIVMSG Receipts :last"), "NOTICE").params[1]
    assert "other" in only(a.ask("RECEIPTS"), "NOTICE").params[1]
    assert "Which" in a.ask("PRIVMSG ChanServ :OP")[0].params[1]
    assert commands(a.ask("WHOIS NickServ"))[0] == "311"


def test_metadata(house: House) -> None:
    caps = ("draft/metadata-3", "batch")
    a, b = house.join("foo", *caps), house.join("bar", *caps)

    def rows(client: Client, line: str) -> list[list[str]]:
        got = client.ask(line)
        assert (got[0].command, got[0].params[1]) == ("BATCH", "metadata")
        assert got[-1].params == ["-" + got[0].params[0][1:]]
        assert all((one.tags or {})["batch"] == got[0].params[0][1:] for one in got[1:-1])
        return [[one.command, *one.params] for one in got[1:-1]]

    assert [row[:4] for row in rows(a, "METADATA * GET display-name avatar")] == [
        ["766", "foo", "foo", "display-name"], ["766", "foo", "foo", "avatar"],
    ]  # fmt: skip
    assert rows(a, "METADATA * LIST") == []
    assert a.ask("METADATA nobody LIST")[0].params[:3] == ["METADATA", "INVALID_TARGET", "nobody"]
    assert only(b.ask("METADATA * SUB display-name avatar"), "770").params == [
        "bar",
        "display-name",
        "avatar",
    ]
    assert only(a.ask("METADATA * SET display-name :Foo The First"), "761").params == [
        "foo", "foo", "display-name", "*", "Foo The First",
    ]  # fmt: skip
    assert b.sync() == []
    a.ask("JOIN #r")
    joined = b.ask("JOIN #r")
    assert only(joined, "761").params == ["bar", "foo", "display-name", "*", "Foo The First"]
    a.sync()
    a.ask("METADATA foo SET display-name :Second")
    assert only(b.sync(), "761").params[-1] == "Second"
    assert only(b.ask("WHOIS foo"), "760").params == ["bar", "foo", "display-name", "*", "Second"]
    assert only(a.ask("METADATA * SET display-name"), "766").params[:3] == ["foo", "foo", "display-name"]
    assert commands(b.sync()) == ["766"]
    assert b.ask("METADATA foo SET x :y")[0].params[:4] == ["METADATA", "KEY_NO_PERMISSION", "foo", "x"]
    assert b.ask("METADATA #r SET x :y")[0].params[1] == "KEY_NO_PERMISSION"
    assert b.ask("METADATA foo CLEAR")[0].params[:4] == ["METADATA", "KEY_NO_PERMISSION", "foo", "*"]
    a.ask("METADATA #r SET display-name :Room", "METADATA #r SET avatar :http://x")
    assert only(b.sync()[:1], "761").params[1] == "#r"
    assert {row[3] for row in rows(b, "METADATA #r LIST")} == {"display-name", "avatar"}
    assert {row[0] for row in rows(a, "METADATA #r CLEAR")} == {"766"}
    assert a.ask("METADATA * SET k :" + "x" * 480)[0].params[:3] == ["METADATA", "INVALID_VALUE", "k"]
    assert a.ask("METADATA * SET UPPER :x")[0].params[:2] == ["METADATA", "KEY_INVALID"]
    assert a.ask("METADATA * NONSENSE")[0].params[:2] == ["METADATA", "SUBCOMMAND_INVALID"]
    assert commands(a.ask("METADATA")) == ["461"]
    assert only(b.ask("METADATA * SUBS"), "772").params[1:] == ["display-name", "avatar"]
    b.ask("METADATA * UNSUB avatar")
    assert only(b.ask("METADATA * SUBS"), "772").params[1:] == ["display-name"]


def test_metadata_before_the_welcome(house: House) -> None:
    a = house.connect()
    a.send(
        "CAP REQ :draft/metadata-3 batch",
        "METADATA * SET display-name :Early",
        "NICK foo",
        "USER u 0 * :r",
        "CAP END",
    )
    assert a.until("761")[-1].params[-1] == "Early"
    burst = a.until("001") + a.sync()
    assert only(burst, "761").params == ["foo", "foo", "display-name", "*", "Early"]


def test_every_command_answers_or_acknowledges(house: House) -> None:
    """Never silence: every command of the table, without parameters and with strange ones, is answered."""
    from tcpchat.doors.irc.commands import COMMANDS
    from tcpchat.doors.irc.door import IrcDoor

    assert IrcDoor.name == "irc"
    quiet = {"QUIT", "OPER"}
    for words in ("", " \x02", " #x y z", " * * * * *"):
        client = house.join("asker", "labeled-response", "batch")
        for name in sorted(COMMANDS):
            if name not in quiet:
                lines: list[Any] = client.ask(f"@label=q{name} {name}{words}")
                if name == "BATCH" and not lines:
                    continue
                assert any((line.tags or {}).get("label") == f"q{name}" for line in lines), (
                    name,
                    words,
                    lines,
                )
        client.send("QUIT")
        client.closed()


# -- what an operator is, and the passwords of the server ----------------------------------------------------------


def test_who_gives_the_star_back_is_no_operator_in_the_chat_either(house: House) -> None:
    op, other = house.join("op", rooms=("#r",)), house.join("bob", "echo-message", "message-tags")
    other.ask("JOIN #z")
    op.ask("JOIN #z", "OPER boss secret")
    other.sync()
    (said,) = other.ask("PRIVMSG #z :stay")
    assert only(op.ask("MODE op -o"), "MODE").params == ["op", "-o"]
    assert commands(op.ask(f"REDACT #z {(said.tags or {})['msgid']}")) == ["FAIL"]
    op.ask("OPER boss secret")
    op.ask(f"REDACT #z {(said.tags or {})['msgid']}")
    assert "REDACT" not in commands(op.ask("WHO #z"))
    assert commands(other.sync()) == ["NOTICE"]  # it has been taken back


def test_wrong_oper_passwords_are_counted(house: House) -> None:
    a = house.join("alice")
    answers = [line for _ in range(8) for line in a.ask("OPER boss wrong")]
    assert commands(answers)[:5] == ["464"] * 5
    assert {tuple(line.params[:2]) for line in answers[5:]} == {("OPER", "RATE_LIMITED")}
    assert a.ask("OPER boss secret")[0].params[:2] == ["OPER", "RATE_LIMITED"]  # a right one does not help now
    b = house.join("bob")
    assert "381" not in commands(b.ask("OPER boss secret"))  # nor does another connection


def test_wrong_server_passwords_are_counted(make_house: Callable[..., House]) -> None:
    house = make_house(connection_password="open sesame")
    for _ in range(5):
        a = house.connect()
        a.send("PASS wrong", "NICK a", "USER u 0 * :real")
        assert commands(a.closed()) == ["464", "ERROR"]
    for given in ("wrong", "open sesame"):
        a = house.connect()
        a.send(f"PASS :{given}", "NICK a", "USER u 0 * :real")
        lines = a.closed()
        assert commands(lines) == ["464", "ERROR"]
        assert "fast" in lines[0].params[-1].lower() or "wait" in lines[0].params[-1].lower(), lines


@pytest.mark.parametrize(
    "line",
    ["PRIVMSG {} :x", "NOTICE {} :x", "TOPIC {}", "TOPIC {} :x", "MODE {}", "MODE {} +i", "KICK {} boss",
     "INVITE bob {}", "NAMES {}", "WHO {}", "PART {}", "LIST {}", "RENAME {} #new", "METADATA {} LIST",
     "METADATA {} SET a b", "CHATHISTORY LATEST {} * 5", "MARKREAD {}", "TAGMSG {}", "REDACT {} tc1"],
)  # fmt: skip
def test_a_secret_room_is_as_one_that_does_not_exist(house: House, line: str) -> None:
    boss = house.join("boss", rooms=("#hidden",))
    boss.ask("MODE #hidden +s")
    bob = house.join("bob", "message-tags")
    there, absent = ([str(one) for one in bob.ask(line.replace("{}", room))] for room in ("#hidden", "#absent"))
    assert [one.replace("#hidden", "#absent") for one in there] == absent


def test_read_marks_of_a_guest_go_with_it(house: House) -> None:
    first = house.join("reader")
    assert "2026" in str(first.ask("MARKREAD bob timestamp=2026-01-02T03:04:05.000Z"))
    assert "2026" in str(first.ask("MARKREAD bob"))
    first.send("QUIT")
    first.closed()
    second = house.join("reader")
    assert only(second.ask("MARKREAD bob"), "MARKREAD").params == ["bob", "*"]


def test_a_receipt_of_all_is_told_once(make_house: Callable[..., House]) -> None:
    house = make_house(irc_receipts_after=0.0)
    caps = ("message-tags", "echo-message", "labeled-response")
    a = house.join("alice", *caps, rooms=("#r",))
    others = [house.join(nick, "message-tags", rooms=("#r",)) for nick in ("bob", "carol")]
    a.sync()
    told = []
    for number in range(3):
        (said,) = [line for line in a.ask(f"PRIVMSG #r :{number}") if line.command == "PRIVMSG"]
        msgid = (said.tags or {})["msgid"]
        while True:
            for other in others:
                for line in other.sync():
                    if line.command == "PING":
                        other.send(f"PONG {line.params[0]}")
            told += [(line.tags or {}) for line in a.sync() if "+draft/delivered" in (line.tags or {})]
            if any(tags["+draft/delivered"] == msgid and tags["+draft/receipts"] == "2/2" for tags in told):
                break
    whole = [tags["+draft/delivered"] for tags in told if tags["+draft/receipts"] == "2/2"]
    assert sorted(whole) == sorted(set(whole)), told
