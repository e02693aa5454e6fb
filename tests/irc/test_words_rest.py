"""What people do in rooms and to each other, word by word: refusals, marks, masks, who hears what.

Sources: https://modern.ircdocs.horse/ and https://ircv3.net/irc/
"""

from __future__ import annotations

import pytest

from support.ircpeer import Client, House, commands, only


def quit_(client: Client) -> None:
    client.send("QUIT :bye")
    client.closed()


# -- WHO, MONITOR, WHOWAS -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("fields", ["tcuihsnfdlaor", "roaldfnshiuct"])
def test_the_fields_of_whox_come_in_one_order(house: House, fields: str) -> None:
    """https://ircv3.net/specs/extensions/whox"""
    house.join("cool", user="name", rooms=("#r",))
    row = only(house.join("foo").ask(f"WHO cool %{fields},123"), "354").params
    assert row[1:4] == ["123", "*", "~name"]
    assert row[6:9] == ["My.Chat.Server", "cool", "H"]
    assert row[10].isdigit()
    assert (row[11], row[13], len(row)) == ("0", "Real cool", 14)


def test_monitor_and_a_nick_that_changes(house: House) -> None:
    """https://ircv3.net/specs/extensions/monitor"""
    watcher = house.join("foo")
    assert only(watcher.ask("MONITOR + qux"), "731").params == ["foo", "qux"]
    other = house.join("baz")
    assert watcher.sync() == []
    other.ask("NICK qux")
    assert only(watcher.sync(), "730").params[1].startswith("qux!")
    other.ask("NICK QUX")
    assert watcher.sync() == []
    other.ask("NICK bazbat")
    assert only(watcher.sync(), "731").params == ["foo", "QUX"]


@pytest.mark.parametrize("cap", ["extended-monitor", "draft/extended-monitor"])
@pytest.mark.parametrize("wants", [True, False])
def test_extended_monitor_needs_the_capability_of_the_news(house: House, cap: str, wants: bool) -> None:
    """https://ircv3.net/specs/extensions/extended-monitor"""
    watcher = house.join("foo", cap, *(["away-notify", "setname"] if wants else []))
    watcher.ask("MONITOR + bar")
    other = house.join("bar")
    watcher.sync()
    other.ask("AWAY :afk", "AWAY", "SETNAME :new name")
    heard = [[line.command, *line.params] for line in watcher.sync()]
    assert heard == ([["AWAY", "afk"], ["AWAY"], ["SETNAME", "new name"]] if wants else [])


@pytest.mark.parametrize("asked", ["nick2,nick3", "nick3,nick2"])
def test_whowas_of_several_is_newest_first(house: House, asked: str) -> None:
    watcher = house.join("nick1")
    for nick in ("nick2", "nick3"):
        quit_(house.join(nick, user=nick))
    rows = watcher.ask(f"WHOWAS {asked}")
    assert [row.params[1] for row in rows if row.command == "314"] == ["nick3", "nick2"]
    assert rows[-1].params[:2] == ["nick1", asked]


def test_only_operators_see_how_the_network_is_built(house: House) -> None:
    a = house.join("nick")
    assert [line.params[:2] for line in a.ask("LINKS")] == [["nick", "*"]]
    a.ask("OPER boss secret")
    link, end = a.ask("LINKS")
    assert (link.command, link.params) == ("364", ["nick", "My.Chat.Server", "My.Chat.Server", "0 test server"])
    assert (end.command, end.params[:2]) == ("365", ["nick", "*"])


# -- what is let through ------------------------------------------------------------------------------------------


def test_who_takes_no_ctcp(house: House) -> None:
    a, b = house.join("foo"), house.join("bar")
    b.ask("PRIVMSG foo :\x01VERSION\x01")
    assert only(a.sync(), "PRIVMSG").params[1] == "\x01VERSION\x01"
    assert only(a.ask("MODE foo +T"), "MODE").params == ["foo", "+T"]
    b.ask("PRIVMSG foo :\x01VERSION\x01")
    assert a.sync() == []
    b.ask("PRIVMSG foo :\x01ACTION waves\x01", "PRIVMSG foo :hello")
    assert [line.params[1] for line in a.sync()] == ["\x01ACTION waves\x01", "hello"]


def test_writing_to_somebody_lets_them_answer(house: House) -> None:
    house.account("evan", "sesame")
    evan, other = house.join("evan", password="sesame"), house.join("other")
    evan.ask("MODE evan +R")
    assert commands(other.ask("PRIVMSG evan :hey")) == ["477"]
    evan.ask("PRIVMSG other :hello")
    other.sync()
    assert other.ask("PRIVMSG evan :hey") == []
    assert only(evan.sync(), "PRIVMSG").params[1] == "hey"


@pytest.mark.parametrize("way_out", ["-b m:BAR!*@*", "+v bar", "+e m:*!~user@*"])
def test_the_muted_are_let_speak_again(house: House, way_out: str) -> None:
    """https://defs.ircdocs.horse/defs/isupport.html#extban"""
    op = house.join("op", rooms=("#r",))
    op.ask("MODE #r +b m:bar!*@*")
    bar = house.join("Bar", "echo-message", rooms=("#r",))
    op.sync()
    assert only(bar.ask("MODE #r +b"), "367").params[1:3] == ["#r", "m:bar!*@*"]
    assert commands(bar.ask("PRIVMSG #r :hi")) == ["404"]
    assert op.sync() == []
    op.ask(f"MODE #r {way_out}")
    bar.sync()
    assert commands(bar.ask("PRIVMSG #r :hi")) == ["PRIVMSG"]
    assert only(op.sync(), "PRIVMSG").params[1] == "hi"


@pytest.mark.parametrize("key", ["with blanks in it", "long" * 100, ""])
def test_keys_that_cannot_be(house: House, key: str) -> None:
    op = house.join("op", rooms=("#r",))
    assert only(op.ask(f"MODE #r +k :{key}"), "696").params[:4] == ["op", "#r", "k", "*"]
    assert commands(house.join("bar").ask("JOIN #r"))[0] == "JOIN"


# -- redaction ----------------------------------------------------------------------------------------------------


def test_an_operator_of_the_server_redacts_from_outside(house: House) -> None:
    """https://ircv3.net/specs/extensions/message-redaction"""
    caps = ("message-tags", "echo-message", "draft/message-redaction")
    a, b = house.join("foo", *caps, rooms=("#r",)), house.join("bar", *caps, rooms=("#r",))
    boss = house.join("chief", *caps)
    boss.ask("OPER boss secret")
    a.sync()
    msgid = (only(b.ask("PRIVMSG #r :hi"), "PRIVMSG").tags or {})["msgid"]
    a.sync()
    for client, lines in ((boss, boss.ask(f"REDACT #r {msgid} :spam")), (a, a.sync()), (b, b.sync())):
        line = only(lines, "REDACT")
        assert (line.params, line.source.split("!")[0], client.sync()) == (["#r", msgid, "spam"], "chief", [])


def test_an_operator_of_another_room_redacts_nothing_here(house: House) -> None:
    caps = ("message-tags", "echo-message", "draft/message-redaction")
    a = house.join("foo", *caps, rooms=("#mine",))
    b = house.join("bar", *caps, rooms=("#r",))
    a.ask("JOIN #r")
    b.sync()
    msgid = (only(b.ask("PRIVMSG #r :hi"), "PRIVMSG").tags or {})["msgid"]
    a.sync()
    assert only(a.ask(f"REDACT #r {msgid}"), "FAIL").params[:4] == ["REDACT", "REDACT_FORBIDDEN", "#r", msgid]
    refusal = only(a.ask(f"REDACT #mine {msgid}"), "FAIL").params
    assert refusal[1] in ("REDACT_FORBIDDEN", "UNKNOWN_MSGID")
    assert b.sync() == []


def test_what_is_redacted_is_gone_from_the_history(house: House) -> None:
    caps = ("message-tags", "echo-message", "draft/message-redaction", "draft/chathistory", "batch")
    a = house.join("foo", *caps, rooms=("#r",))
    msgid = (only(a.ask("PRIVMSG #r :secret"), "PRIVMSG").tags or {})["msgid"]
    assert "PRIVMSG" in commands(a.ask("CHATHISTORY LATEST #r * 10"))
    a.ask(f"REDACT #r {msgid}")
    assert "PRIVMSG" not in commands(a.ask("CHATHISTORY LATEST #r * 10"))


# -- named modes --------------------------------------------------------------------------------------------------


def test_several_bans_by_name(house: House) -> None:
    """https://github.com/ircv3/ircv3-specifications/pull/484"""
    op = house.join("op", "draft/named-modes", rooms=("#r",))
    assert only(op.ask("PROP #r +ban=a!*@* +ban=b!*@* +ban=c!*@*"), "PROP").params == [
        "#r", "+ban=a!*@*", "+ban=b!*@*", "+ban=c!*@*",
    ]  # fmt: skip
    listed = only(op.ask("PROP #r"), "961").params
    assert ("noextmsg" in listed, "ban" in listed) == (True, False)
    assert commands(house.join("a").ask("JOIN #r")) == ["474"]
    rows = op.ask("PROP #r ban")
    assert [row.params[3] for row in rows if row.command == "963"] == ["a!*@*", "b!*@*", "c!*@*"]
    assert only(op.ask("PROP #r -ban=a!*@* -ban=b!*@*"), "PROP").params == ["#r", "-ban=a!*@*", "-ban=b!*@*"]
    assert commands(op.ask("PROP #r ban")) == ["963", "962"]
