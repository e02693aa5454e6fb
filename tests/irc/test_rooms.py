"""JOIN, PART, TOPIC, NAMES, LIST, KICK, INVITE, RENAME, MODE, over a real socket."""

from __future__ import annotations

import pytest

from support.ircpeer import House, commands, only


def test_join_shows_topic_and_names(house: House) -> None:
    a = house.join("alice")
    lines = a.ask("JOIN #r")
    assert commands(lines) == ["JOIN", "353", "366"]
    assert lines[1].params == ["alice", "=", "#r", "@alice"]
    a.ask("TOPIC #r :the topic")
    b = house.join("bob")
    lines = b.ask("JOIN #r")
    assert commands(lines) == ["JOIN", "332", "333", "353", "366"]
    assert lines[1].params == ["bob", "#r", "the topic"]
    assert lines[2].params[:3] == ["bob", "#r", "alice"]
    assert set(lines[3].params[-1].split()) == {"@alice", "bob"}
    assert only(a.sync(), "JOIN").source.startswith("bob!")
    assert b.ask("JOIN #R") == []
    assert commands(b.ask("JOIN", "JOIN nochannel", "JOIN #" + "x" * 51)) == ["461", "403", "403"]
    assert commands(b.ask("JOIN #" + "y" * 50))[0] == "JOIN"
    assert commands(b.ask("JOIN 0")) == ["PART", "PART"]


def test_extended_join_and_names(house: House) -> None:
    house.account("jilles", "sesame")
    a = house.join("alice", "extended-join", "userhost-in-names", "multi-prefix", rooms=("#r",))
    house.join("guest", rooms=("#r",))
    assert only(a.sync(), "JOIN").params == ["#r", "*", "Real guest"]
    house.join("other", account="jilles", password="sesame", rooms=("#r",))
    assert only(a.sync(), "JOIN").params == ["#r", "jilles", "Real other"]
    a.ask("MODE #r +v alice")
    names = only(a.ask("NAMES #r"), "353").params[-1].split()
    assert any(name.startswith("@+alice!~user@") for name in names)
    quiet = house.join("quiet", "draft/no-implicit-names")
    assert commands(quiet.ask("JOIN #r")) == ["JOIN"]


def test_part(house: House) -> None:
    a, b = house.join("alice", rooms=("#r",)), house.join("bob", rooms=("#r",))
    a.sync()
    (line,) = a.ask("PART #r :bye everyone")
    assert line.params == ["#r", "bye everyone"]
    assert only(b.sync(), "PART").params == ["#r", "bye everyone"]
    assert commands(a.ask("PART #r", "PART #none", "PART")) == ["442", "403", "461"]
    (line,) = b.ask("PART #r")
    assert line.params == ["#r"]


def test_topic(house: House) -> None:
    a, b = house.join("alice", rooms=("#r",)), house.join("bob", rooms=("#r",))
    a.sync()
    assert commands(b.ask("TOPIC #r")) == ["331"]
    assert commands(b.ask("TOPIC #r :no")) == ["482"]
    (line,) = a.ask("TOPIC #r :new topic")
    assert (line.command, line.params) == ("TOPIC", ["#r", "new topic"])
    assert only(b.sync(), "TOPIC").params == ["#r", "new topic"]
    assert commands(b.ask("TOPIC #r")) == ["332", "333"]
    a.ask("MODE #r -t")
    b.sync()
    assert commands(b.ask("TOPIC #r :yes")) == ["TOPIC"]
    assert a.sync()[-1].params == ["#r", "yes"]
    (line,) = a.ask("TOPIC #r :")
    assert line.params == ["#r", ""]
    assert commands(b.ask("TOPIC #r"))[-1] == "331"
    assert commands(a.ask("TOPIC #none", "TOPIC #none :x", "TOPIC")) == ["403", "403", "461"]


def test_names(house: House) -> None:
    a, b = house.join("nick1", rooms=("#one",)), house.join("nick2", rooms=("#two",))
    assert commands(a.ask("NAMES #none", "NAMES invalid")) == ["366", "366"]
    lines = a.ask("NAMES")
    assert [line.params[1:] for line in lines] == [
        ["=", "#one", "@nick1"], ["=", "#two", "@nick2"], ["*", "End of /NAMES list"],
    ]  # fmt: skip
    b.ask("MODE #two +s")
    assert commands(a.ask("NAMES", "NAMES #two")) == ["353", "366", "366"]
    a.ask("JOIN #three")
    assert only(a.ask("NAMES #one,#three"), "366").params[1] == "#one,#three"


def test_list(house: House) -> None:
    a, b = house.join("alice"), house.join("bob")
    assert commands(b.ask("LIST", "LIST #none")) == ["321", "323"] * 2
    a.ask("JOIN #chan1", "JOIN #chan2", "TOPIC #chan1 :first")
    b.ask("JOIN #chan2")

    def shown(words: str) -> set[str]:
        return {line.params[1] for line in b.ask(f"LIST {words}") if line.command == "322"}

    assert only(b.ask("LIST #chan1"), "322").params == ["bob", "#chan1", "1", "first"]
    assert only(b.ask("LIST #chan2"), "322").params == ["bob", "#chan2", "2", ""]
    assert shown("*an1") == {"#chan1"}
    assert shown("!*an1") == {"#chan2"}
    assert shown(">1") == {"#chan2"}
    assert shown("<2") == {"#chan1"}
    assert shown("<1") == set()
    assert shown("C<10") == {"#chan1", "#chan2"}
    assert shown("C>10") == shown("T>10") == set()
    assert shown("T<10") == {"#chan1"}
    a.ask("MODE #chan1 +s")
    assert shown("") == {"#chan2"}


def test_kick(house: House) -> None:
    a = house.join("alice", rooms=("#r",))
    b, c, d = (house.join(nick, rooms=("#r",)) for nick in ("bob", "carol", "dave"))
    outside = house.join("zoe")
    for one in (a, b, c, d):
        one.sync()
    assert commands(a.ask("KICK #none bob", "KICK #r nobody", "KICK #r zoe", "KICK #r")) == [
        "403",
        "401",
        "441",
        "461",
    ]
    assert commands(b.ask("KICK #r carol")) == ["482"]
    assert commands(outside.ask("KICK #r carol")) == ["442"]
    assert only(a.ask("KICK #r bob :bye"), "KICK").params == ["#r", "bob", "bye"]
    assert only(b.sync(), "KICK").params == ["#r", "bob", "bye"]
    assert [line.params for line in a.ask("KICK #r carol,dave")] == [
        ["#r", "carol", "alice"],
        ["#r", "dave", "alice"],
    ]
    assert commands(b.ask("PRIVMSG #r :still here?")) == ["404"]
    b.ask("JOIN #r")
    assert only(a.ask("KICK #r,#r bob,nobody :x"), "KICK").params == ["#r", "bob", "x"]


def test_invite(house: House) -> None:
    a = house.join("alice", rooms=("#r",))
    assert commands(a.ask("INVITE bob #r", "INVITE bob", "INVITE")) == ["401", "461", "337"]
    b, c = house.join("bob"), house.join("carol", "invite-notify", rooms=("#r",))
    d = house.join("dave", rooms=("#r",))
    a.ask("MODE #r +i")
    c.sync(), d.sync()
    assert commands(b.ask("JOIN #r")) == ["473"]
    (line,) = a.ask("INVITE bob #r")
    assert (line.command, line.params) == ("341", ["alice", "bob", "#r"])
    (line,) = b.sync()
    assert (line.command, line.params) == ("INVITE", ["bob", "#r"])
    assert line.source.startswith("alice!")
    assert only(c.sync(), "INVITE").params == ["bob", "#r"]
    assert d.sync() == []
    assert commands(b.ask("JOIN #r"))[0] == "JOIN"
    a.sync()
    assert only(a.ask("INVITE bob #r"), "443").params[:3] == ["alice", "bob", "#r"]
    zoe = house.join("zoe")
    assert commands(zoe.ask("INVITE dave #r")) == ["442"]
    assert commands(d.ask("INVITE zoe #r"))[-1] == "482"
    a.ask("MODE #r -i")
    assert commands(d.ask("INVITE zoe #r"))[-1] == "341"


def test_an_invitation_opens_a_ban_once(house: House) -> None:
    a, b = house.join("alice", rooms=("#r",)), house.join("bob")
    a.ask("MODE #r +b bob!*@*")
    assert commands(b.ask("JOIN #r")) == ["474"]
    a.ask("INVITE bob #r")
    b.sync()
    assert "JOIN" in commands(b.ask("JOIN #r"))
    a.ask("KICK #r bob")
    b.sync()
    assert commands(b.ask("JOIN #r")) == ["474"]


def test_bans_exceptions_and_lists(house: House) -> None:
    a = house.join("alice", rooms=("#r",))
    b = house.join("Bar", user="evan")
    assert only(a.ask("MODE #r +b BAR!*@*"), "MODE").params == ["#r", "+b", "BAR!*@*"]
    assert commands(b.ask("JOIN #r")) == ["474"]
    ban, end = a.ask("MODE #r b")
    assert (ban.command, ban.params[1:4]) == ("367", ["#r", "BAR!*@*", "alice"])
    assert ban.params[4].isdigit()
    assert end.command == "368"
    a.ask("MODE #r +e *!~evan@*")
    assert commands(a.ask("MODE #r +e")) == ["348", "349"]
    assert "JOIN" in commands(b.ask("JOIN #r"))
    b.ask("PART #r")
    a.ask("MODE #r -e *!~evan@*")
    assert only(a.ask("MODE #r -b bar!*@*"), "MODE").params == ["#r", "-b", "BAR!*@*"]
    assert "JOIN" in commands(b.ask("JOIN #r"))
    a.ask("MODE #r +iI inv!*@*")
    assert commands(a.ask("MODE #r I")) == ["346", "347"]
    invited = house.join("inv")
    assert "JOIN" in commands(invited.ask("JOIN #r"))


def test_muting_and_account_bans(house: House) -> None:
    house.account("bob", "sesame")
    a = house.join("alice", rooms=("#r",))
    house.join("probe")
    assert "m" in house.support["EXTBAN"]
    b = house.join("bob", password="sesame", rooms=("#r",))
    a.ask("MODE #r +b m:bob!*@*")
    b.sync()
    assert commands(b.ask("PRIVMSG #r :x")) == ["404"]
    a.ask("MODE #r +v bob")
    b.sync()
    assert b.ask("PRIVMSG #r :x") == []
    a.ask("MODE #r -v bob", "MODE #r +e m:*!~user@*")
    b.sync()
    assert b.ask("PRIVMSG #r :x") == []
    a.ask("MODE #other", "JOIN #other", "MODE #other +b a:bob")
    assert commands(b.ask("JOIN #other")) == ["474"]
    a.ask("MODE #other +b *!*@*", "MODE #other -b a:bob", "MODE #other +e a:bob")
    assert "JOIN" in commands(b.ask("JOIN #other"))


def test_keys_and_limits(house: House) -> None:
    a, b = house.join("alice", rooms=("#r",)), house.join("bob")
    assert only(a.ask("MODE #r +k beer"), "MODE").params == ["#r", "+k", "beer"]
    assert commands(b.ask("JOIN #r", "JOIN #r bees")) == ["475", "475"]
    assert "JOIN" in commands(b.ask("JOIN #r beer"))
    b.ask("PART #r")
    a.sync()
    for bad in ("with spaces", "long" * 100, ""):
        assert only(a.ask(f"MODE #r +k :{bad}"), "696").params[:4] == ["alice", "#r", "k", "*"]
    a.ask("MODE #r -k *", "MODE #r +l 1")
    assert commands(b.ask("JOIN #r")) == ["471"]
    assert commands(a.ask("MODE #r +l x"))[0] == "696"
    assert only(a.ask("MODE #r -l"), "MODE").params == ["#r", "-l"]
    assert "JOIN" in commands(b.ask("JOIN #r"))


def test_moderated_no_ctcp_and_outside(house: House) -> None:
    a, b = house.join("alice", rooms=("#r",)), house.join("bob", rooms=("#r",))
    out = house.join("zoe")
    a.sync()
    assert commands(out.ask("PRIVMSG #r :x")) == ["404"]
    a.ask("MODE #r -n")
    assert out.ask("PRIVMSG #r :from outside") == []
    assert only(a.sync(), "PRIVMSG").params == ["#r", "from outside"]
    a.ask("MODE #r +m")
    b.sync()
    assert commands(b.ask("PRIVMSG #r :x")) == ["404"]
    a.ask("MODE #r +v bob", "MODE #r +C")
    b.sync()
    assert b.ask("PRIVMSG #r :\x01ACTION hi\x01") == []
    assert commands(b.ask("PRIVMSG #r :\x01PING 1\x01")) == ["404"]
    assert [line.params[1] for line in a.sync() if line.command == "PRIVMSG"] == ["\x01ACTION hi\x01"]


def test_mode_answers(house: House) -> None:
    a, b = house.join("alice", rooms=("#r",)), house.join("bob", rooms=("#r",))
    a.sync()
    a.ask("MODE #r +int")
    mode, made = a.ask("MODE #r")
    assert (mode.command, made.command) == ("324", "329")
    assert set(mode.params[2]) == set("+int")
    gone = only(a.ask("MODE #r -" + mode.params[2][1:]), "MODE").params[1]
    assert set(gone) == set("-int")
    assert a.ask("MODE #r")[0].params == ["alice", "#r", "+"]
    b.sync()
    house.join("zoe")
    assert commands(b.ask("MODE #r +o bob")) == ["482"]
    assert commands(a.ask("MODE #r +o zoe", "MODE #r +o nobody", "MODE #none +o bob")) == [
        "441",
        "401",
        "403",
    ]
    assert commands(a.ask("MODE #r +z", "MODE #r +o", "MODE")) == ["472", "461", "461"]
    a.send("MODE #r +ov bob bob")
    assert only(a.sync(), "MODE").params == ["#r", "+ov", "bob", "bob"]
    assert only(b.sync(), "MODE").params == ["#r", "+ov", "bob", "bob"]
    assert commands(b.ask("MODE alice +i", "MODE nobody +i", "MODE bob +z")) == ["502", "401", "501"]
    assert only(b.ask("MODE bob +iw", "MODE bob"), "221").params == ["bob", "+iw"]


def test_rename(house: House) -> None:
    a, b = house.join("alice", "draft/channel-rename", rooms=("#bar",)), house.join("bob", rooms=("#bar",))
    a.sync()
    assert commands(b.ask("RENAME #bar #x")) == ["482"]
    (line,) = a.ask("RENAME #bar #qux :no reason")
    assert (line.command, line.params) == ("RENAME", ["#bar", "#qux", "no reason"])
    lines = b.sync()
    assert commands(lines)[:2] == ["PART", "JOIN"]
    assert lines[0].params[0] == "#bar"
    assert lines[1].params == ["#qux"]
    assert b.ask("PRIVMSG #qux :here") == []
    assert "JOIN" in commands(b.ask("JOIN #bar"))
    a.sync()
    assert a.ask("RENAME #qux #bar")[0].params[:2] == ["RENAME", "CHANNEL_NAME_IN_USE"]


def test_the_channel_limit(house: House) -> None:
    a = house.join("alice")
    limit = int(house.support["CHANLIMIT"].split(":")[1])
    a.send(*[f"JOIN #c{number}" for number in range(limit)])
    assert commands(a.sync()).count("JOIN") == limit
    (line,) = a.ask("JOIN #onemore")
    assert (line.command, line.params[:2]) == ("405", ["alice", "#onemore"])


@pytest.mark.parametrize("lobby", ["#all", "#lounge"])
def test_the_lobby(make_house: object, lobby: str) -> None:
    house: House = make_house(lobby=lobby)  # type: ignore[operator]
    a = house.join("alice")
    assert only(a.seen, "JOIN").params == [lobby]
    assert {line.params[1] for line in a.ask("LIST") if line.command == "322"} == {lobby}


def test_without_a_lobby_nothing_shows_it(house: House) -> None:
    a = house.join("alice")
    assert "JOIN" not in commands(a.seen)
    assert commands(a.ask("LIST", "NAMES")) == ["321", "323", "366"]
    assert commands(a.ask("JOIN #all", "PRIVMSG #all :x", "MODE #all", "TOPIC #all")) == ["403"] * 4
    assert "319" not in commands(a.ask("WHOIS alice"))


def test_modes_by_name(house: House) -> None:
    a = house.join("chanop", "draft/named-modes", rooms=("#chan",))
    b, c = house.join("foo", "draft/named-modes"), house.join("plain", rooms=("#chan",))
    rooms = [line.params for line in a.seen if line.command == "964"]
    assert [row[1] == "*" for row in rooms] == [True, False]
    assert rooms[-1][-1] == "4:noextmsg=n"
    assert only(a.seen, "965").params[-1] == "4:invisible=i"
    a.sync()
    (line,) = a.ask("PROP #chan +ban=foo!*@* +ban=foo2!*@*")
    assert (line.command, line.params) == ("PROP", ["#chan", "+ban=foo!*@*", "+ban=foo2!*@*"])
    assert only(c.sync(), "MODE").params == ["#chan", "+bb", "foo!*@*", "foo2!*@*"]
    props, end = a.ask("PROP #chan")
    assert props.command == "961"
    assert set(props.params[2:]) == {"noextmsg", "topiclock"}
    assert (end.command, end.params[:2]) == ("960", ["chanop", "#chan"])
    rows = a.ask("PROP #chan ban")
    assert [row.params[3] for row in rows if row.command == "963"] == ["foo!*@*", "foo2!*@*"]
    assert rows[-1].command == "962"
    assert commands(b.ask("JOIN #chan")) == ["474"]
    assert a.ask("PROP #chan -ban=foo!*@* +inviteonly")[0].params == ["#chan", "-ban=foo!*@*", "+inviteonly"]
    assert commands(b.ask("JOIN #chan")) == ["473"]
    assert a.ask("PROP #chan -inviteonly")[0].params == ["#chan", "-inviteonly"]
    assert "JOIN" in commands(b.ask("JOIN #chan"))
    assert commands(b.ask("PROP #chan +moderated")) == ["482"]
    assert commands(b.ask("PROP #none", "PROP #chan +nonsense", "PROP")) == ["403", "472", "461"]


def test_only_people_with_accounts(house: House) -> None:
    house.account("evan", "sesame")
    a, b = house.join("alice", rooms=("#r",)), house.join("baz", rooms=("#r",))
    a.ask("MODE #r +M")
    b.sync()
    assert commands(b.ask("PRIVMSG #r :x")) == ["404"]
    evan = house.join("evan", password="sesame", rooms=("#r",))
    assert evan.ask("PRIVMSG #r :hi") == []
    a.ask("MODE #r -M+R")
    guest = house.join("guest")
    assert commands(guest.ask("JOIN #r")) == ["477"]


def test_a_room_is_dropped(house: House) -> None:
    op, member = house.join("op", rooms=("#r",)), house.join("member", rooms=("#r",))
    answer = member.ask("PRIVMSG ChanServ :DROP #r")
    assert "may not" in answer[-1].params[-1]
    op.sync()
    op.ask("PRIVMSG ChanServ :DROP #r no longer needed")
    kicked = only(member.sync(), "KICK")
    assert kicked.params == ["#r", "member", "no longer needed"]
    assert commands(member.ask("PRIVMSG #r :x")) == ["403"]
    assert "JOIN" in commands(member.ask("JOIN #r"))
