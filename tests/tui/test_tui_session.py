"""The session behind the screen: counts, reading, receipts, people, renames, what is not shown."""

from __future__ import annotations

import time

import pytest

from tcpchat.client import ConnectionFailed, Offline, Online, Sent, SentChanged, SetBack
from tcpchat.core import model as m
from tcpchat.tui.rows import Row
from tcpchat.tui.session import Conversation, Session


@pytest.fixture
def session() -> Session:
    made = Session("you", now=lambda: 1_763_805_600.0)
    made.take(Online(m.Welcome("you", 10, 10, state="READY2SERV")))
    rooms = (
        m.RoomInfo("#all", head=10, read=10),
        m.RoomInfo("#ops", head=9, read=5, unread=3, mentions=1),
        m.RoomInfo("@duck", head=8, read=8),
    )
    made.take(m.RoomList(rooms))
    return made


def opened(session: Session, to: str) -> Conversation:
    one = session.get(to)
    one.window = session.new_window()
    one.window.at_tail = True
    session.open = one
    return one


def flush(session: Session) -> None:
    for one in list(session.fresh):
        if one.window is not None:
            one.window.extend(one.fresh)
            one.fresh = []
    session.fresh.clear()


def test_what_the_server_has_counted_is_not_counted_again(session: Session) -> None:
    ops = session.get("#ops")
    session.take(m.Message(9, 1, "duck", "#ops", "replayed"))
    assert (ops.unread, ops.mentions) == (3, 1)
    session.take(m.Message(11, 1, "duck", "#ops", "new"))
    session.take(m.Message(12, 1, "duck", "#ops", "@you: look"))
    session.take(m.Message(13, 1, "you", "#ops", "from my phone"))
    assert (ops.unread, ops.mentions) == (5, 2)
    assert [(notice.mention, notice.text) for notice in session.notices] == [(False, "new"), (True, "@you: look")]


def test_direct_messages_open_a_conversation_with_their_author(session: Session) -> None:
    session.take(m.Message(11, 1, "carol", "@you", "psst"))
    session.take(m.Message(12, 1, "you", "@carol", "yes?"))
    carol = session.find("@carol")
    assert carol is not None
    assert (carol.unread, carol.mentions) == (1, 1)
    assert [one.to for one in session.ordered()] == ["#all", "#ops", "@carol", "@duck"]


def test_next_unread_goes_to_mentions_first(session: Session) -> None:
    assert session.next_unread() is session.get("#ops")
    session.take(m.Message(11, 1, "duck", "#all", "hello"))
    assert session.next_unread() is session.get("#ops")
    session.get("#ops").mentions = session.get("#ops").unread = 0
    assert session.next_unread() is session.get("#all")
    session.get("#all").muted = True
    assert session.next_unread() is None
    assert session.elsewhere() == (0, 0)


def test_reading_counts_down(session: Session) -> None:
    one = opened(session, "#all")
    for seq in range(11, 16):
        session.take(m.Message(seq, seq, "duck", "#all", "@you" if seq == 12 else "x"))
    flush(session)
    assert (one.unread, one.mentions) == (5, 1)
    assert session.read_up_to(one, 12)
    assert not session.read_up_to(one, 12)
    assert (one.unread, one.mentions) == (3, 0)
    session.take(m.MarkRead("#all", 15))
    assert (one.unread, one.mentions) == (0, 0)


def test_receipts_only_move_forward_and_states_follow(session: Session) -> None:
    one = opened(session, "@duck")
    rows = [Row(seq, 1, "you", "x") for seq in (11, 12, 13)]
    session.take(m.Receipt("@duck", 12, "delivered", by="duck"))
    session.take(m.Receipt("@duck", 11, "read", by="duck"))
    assert [session.state_of(row) for row in rows] == ["read", "delivered", "accepted"]
    session.take(m.Receipt("@duck", 13, "failed"))
    assert [session.state_of(row) for row in rows] == ["read", "delivered", "accepted"]
    one.outgoing.clear()
    assert session.state_of(Row(0, 1, "you", "x")) == "pending"
    assert session.state_of(Row(5, 1, "duck", "x")) == ""
    session.get("#ops")
    session.open = session.get("#ops")
    session.take(m.Receipt("#ops", 11, "delivered", have=1, of=3))
    assert session.state_of(rows[0]) == "accepted"
    session.take(m.Receipt("#ops", 11, "delivered", have=3, of=3))
    assert session.state_of(rows[0]) == "delivered"


def test_own_messages_get_their_place_or_their_reason(session: Session) -> None:
    one = opened(session, "@duck")
    good, bad = Sent("@duck", "a"), Sent("@duck", "b")
    good.number, bad.number = 1, 2
    rows = [session.sending(one, sent) for sent in (good, bad)]
    flush(session)
    good.seq, good.at = 11, 5
    good.advance("accepted")
    session.take(SentChanged(good))
    bad.fail(ConnectionFailed("no such user."))
    session.take(SentChanged(bad))
    assert session.placed == [(one, rows[0]), (one, rows[1])]
    assert rows[1].failed == "no such user."
    assert session.state_of(rows[1]) == "failed"
    assert one.outgoing == {}


def test_edits_deletions_tags_and_ignored_people(session: Session) -> None:
    one = opened(session, "#all")
    session.take(m.Message(11, 1, "duck", "#all", "first"))
    session.take(m.Message(12, 1, "duck", "#all", "", kind="tag"))
    session.ignored.add("eve")
    session.take(m.Message(13, 1, "Eve", "#all", "spam"))
    flush(session)
    assert one.window is not None
    assert [row.text for row in one.window.rows] == ["first"]
    assert one.unread == 1
    session.take(m.Amended(14, 1, "duck", "#all", 11, "second"))
    assert session.touched[0].text == "second"
    assert session.touched[0].edited
    session.take(m.Amended(15, 1, "duck", "#all", 11, "", removed=True))
    assert session.touched[1].removed


def test_people_come_go_and_are_renamed(session: Session) -> None:
    session.take(m.Presence("duck", "online", account="duck"))
    session.take(m.Presence("duck", "away", text="lunch"))
    assert session.people["duck"].away == "lunch"
    session.take(m.Presence("duck", "back"))
    session.take(m.Presence("duck", "renamed", text="Goose"))
    assert session.people["goose"].online
    assert session.find("@goose") is not None
    assert session.find("@duck") is None
    session.take(m.Presence("you", "renamed", text="me"))
    assert session.login == "me"
    assert session.is_me("YOU")
    assert session.is_me("me")
    session.take(m.Presence("Goose", "offline", text="bye"))
    assert not session.people["goose"].online


def test_typing_runs_out_and_ends_with_the_message(session: Session) -> None:
    clock = [100.0]
    session.now = lambda: clock[0]
    session.open = session.get("#all")
    session.take(m.TypingNotice("duck", "#all"))
    session.take(m.TypingNotice("you", "#all"))
    assert session.typists() == ["duck"]
    session.take(m.Message(11, 1, "duck", "#all", "here"))
    assert session.typists() == []
    session.take(m.TypingNotice("duck", "#all"))
    clock[0] += 7
    assert session.typists() == []


def test_rooms_come_go_and_are_renamed(session: Session) -> None:
    session.take(m.RoomEvent(11, 1, "joined", "#new", login="you"))
    assert "list" in session.changed
    session.take(m.RoomEvent(12, 1, "topic", "#new", by="duck", text="news"))
    assert session.get("#new").topic == "news"
    session.take(m.RoomEvent(13, 1, "renamed", "#new", by="duck", text="#newer"))
    assert session.find("#newer") is session.get("#newer")
    session.open = session.get("#newer")
    session.take(m.RoomEvent(14, 1, "left", "#newer", login="you"))
    assert session.find("#newer") is None
    assert "closed" in session.changed
    session.take(m.RoomEvent(15, 1, "invited", "#secret", by="duck", login="you"))
    assert "invited:#secret" in session.changed


def test_a_younger_log_voids_what_is_shown(session: Session) -> None:
    session.take(Offline("cut", 2.0))
    assert not session.connected
    assert session.retry_at == pytest.approx(1_763_805_602.0)
    session.take(Online(m.Welcome("you", 3, 3)))
    assert session.reset


def test_a_server_that_was_set_back_is_told_with_the_time_up_to_which_all_is_well(session: Session) -> None:
    opened(session, "#all")
    session.take(m.Message(11, 1_763_805_000_000, "duck", "#all", "shared"))
    session.take(m.Message(12, 1_763_805_300_000, "duck", "#all", "gone"))
    flush(session)
    session.take(SetBack(12, False))
    session.take(Online(m.Welcome("you", 30, 11)))
    assert session.reset
    when = time.strftime("%H:%M", time.localtime(1_763_805_000))
    assert session.set_back == f"The server was set back: messages after {when} that you saw are not on it."
    session.take(SetBack(1, True))
    assert "others than before" in session.set_back


def test_a_message_that_nobody_knows_of_can_be_sent_again(session: Session) -> None:
    one = opened(session, "#all")
    sent = Sent("#all", "once")
    sent.number = 1
    row = session.sending(one, sent)
    sent.doubt()
    session.take(SentChanged(sent))
    assert (row.failed, session.state_of(row)) == ("not known whether it was sent", "failed")
    assert one.outgoing == {}
    kept = session.sending(one, sent)  # found in the outbox file at the next start
    assert (kept.failed, one.outgoing) == ("not known whether it was sent", {})


def test_texts_are_clean_before_they_are_rows(session: Session) -> None:
    row = session.row(m.Message(11, 1, "ev\x1b[31mil\u202e", "#all", "a\x1b]2;x\x07\tb\x9b"))
    assert row is not None
    assert not any(char in row.by + row.text for char in "\x1b\x07\x9b\u202e\t")
    event = session.row(m.RoomEvent(12, 1, "topic", "#all", by="e\x1b", text="t\x1b\n\x00"))
    assert event is not None
    assert not any(char in event.text for char in "\x1b\x00\n")


def test_what_comes_while_the_server_counts_is_not_forgotten(session: Session) -> None:
    asked = session.heads()
    session.take(m.Message(11, 1, "carol", "@you", "psst"))
    session.take(m.Message(12, 1, "duck", "#ops", "@you: look"))
    before = (
        m.RoomInfo("#all", head=10, read=10),
        m.RoomInfo("#ops", head=12, read=5, unread=3, mentions=1),
        m.RoomInfo("@carol", head=11),
    )
    session.take_rooms(before, asked)
    carol, ops = session.get("@carol"), session.get("#ops")
    assert (carol.unread, carol.mentions) == (1, 1)
    assert (ops.unread, ops.mentions) == (4, 2)
    session.take_rooms(before, session.heads())
    assert (carol.unread, ops.unread, ops.mentions) == (0, 3, 1)
