"""PRIVMSG, NOTICE, TAGMSG, echoes, labels, tags, lines that are too long, multiline, REDACT."""

from __future__ import annotations

from support.ircpeer import House, commands, only

MODERN = ("batch", "echo-message", "labeled-response", "message-tags", "server-time")


def test_a_message_reaches_a_room_and_a_person(house: House) -> None:
    a, b = house.join("alice", rooms=("#r",)), house.join("bob", rooms=("#r",))
    a.sync()
    assert a.ask("PRIVMSG #r :hello there", "PRIVMSG bob :psst", "NOTICE #r :note") == []
    got = b.sync()
    assert [(line.command, line.params) for line in got] == [
        ("PRIVMSG", ["#r", "hello there"]), ("PRIVMSG", ["bob", "psst"]), ("NOTICE", ["#r", "note"]),
    ]  # fmt: skip
    assert all(line.source.startswith("alice!~user@") for line in got)


def test_refusals(house: House) -> None:
    a = house.join("alice", rooms=("#r",))
    assert commands(a.ask("PRIVMSG #none :x")) == ["403"]
    assert a.ask("PRIVMSG nobody :x")[0].params == ["alice", "nobody", "No such nick/channel"]
    assert commands(a.ask("PRIVMSG")) == ["411"]
    assert commands(a.ask("PRIVMSG #r")) == ["412"]
    assert commands(a.ask("PRIVMSG #r :")) == ["412"]
    assert a.ask("NOTICE #none :x", "NOTICE nobody :x", "NOTICE", "NOTICE #r :") == []
    assert commands(a.ask("PRIVMSG a,b,c,d,e,f,g,h,i,j,k :x")) == ["407"]
    b = house.join("bob")
    assert commands(b.ask("PRIVMSG #r :x")) == ["404"]


def test_echo_and_labels(house: House) -> None:
    a, b = house.join("alice", *MODERN, rooms=("#r",)), house.join("bob", *MODERN, rooms=("#r",))
    a.sync()
    (echo,) = a.ask("@label=L1;+x=y PRIVMSG #r :hi")
    (seen,) = b.sync()
    assert echo.tags is not None
    assert seen.tags is not None
    assert echo.tags["label"] == "L1"
    assert "label" not in seen.tags
    assert echo.tags["msgid"] == seen.tags["msgid"]
    assert echo.tags["+x"] == seen.tags["+x"] == "y"
    assert echo.tags["time"] == seen.tags["time"]
    lines = a.ask("@label=L2 PRIVMSG bob,alice :both")
    assert commands(lines)[0] == "PRIVMSG" or commands(lines)[0] == "BATCH"
    assert sum("label" in (line.tags or {}) for line in lines) == 1


def test_a_note_to_oneself(house: House) -> None:
    a = house.join("alice", *MODERN)
    lines = a.ask("@label=L PRIVMSG alice :note")
    assert commands(lines) == ["PRIVMSG", "PRIVMSG"]
    assert sorted((line.tags or {}).get("label", "") for line in lines) == ["", "L"]
    assert commands(a.ask("PRIVMSG alice :again")) == ["PRIVMSG", "PRIVMSG"]
    plain = house.join("bob")
    assert commands(plain.ask("PRIVMSG bob :once")) == ["PRIVMSG"]


def test_one_line_answers_bear_the_label(house: House) -> None:
    a = house.join("alice", *MODERN)
    (pong,) = [line for line in a.ask("@label=1 PING tok") if line.command == "PONG"]
    assert pong.tags is not None
    assert pong.tags["label"] == "1"
    (ack,) = a.ask("@label=2 PONG x")
    assert ack.command == "ACK"
    assert (ack.tags or {})["label"] == "2"
    (unknown,) = a.ask("@label=3 NONSENSE")
    assert (unknown.command, (unknown.tags or {})["label"]) == ("421", "3")
    lines = a.ask("@label=4 JOIN #r")
    assert lines[0].command == "BATCH"
    assert lines[0].params[1] == "labeled-response"
    assert (lines[0].tags or {})["label"] == "4"
    assert lines[-1].params == ["-" + lines[0].params[0][1:]]
    assert {(line.tags or {}).get("batch") for line in lines[1:-1]} == {lines[0].params[0][1:]}
    assert "JOIN" in commands(lines)
    (refused,) = a.ask("@label=5 PRIVMSG nobody :x")
    assert (refused.tags or {})["label"] == "5"


def test_tags_go_only_to_those_who_asked(house: House) -> None:
    a = house.join("alice", "message-tags", rooms=("#r",))
    plain, timed = house.join("bob", rooms=("#r",)), house.join("carol", "server-time", rooms=("#r",))
    tagged = house.join("dave", "message-tags", rooms=("#r",))
    for one in (a, plain, timed, tagged):
        one.sync()
    a.ask("@+baz=bat;fizz=buzz PRIVMSG #r hi", r"@+buzz=fizz\:buzz;cat=dog TAGMSG #r")
    (line,) = plain.sync()
    assert line.tags is None
    (line,) = timed.sync()
    assert set(line.tags or {}) == {"time"}
    first, second = tagged.sync()
    assert (first.tags or {})["+baz"] == "bat"
    assert "fizz" not in (first.tags or {})
    assert (second.command, (second.tags or {})["+buzz"]) == ("TAGMSG", "fizz;buzz")
    plain.ask("CAP REQ :message-tags")
    a.ask("@+late=1 PRIVMSG #r again")
    assert (plain.sync()[0].tags or {})["+late"] == "1"


def test_limits_of_lines(house: House) -> None:
    a, b = (
        house.join("alice", "message-tags", rooms=("#r",)),
        house.join("bob", "message-tags", rooms=("#r",)),
    )
    a.sync()
    tags = "@foo=bar;+baz=" + "a" * 4081 + " "
    assert a.ask(tags + "TAGMSG #r") == []
    assert (b.sync()[0].tags or {})["+baz"] == "a" * 4081
    assert commands(a.ask("@foo=bar;+baz=" + "a" * 4082 + " TAGMSG #r")) == ["417"]
    answer = a.ask("PING " + "x" * 505)[0]  # the answer has more in front
    assert set(answer.params[-1]) == {"x"}
    assert commands(a.ask("PING " + "x" * 506)) == ["417"]
    room = 512 - 2 - len(f":{b.ask('WHOIS alice')[0].params[1]}!~user@{b.ask('WHOIS alice')[0].params[3]} PRIVMSG #r :")
    a.ask("PRIVMSG #r " + "b" * room)
    (line,) = b.sync()
    assert line.params == ["#r", "b" * room]
    assert commands(a.ask("PRIVMSG #r " + "b" * (room + 4))) == ["417"]
    assert b.sync() == []
    assert commands(a.ask("PRIVMSG #r " + "b" * (room - 3) + "\N{GRINNING FACE}")) == ["417"]  # no line is over 512
    a.ask("PRIVMSG #r " + "b" * (room - 4) + "\N{GRINNING FACE}")
    assert b.sync()[0].params[1].endswith("b\N{GRINNING FACE}")
    a.send("PRIVMSG #r :" + "x" * 100_000)
    assert commands(a.closed())[-1] == "ERROR"


def test_only_utf8(house: House) -> None:
    a = house.join("alice", *MODERN, rooms=("#r",))
    (line,) = a.ask(b"@label=x PRIVMSG #r hi\xaa")
    assert (line.command, line.params[:2]) == ("FAIL", ["PRIVMSG", "INVALID_UTF8"])
    assert (line.tags or {})["label"] == "x"


def test_long_texts_of_others_come_in_pieces(house: House) -> None:
    a = house.join("alice", *MODERN, "draft/multiline", rooms=("#r",))
    b = house.join("bob", "message-tags", rooms=("#r",))
    a.sync()
    a.send("BATCH +1 draft/multiline #r")
    for _ in range(8):
        a.send("@batch=1;draft/multiline-concat PRIVMSG #r :" + "word " * 80)
    a.ask("BATCH -1")
    lines = b.sync()
    assert len(lines) >= 7
    assert "".join(line.params[1] for line in lines) == "word " * 640
    assert [("msgid" in (line.tags or {})) for line in lines] == [True] + [False] * (len(lines) - 1)


def test_multiline(house: House) -> None:
    a, b = (house.join(nick, *MODERN, "draft/multiline", rooms=("#r",)) for nick in ("alice", "bob"))
    c = house.join("carol", *MODERN, rooms=("#r",))
    a.sync(), b.sync()
    a.send(
        "@label=xyz;+tag BATCH +123 draft/multiline #r",
        "@batch=123 PRIVMSG #r :",
        "@batch=123 PRIVMSG #r :#how is ",
    )
    a.send("@batch=123;draft/multiline-concat PRIVMSG #r :everyone?")
    echo = a.ask("BATCH -123")
    assert (echo[0].command, echo[0].params[1:]) == ("BATCH", ["draft/multiline", "#r"])
    head = echo[0].tags or {}
    assert head["label"] == "xyz"
    assert "+tag" in head
    assert [line.params for line in echo[1:-1]] == [["#r", ""], ["#r", "#how is "], ["#r", "everyone?"]]
    assert "draft/multiline-concat" in (echo[3].tags or {})
    assert all({"msgid", "time"}.isdisjoint(line.tags or {}) for line in echo[1:-1])
    relay = b.sync()
    assert (relay[0].tags or {})["msgid"] == head["msgid"]
    assert [(line.tags or {})["batch"] for line in relay[1:-1]] == [relay[0].params[0][1:]] * 3
    fallback = c.sync()
    assert [line.params[1] for line in fallback] == ["#how is ", "everyone?"]
    assert [(line.tags or {}).get("msgid") for line in fallback] == [head["msgid"], None]
    assert all("+tag" in (line.tags or {}) for line in fallback)


def test_multiline_faults(house: House) -> None:
    a = house.join("alice", *MODERN, "draft/multiline", rooms=("#r",))
    start = "BATCH +1 draft/multiline #r"
    fail = a.ask(start, "@batch=2 PRIVMSG #r :hi", "BATCH -1")
    assert (fail[0].command, fail[0].params[:2]) == ("FAIL", ["BATCH", "MULTILINE_INVALID"])
    fail = a.ask(start, "@batch=1 PRIVMSG #r :hi", "@batch=1;draft/multiline-concat PRIVMSG #r :", "BATCH -1")
    assert fail[0].params[:2] == ["BATCH", "MULTILINE_INVALID"]
    assert len(fail) == 1
    fail = a.ask(start, *["@batch=1 PRIVMSG #r :hi"] * 33, "BATCH -1")
    assert fail[0].params[:3] == ["BATCH", "MULTILINE_MAX_LINES", "32"]
    fail = a.ask(start, *["@batch=1 PRIVMSG #r :" + "x" * 400] * 11, "BATCH -1")
    assert fail[0].params[:3] == ["BATCH", "MULTILINE_MAX_BYTES", "4096"]
    fail = a.ask(start, "@batch=1 PRIVMSG #other :hi", "BATCH -1")
    assert fail[0].params[:2] == ["BATCH", "MULTILINE_INVALID_TARGET"]
    assert a.ask("BATCH -9")[0].params[:2] == ["BATCH", "UNKNOWN_REFERENCE"]
    assert a.ask("BATCH +9 other #r")[0].params[:2] == ["BATCH", "UNKNOWN_TYPE"]
    assert commands(a.ask("PRIVMSG #r :fine")) == ["PRIVMSG"]


def test_redact(house: House) -> None:
    caps = (*MODERN, "draft/message-redaction", "draft/chathistory")
    a, b = house.join("alice", *caps, rooms=("#r",)), house.join("bob", *caps, rooms=("#r",))
    c = house.join("carol", *MODERN, rooms=("#r",))
    a.sync(), b.sync()
    (echo,) = a.ask("PRIVMSG #r :oops")
    msgid = (echo.tags or {})["msgid"]
    b.sync(), c.sync()
    (refused,) = b.ask(f"REDACT #r {msgid}")
    assert refused.params[:4] == ["REDACT", "REDACT_FORBIDDEN", "#r", msgid]
    (done,) = a.ask(f"REDACT #r {msgid} :spam")
    assert (done.command, done.params, done.source.split("!")[0]) == (
        "REDACT",
        ["#r", msgid, "spam"],
        "alice",
    )
    (seen,) = b.sync()
    assert seen.params == ["#r", msgid, "spam"]
    assert "REDACT" not in commands(c.sync())
    assert a.ask("REDACT #r nonsense")[0].params[:4] == ["REDACT", "UNKNOWN_MSGID", "#r", "nonsense"]
    assert a.ask("REDACT #other x")[0].params[:3] == ["REDACT", "INVALID_TARGET", "#other"]
    assert "oops" not in [line.params[-1] for line in b.ask("CHATHISTORY LATEST #r * 10")]
    (own,) = b.ask("PRIVMSG #r :mine")
    assert commands(a.ask(f"REDACT #r {(own.tags or {})['msgid']}"))[-1] == "REDACT"  # an operator of the room


def test_status_messages_reach_only_operators(house: House) -> None:
    op, voiced, plain = (house.join(nick, rooms=("#r",)) for nick in ("op", "voiced", "plain"))
    op.ask("MODE #r +v voiced")
    for one in (op, voiced, plain):
        one.sync()
    plain.ask("PRIVMSG @#r :help")
    assert only(op.sync(), "PRIVMSG").params == ["@#r", "help"]
    assert voiced.sync() == []
    op.ask("PRIVMSG +#r :for some")
    assert only(voiced.sync(), "PRIVMSG").params == ["+#r", "for some"]
    assert plain.sync() == []


def test_user_modes_guard_direct_messages(house: House) -> None:
    house.account("evan", "sesame")
    evan = house.join("evan", password="sesame")
    guest = house.join("guest")
    assert evan.ask("MODE evan +RT")[0].params == ["evan", "+RT"]
    assert commands(guest.ask("PRIVMSG evan :hi")) == ["477"]
    evan.ask("ACCEPT guest")
    assert guest.ask("PRIVMSG evan :hi") == []
    assert commands(guest.ask("PRIVMSG evan :\x01VERSION\x01")) == ["531"]
    assert guest.ask("PRIVMSG evan :\x01ACTION waves\x01") == []
    assert [line.params[1] for line in evan.sync()] == ["hi", "\x01ACTION waves\x01"]
