"""Rooms, people, operators, tokens: who may do what, and who learns of it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from support.coreworld import FREE, Peer, World
from tcpchat.core import model as m
from tcpchat.core.errors import CODES
from tcpchat.core.operators import ACTS
from tcpchat.core.people import PREFERENCES_MAX
from tcpchat.core.rules import Limits


def change(name: str, on: bool = True, arg: str = "") -> tuple[m.Change, ...]:
    return (m.Change(name, on, arg),)


def here(world: World, *logins: str, room: str = "#ops") -> list[Peer]:
    """Guests in a room that the first of them has made."""
    peers = [world.enter(login).do(m.Join(room)) for login in logins]
    for peer in peers:
        peer.forget()
    return peers


def info(peer: Peer, name: str) -> m.RoomInfo:
    return {one.to: one for one in peer.ask(m.Rooms(all=True), m.RoomList).rooms}[name]


# -- rooms -----------------------------------------------------------------------------------------------------------


def test_a_room_is_made_by_joining_and_its_maker_rules_it() -> None:
    world = World()
    duck = world.enter("duck").forget().do(m.Join("#ops", ref=3))
    assert (duck.only(m.RoomEvent).what, duck.only(m.Done).ref) == ("joined", 3)
    assert info(duck, "#ops").role == "op"
    goose = world.enter("goose").do(m.Join("#OPS"))
    assert info(goose, "#ops").role == ""
    assert goose.refused(m.Join("#ops")) == "already_member"


def test_two_who_make_a_room_at_once_are_in_the_same_one() -> None:
    world = World()
    duck, goose = world.enter("duck"), world.enter("goose")
    duck.do(m.Join("#ops", ref=1), commit=False)
    goose.do(m.Join("#Ops", ref=2), commit=False)
    world.commit()
    assert [duck.only(m.Done).ref, goose.only(m.Done).ref] == [1, 2]
    assert info(goose, "#ops").members == 2
    assert info(duck, "#ops").role == "op"


@pytest.mark.parametrize("name", ["#", "", "#a b", "#a,b", "#" + "x" * 51, "#a\x07", "#a\u202e", "#a\nb"])
def test_names_that_no_room_has(name: str) -> None:
    assert World().enter("duck").refused(m.Join(name)) == "bad_name"


def test_a_room_that_looks_like_another_is_not_made() -> None:
    world = World()
    duck = world.enter("duck").do(m.Join("#ops"))
    assert duck.refused(m.Join("#оps")) == "exists"  # a Cyrillic letter
    assert duck.refused(m.Join("#аll")) == "exists"
    assert duck.refused(m.Rename("#аll", room="#ops")) == "exists"


def test_everybody_belongs_to_all_and_nobody_leaves_it() -> None:
    duck = World().enter("duck")
    assert duck.refused(m.Leave("#all")) == "not_allowed"
    assert duck.refused(m.Join("#all")) == "already_member"
    assert duck.refused(m.Topic("#all", "mine")) == "not_allowed"
    assert duck.refused(m.Kick("#all", "duck")) == "not_allowed"


def test_who_is_not_in_a_room_hears_and_says_nothing_there() -> None:
    world = World()
    duck, goose = *here(world, "duck"), world.enter("goose").forget()
    seq = duck.ask(m.Say("#ops", "secret", n=1), m.Accepted).seq
    assert goose.events == []
    refusals = [goose.refused(command) for command in (
        m.Say("#ops", "x", n=1), m.History("#ops"), m.Search("secret", to="#ops"), m.Read("#ops", 1), m.Leave("#ops"),
        m.Topic("#ops", "x"), m.Receipts(seq), m.Invite("#ops", "goose"), m.Kick("#ops", "duck"),
        m.Mode("#ops", change("secret")),
    )]  # fmt: skip
    assert refusals == ["not_member", "not_member", "not_member", "no_such_room", "not_member", "not_member",
                        "no_such_message", "not_member", "not_member", "not_member"]  # fmt: skip
    assert goose.ask(m.Search("secret"), m.Page).messages == ()


def test_what_was_said_before_one_joined_is_not_in_the_feed() -> None:
    world = World()
    (duck,) = here(world, "duck")
    duck.do(m.Say("#ops", "before"))
    world.enter("goose").do(m.Join("#ops")).close()
    duck.do(m.Say("#ops", "after"))
    assert world.enter("goose", after=1).texts == ["after"]


def test_leaving_is_heard_by_the_room_and_by_the_one_who_leaves() -> None:
    world = World()
    duck, goose = here(world, "duck", "goose")
    goose.do(m.Leave("#ops", "bored"))
    assert duck.only(m.RoomEvent) == goose.only(m.RoomEvent)
    assert duck.only(m.RoomEvent).text == "bored"
    duck.forget().do(m.Say("#ops", "x"))
    assert goose.texts == []


def test_kick_topic_and_switches_are_for_operators() -> None:
    world = World()
    duck, goose, teal = here(world, "duck", "goose", "teal")
    assert goose.refused(m.Kick("#ops", "teal")) == "not_allowed"
    assert goose.refused(m.Topic("#ops", "x")) == "not_allowed"
    assert goose.refused(m.Mode("#ops", change("secret"))) == "not_allowed"
    duck.do(m.Mode("#ops", change("op", arg="goose")))
    goose.forget().do(m.Topic("#ops", "new")).do(m.Kick("#ops", "teal", "out"))
    assert [event.what for event in teal.told(m.RoomEvent)] == ["mode", "topic", "kicked"]
    assert info(duck, "#ops").topic == "new"
    assert (info(duck, "#ops").topic_by, info(duck, "#ops").members) == ("goose", 2)
    assert duck.refused(m.Kick("#ops", "teal")) == "no_such_login"
    assert duck.refused(m.Topic("#ops", "x" * 1001)) == "too_long"


def test_moderated_and_voice() -> None:
    duck, goose, teal = here(World(), "duck", "goose", "teal")
    duck.do(m.Mode("#ops", (*change("moderated"), *change("voice", arg="goose"))))
    assert teal.refused(m.Say("#ops", "x")) == "muted"
    assert goose.ask(m.Say("#ops", "x"), m.Accepted)
    duck.do(m.Mode("#ops", change("voice", False, "goose")))
    assert goose.refused(m.Say("#ops", "x")) == "muted"


def test_bans_exceptions_and_mutes_by_mask() -> None:
    world = World()
    duck, goose = here(world, "duck", "Big Goose")
    duck.do(m.Mode("#ops", change("ban", arg="big_goose!*@*")))
    assert goose.refused(m.Say("#ops", "x")) == "muted"
    goose.do(m.Leave("#ops"))
    assert goose.refused(m.Join("#ops")) == "banned"
    duck.do(m.Mode("#ops", change("except", arg="*!~u@tcpchat")))
    assert goose.ask(m.Join("#ops", ref=1), m.Done)
    duck.do(m.Mode("#ops", (*change("except", False, "*!~u@tcpchat"), *change("ban", False, "BIG_goose!*@*"))))
    duck.do(m.Mode("#ops", change("ban", arg="m:big*")))
    assert goose.refused(m.Say("#ops", "x")) == "muted"
    assert [one.arg for one in duck.ask(m.Rooms(to="#ops"), m.RoomList).rooms[0].modes if one.name == "ban"] == [
        "m:big*"
    ]


def test_who_is_banned_is_not_brought_in_by_a_friend() -> None:
    world = World()
    duck, goose = here(world, "duck", "goose")
    teal = world.enter("teal")
    duck.do(m.Mode("#ops", change("ban", arg="teal!*@*")))
    assert goose.refused(m.Invite("#ops", "teal")) == "not_allowed"
    duck.do(m.Invite("#ops", "teal"))
    assert teal.ask(m.Join("#ops", ref=1), m.Done)


@pytest.mark.parametrize(
    ("name", "arg", "code"),
    [("invite_only", "", "invite_only"), ("key", "sesame", "wrong_key"), ("limit", "1", "room_full")],
)
def test_closed_rooms_open_for_who_is_invited(name: str, arg: str, code: str) -> None:
    world = World()
    duck, goose = *here(world, "duck"), world.enter("goose")
    duck.do(m.Mode("#ops", change(name, arg=arg)))
    assert goose.refused(m.Join("#ops", key="wrong")) == code
    duck.do(m.Invite("#ops", "goose"))
    assert goose.forget().do(m.Join("#ops", ref=1)).only(m.Done).ref == 1


def test_an_invitation_reaches_who_could_not_be_told_at_once() -> None:
    world = World()
    duck, goose = *here(world, "duck"), world.enter("goose").forget()
    world.chat.paused(goose.session)
    duck.do(m.Invite("#ops", "goose"))
    world.run(world.chat.resumed(goose.session, world.now))
    assert goose.only(m.RoomEvent).what == "invited"


@pytest.mark.parametrize("arg", ["0", "-1", "x", "²", "9" * 5000, ""])
def test_a_limit_is_a_number(arg: str) -> None:
    (duck,) = here(World(), "duck")
    duck.do(m.Mode("#ops", change("limit", arg=arg)))
    assert not any(one.name == "limit" for one in info(duck, "#ops").modes)


@pytest.mark.parametrize("arg", ["a b", "x\r\nQUIT", "x" * 300, "\x1b[2J"])
def test_a_mask_is_one_clean_word(arg: str) -> None:
    (duck,) = here(World(), "duck")
    assert duck.refused(m.Mode("#ops", change("ban", arg=arg))) == "bad_name"


def test_lists_and_changes_have_an_end() -> None:
    (duck,) = here(World(msgspec.structs.replace(FREE, list_entries=3)), "duck")
    for place in range(4):
        duck.forget().do(m.Mode("#ops", change("ban", arg=f"{place}!*@*")))
    assert "too_many" in duck.codes
    assert duck.refused(m.Mode("#ops", change("nonsense"))) == "bad_command"


def test_a_closed_room_that_everybody_left_opens_for_nobody() -> None:
    """Whoever comes next begins a room of the same name, and reads nothing of the old one."""
    for name, arg in (("invite_only", ""), ("key", "k"), ("secret", "")):
        world = World()
        (duck,) = here(world, "duck")
        duck.do(m.Mode("#ops", change(name, arg=arg))).do(m.Say("#ops", "secret", n=1)).do(m.Leave("#ops"))
        thief = world.enter("thief").do(m.Join("#ops"))
        assert thief.ask(m.History("#ops"), m.Page).messages == ()
        assert info(thief, "#ops").role == "op"
        assert world.again(snapshot=False).snapshot() == world.chat.snapshot()


def test_a_public_room_that_everybody_left_keeps_its_history() -> None:
    world = World()
    (duck,) = here(world, "duck")
    duck.do(m.Say("#ops", "for later", n=1)).do(m.Leave("#ops"))
    goose = world.enter("goose").do(m.Join("#ops"))
    assert [event.text for event in goose.ask(m.History("#ops"), m.Page).messages] == ["for later"]  # type: ignore[union-attr]


def test_rooms_that_nobody_used_do_not_fill_the_chat() -> None:
    world = World(msgspec.structs.replace(FREE, rooms=3))
    duck = world.enter("duck")
    for place in range(10):
        assert duck.ask(m.Join(f"#r{place}", ref=1), m.Done)
        duck.do(m.Leave(f"#r{place}"))
    assert len(world.chat.state.rooms) == 1


def test_a_login_is_in_a_bounded_number_of_rooms() -> None:
    duck = World(msgspec.structs.replace(FREE, rooms_per_login=2)).enter("duck").do(m.Join("#a")).do(m.Join("#b"))
    assert duck.refused(m.Join("#c")) == "too_many"


def test_renaming_a_room_keeps_everything_in_it() -> None:
    world = World()
    duck, goose = here(world, "duck", "goose")
    duck.do(m.Say("#ops", "before"))
    goose.forget()
    duck.do(m.Rename("#Ops2", room="#ops", why="new"))
    assert (goose.only(m.RoomEvent).room, goose.only(m.RoomEvent).text) == ("#ops", "#Ops2")
    assert goose.refused(m.Say("#ops", "x")) == "no_such_room"
    assert len(goose.ask(m.History("#ops2"), m.Page).messages) == 1
    assert goose.refused(m.Rename("#x", room="#ops2")) == "not_allowed"
    assert duck.refused(m.Rename("#all", room="#ops2")) == "exists"


def test_a_secret_room_is_no_secret_only_to_its_members() -> None:
    world = World()
    duck, goose = here(world, "duck", "goose")
    duck.do(m.Mode("#ops", change("secret")))
    stranger = world.enter("stranger").forget()
    duck.do(m.Away("lunch"))
    assert stranger.only(m.Presence).rooms == ("#all",)
    assert goose.told(m.Presence)[-1].rooms == ("#all", "#ops")
    assert "#ops" not in stranger.ask(m.Who("@duck"), m.People).people[0].rooms
    assert stranger.refused(m.Who("#ops")) == "no_such_room"
    assert all(one.to != "#ops" for one in stranger.ask(m.Rooms(all=True), m.RoomList).rooms)
    assert stranger.ask(m.Rooms(to="#ops"), m.RoomList).rooms == ()


def test_typing_is_passed_on_and_nothing_more() -> None:
    world = World()
    duck, goose = here(world, "duck", "goose")
    rows = len(world.rows)
    duck.do(m.Typing("@goose")).do(m.Typing("#ops", False)).do(m.Typing("@nobody")).do(m.Typing("#none"))
    assert [(event.to, event.on) for event in goose.told(m.TypingNotice)] == [
        ("@goose", True),
        ("#ops", False),
    ]
    assert (duck.events, len(world.rows)) == ([], rows)


# -- people ----------------------------------------------------------------------------------------------------------


def test_renaming_keeps_the_history() -> None:
    world = World()
    duck, goose = world.enter("duck"), world.enter("goose")
    duck.do(m.Say("@goose", "hi", n=1))
    goose.forget()
    duck.do(m.Rename("Mallard", ref=1))
    assert goose.only(m.Presence) == m.Presence("duck", "renamed", ("#all",), "Mallard")
    page = goose.ask(m.History("@mallard"), m.Page)
    assert [event.by for event in page.messages] == ["Mallard"]
    assert goose.refused(m.Say("@duck", "x")) == "no_such_login"


def test_names_of_others_are_not_taken_by_renaming() -> None:
    world = World()
    duck = world.enter("duck")
    world.enter("goose")
    world.own("teal").close()
    assert [duck.refused(m.Rename(name)) for name in ("Goose", "g0ose", "TEAL", "#x", "")] == [
        "in_use", "in_use", "claimed", "bad_name", "bad_name",
    ]  # fmt: skip
    assert duck.ask(m.Rename("DUCK", ref=1), m.Done)
    assert duck.ask(m.Rename("DUCK", ref=1), m.Done)


def test_of_two_renames_the_first_in_the_log_counts() -> None:
    world = World()
    duck, goose = world.enter("duck"), world.enter("goose")
    duck.do(m.Rename("swan", ref=1), commit=False)
    goose.do(m.Rename("swän", ref=2), commit=False)
    world.commit()
    assert duck.told(m.Done)[-1].data == {"login": "swan"}
    assert goose.codes == ["in_use"]


def test_away_when_all_sessions_are() -> None:
    world = World()
    goose = world.enter("goose")
    one, two = world.enter("duck", "d.1"), world.enter("duck", "d.2")
    goose.forget()
    one.do(m.Away("lunch"))
    assert goose.events == []
    two.do(m.Away("asleep"))
    assert (goose.only(m.Presence).what, goose.only(m.Presence).text) == ("away", "asleep")
    one.do(m.Away(""))
    assert goose.told(m.Presence)[-1].what == "back"


def test_who_is_here() -> None:
    world = World()
    duck = world.own("duck", name="Donald", label="laptop")
    world.enter("goose").close()
    assert [one.login for one in duck.ask(m.Who(), m.People).people] == ["duck"]
    assert [one.login for one in duck.ask(m.Who(all=True), m.People).people] == ["duck", "goose"]
    person = duck.ask(m.Who("duck"), m.People).people[0]
    assert (person.account, person.name, person.role, person.doors) == (
        "duck",
        "Donald",
        "owner",
        ("laptop",),
    )
    assert duck.refused(m.Who("nobody")) == "no_such_login"


def test_preferences_have_an_end() -> None:
    duck = World().enter("duck")
    for place in range(PREFERENCES_MAX):
        duck.do(m.Set(f"k{place}", "v"))
    assert duck.refused(m.Set("one more", "v")) == "too_many"
    assert (duck.refused(m.Set("", "v")), duck.refused(m.Set("k", "v" * 1001))) == (
        "bad_command",
        "bad_command",
    )
    assert duck.ask(m.Set("k1", "", ref=1), m.Done)
    duck.do(m.Join("#ops"))
    assert duck.ask(m.Set("k", "v", room="#ops", ref=1), m.Done)


def test_keys_are_listed_added_and_revoked_by_their_owner() -> None:
    world = World()
    duck = world.own("duck")
    duck.do(m.Key("add", "ed25519:2", "signature", "phone"))
    assert duck.ask(m.Key("list", ref=1), m.Done).data == {"keys": {"ed25519:duck": "", "ed25519:2": "phone"}}
    duck.do(m.Key("revoke", "ed25519:2"))
    assert duck.refused(m.Key("revoke", "ed25519:2")) == "bad_command"
    world.answer["key"] = ""
    assert duck.refused(m.Key("add", "ed25519:3", "forged")) == "wrong_proof"
    assert world.enter("goose").refused(m.Key("add", "ed25519:3", "x")) == "guest"


def test_the_last_way_in_is_not_revoked() -> None:
    duck = World().own("duck")
    assert duck.refused(m.Key("revoke", "ed25519:duck")) == "not_allowed"


def test_a_guest_claims_its_login_while_it_is_in() -> None:
    world = World()
    goose = world.enter("goose").forget()
    duck = world.enter("duck")
    assert duck.ask(m.Key("claim", "ed25519:1", "s", ref=1), m.Done)
    assert goose.told(m.Presence)[-1].account == "duck"
    assert duck.refused(m.Key("claim", "ed25519:2", "s")) == "exists"


# -- operators -------------------------------------------------------------------------------------------------------


def test_acts_are_for_those_who_hold_the_role() -> None:
    world = World()
    owner, member, guest = world.own("owner"), world.own("member"), world.enter("guest")
    args = {
        "login": "guest",
        "text": "x",
        "code": "12345678",
        "room": "#all",
        "name": "n",
        "secret": "s" * 20,
    }
    for do in ACTS:
        assert member.refused(m.Admin(do, args)) == "not_allowed", do
        assert guest.refused(m.Admin(do, args)) == "not_allowed", do
    owner.do(m.Admin("role", {"login": "member", "role": "moderator"}))
    assert member.refused(m.Admin("delete", {"login": "guest"})) == "not_allowed"
    assert member.refused(m.Admin("kick", {"login": "owner"})) == "not_allowed"
    assert owner.refused(m.Admin("role", {"login": "guest", "role": "moderator"})) == "guest"
    assert owner.refused(m.Admin("nonsense")) == "bad_command"
    member.do(m.Admin("kick", {"login": "guest", "why": "spam"}))
    assert guest.hung_up == "banned"


def test_there_is_always_one_owner_and_only_the_first_claim_makes_one() -> None:
    world = World()
    owner = world.own("owner")
    assert owner.refused(m.Admin("role", {"login": "owner", "role": "member"})) == "not_allowed"
    assert owner.refused(m.Admin("delete", {"login": "owner"})) == "not_allowed"
    second = world.own("second")
    assert second.only(m.Welcome).role == "member"
    owner.do(m.Admin("role", {"login": "second", "role": "owner"}))
    owner.do(m.Admin("role", {"login": "owner", "role": "member"}))
    assert world.own("third").only(m.Welcome).role == "member"


def test_a_login_that_only_posts_is_never_the_owner() -> None:
    world = World()
    admin = world.connect(trusted=True)
    admin.do(m.Hello("console", device="c")).do(m.Admin("token", {"room": "#all", "name": "alarm", "secret": "s" * 20}))
    assert world.own("duck").only(m.Welcome).role == "owner"


def test_bans_keep_out_by_login_look_and_address() -> None:
    world = World()
    owner, guest = world.own("owner"), world.enter("guest")
    owner.do(m.Admin("ban", {"login": "guest", "why": "spam", "seconds": "60"}))
    assert guest.hung_up == "banned"
    assert world.connect().refused(m.Hello("guеst", device="x")) == "banned"
    world.now += 61
    assert world.connect().ask(m.Hello("guest", device="x"), m.Welcome)
    owner.do(m.Admin("ban", {"address": "10.0.0.0/8"}))
    assert world.connect(address="10.1.2.3").refused(m.Hello("teal", device="y")) == "banned"
    owner.do(m.Admin("unban", {"address": "10.0.0.0/8"}))
    assert world.connect(address="10.1.2.3").ask(m.Hello("teal", device="y"), m.Welcome)
    assert owner.refused(m.Admin("unban", {"address": "10.0.0.0/8"})) == "no_such_login"
    world.tick(20)
    assert owner.ask(m.Admin("bans"), m.Done).data == {"bans": {}}


def test_the_console_is_never_locked_out() -> None:
    world = World()
    world.own("owner").do(m.Admin("ban", {"login": "console"}))
    assert world.connect(trusted=True).ask(m.Hello("console", device="c"), m.Welcome)


@pytest.mark.parametrize("seconds", ["²", "9" * 400, "1e400", "nan", "-5", "", "x"])
def test_no_length_of_a_ban_is_a_bug(seconds: str) -> None:
    world = World()
    owner = world.own("owner")
    world.enter("guest")
    assert owner.ask(m.Admin("mute", {"login": "guest", "seconds": seconds}, ref=1), m.Done)


def test_a_muted_login_reads_and_does_not_write() -> None:
    world = World()
    owner, guest = world.own("owner"), world.enter("guest")
    owner.do(m.Admin("mute", {"login": "guest", "seconds": "60"}))
    assert guest.refused(m.Say("#all", "x", n=1)) == "muted"
    seq = owner.ask(m.Say("#all", "hear me", n=1), m.Accepted).seq
    assert guest.texts == ["hear me"]
    world.now += 61
    assert guest.ask(m.Say("#all", "x", n=1), m.Accepted).seq == seq + 1
    owner.do(m.Admin("mute", {"login": "guest"})).do(m.Admin("unmute", {"login": "guest"}))
    assert guest.ask(m.Say("#all", "y", n=2), m.Accepted)


def test_a_deleted_login_is_gone_and_its_name_free() -> None:
    world = World()
    owner, duck = world.own("owner"), world.own("duck")
    duck.do(m.Join("#ops")).do(m.Say("#all", "mine", n=1))
    owner.do(m.Admin("delete", {"login": "duck", "erase": "on"}))
    assert duck.hung_up == "deleted"
    assert owner.refused(m.Say("@duck", "x")) == "no_such_login"
    new = world.enter("duck", "another")
    assert new.only(m.Welcome).claimed is False
    assert owner.refused(m.Admin("kick", {"login": "nobody"})) == "no_such_login"


def test_erased_texts_of_a_deleted_login_are_not_replayed_from_memory() -> None:
    world = World()
    owner, duck = world.own("owner"), world.own("duck")
    goose = world.enter("goose")
    goose.close()
    duck.do(m.Say("#all", "shame", n=1))
    owner.do(m.Admin("delete", {"login": "duck", "erase": "on"}))
    assert world.enter("goose").texts == [""]


def test_an_announcement_is_heard_by_all() -> None:
    world = World()
    owner, guest = world.own("owner"), world.enter("guest").forget()
    owner.do(m.Admin("announce", {"text": "tea"}))
    assert guest.only(m.Message).text == "tea"
    assert owner.refused(m.Admin("announce", {"text": "x" * 9000})) == "too_long"


def test_acts_are_in_the_log_with_who_and_why() -> None:
    world = World()
    owner = world.own("owner")
    world.enter("guest")
    owner.do(m.Admin("mute", {"login": "guest", "why": "loud"}))
    rows = owner.ask(m.Admin("log"), m.Done).data["log"]
    assert [(row["by"], row["do"], row["login"], row["why"]) for row in rows][-1] == (
        "owner",
        "mute",
        "guest",
        "loud",
    )


def test_a_room_token_posts_to_its_room_and_does_nothing_else() -> None:
    world = World()
    owner = world.own("owner").do(m.Join("#ops")).do(m.Say("#all", "private"))
    owner.do(m.Admin("token", {"room": "#ops", "name": "alarm", "secret": "s" * 20}))
    hook = world.connect("http")
    hook.do(m.Hello("", token="s" * 20, after=0))
    assert "private" not in str(hook.events)
    owner.forget()
    hook.do(m.Say("#ops", "disk full", n=1))
    assert owner.only(m.Message).by == "alarm/ops"
    for command in (m.Say("#all", "x"), m.Say("@owner", "x"), m.Search("private"), m.Who(), m.Rooms(), m.Join("#x"),
                    m.Key("add", "ed25519:evil", "s"), m.Key("list"), m.Password("", new="evil"), m.Set("a", "b"),
                    m.Rename("x"), m.Edit(1, "x"), m.Receipts(1), m.Admin("users"), m.Read("#ops", 1), m.Away("x"),
                    m.Topic("#ops", "x")):  # fmt: skip
        assert hook.refused(command) == "not_allowed", command
    assert [event.text for event in hook.ask(m.History("#ops"), m.Page).messages] == ["disk full"]  # type: ignore[union-attr]
    hook.forget()
    owner.do(m.Say("#all", "still private")).do(m.Say("#ops", "thanks"))
    assert hook.texts == ["thanks"]
    owner.do(m.Rename("#ops2", room="#ops"))
    again = world.connect("http")
    assert again.ask(m.Hello("", token="s" * 20), m.Welcome).login == "alarm/ops"
    owner.do(m.Admin("token_revoke", {"token": next(iter(world.chat.state.rules["token"]))[:12]}))
    assert world.connect("http").refused(m.Hello("", token="s" * 20)) == "not_allowed"


def test_a_token_ends_with_its_room() -> None:
    world = World()
    owner = world.own("owner").do(m.Join("#ops")).do(m.Mode("#ops", change("invite_only")))
    owner.do(m.Admin("token", {"room": "#ops", "name": "alarm", "secret": "s" * 20}))
    hook = world.connect("http")
    hook.do(m.Hello("", token="s" * 20))
    owner.do(m.Leave("#ops"))
    assert hook.hung_up
    assert world.connect("http").refused(m.Hello("", token="s" * 20)) == "not_allowed"
    assert world.again(snapshot=False).snapshot() == world.chat.snapshot()


# -- the gate --------------------------------------------------------------------------------------------------------


def test_ping_status_fault_and_bye() -> None:
    world = World()
    duck = world.enter("duck").forget()
    assert duck.ask(m.Ping("t"), m.Ponged).token == "t"
    assert duck.do(m.Pong("t")).told(m.Refused) == []
    assert duck.ask(m.Status(ref=3), m.State).ref == 3
    assert duck.ask(m.Fault("too_large", "64 KiB"), m.Refused).text == CODES["too_large"].text + " 64 KiB"
    assert duck.ask(m.Fault("unheard of"), m.Refused).code == "bad_command"
    duck.do(m.Bye("so long"))
    assert (duck.hung_up, world.chat.online) == ("so long", 0)
    assert duck.forget().do(m.Say("#all", "x")).events == []
    other = world.enter("goose")
    assert other.do(m.Fault("bad_text", fatal=True)).hung_up == "bad_text"


@pytest.mark.parametrize("number", [-1, 2**63, 2**64 - 1])
def test_numbers_that_no_log_has(number: int) -> None:
    """What a peer writes never reaches the log as a number that it cannot hold."""
    duck = World().enter("duck")
    for command in (
        m.History("#all", before=number, after=number, around=number, at=number, until=number, limit=number),
        m.Search("x", since=number, until=number, before=number, limit=number),
    ):
        duck.do(command, commit=False)
    world = duck.world
    world.hold_loads = True
    duck.do(m.History("#all", before=number, limit=number)).do(m.Search("x", before=number, since=number))
    for load in world.loads:
        query = load.query
        for value in (
            query.before,
            query.after,
            query.around,
            query.at,
            query.until,
            query.since,
            query.limit,
        ):
            assert 0 <= value < 2**63


def counted(world: World, peer: Peer, meanwhile: Callable[[], object]) -> dict[str, m.RoomInfo]:
    """The rooms of a peer when something happens between the log's counting and the answer."""
    world.hold_loads = True
    peer.do(m.Rooms(ref=9))
    (load,) = world.loads
    result = world.ask(load.query)
    meanwhile()
    world.loads.clear()
    world.hold_loads = False
    world.run(world.chat.loaded(load, result, world.now))
    return {info.to: info for info in peer.told(m.RoomList)[-1].rooms}


def test_what_comes_while_the_log_counts_is_counted_once() -> None:
    world = World()
    duck, goose = world.enter("duck"), world.enter("goose")
    goose.do(m.Say("#all", "one", n=1))
    rooms = counted(world, duck, lambda: goose.do(m.Say("#all", "two", n=2)).do(m.Say("@duck", "first", n=3)))
    assert (rooms["#all"].unread, rooms["#all"].head) == (2, world.chat.head - 1)
    assert (rooms["@goose"].unread, rooms["@goose"].head) == (1, world.chat.head)
    assert {to: info.unread for to, info in counted(world, duck, lambda: None).items()} == {"#all": 2, "@goose": 1}


def test_what_is_read_while_the_log_counts_is_not_unread() -> None:
    world = World()
    duck, goose = world.enter("duck"), world.enter("goose")
    goose.do(m.Say("#all", "one", n=1)).do(m.Say("#all", "two", n=2))
    newest = world.chat.head

    def meanwhile() -> None:
        duck.do(m.Read("#all", newest))
        goose.do(m.Say("#all", "three", n=3))

    assert counted(world, duck, meanwhile)["#all"].unread == 1


# -- the end of a room -----------------------------------------------------------------------------------------------


def names(world: World) -> list[str]:
    return [room.name for room in world.chat.state.rooms.values()]


def guest_of(world: World, login: str, address: str = "192.0.2.1") -> Peer:
    peer = world.connect(local=False, address=address)
    return peer.do(m.Hello(login, device=f"dev-{login}"))


@pytest.mark.parametrize("snapshot", [True, False])
def test_rooms_of_guests_alone_end_with_them(snapshot: bool) -> None:
    world = World()
    guest, owner = world.enter("guest"), world.own("owner")
    for room in ("#alone", "#shared", "#busy"):
        guest.do(m.Join(room)).do(m.Say(room, "x"))
    owner.do(m.Join("#shared")).do(m.Leave("#shared"))
    other = world.enter("other").do(m.Join("#busy"))
    guest.close()
    world.tick(world.limits.guest_grace + 10)
    world.tick(10)
    world.tick(10)
    assert names(world) == ["#all", "#shared", "#busy"]
    assert other.session.user is not None
    world.restart(snapshot)
    assert names(world) == ["#all", "#shared", "#busy"]
    assert world.chat.state.room("#shared").lasting  # type: ignore[union-attr]
    assert not world.chat.state.room("#busy").lasting  # type: ignore[union-attr]


def test_who_comes_before_the_end_keeps_the_room() -> None:
    world = World()
    guest, late = world.enter("guest").do(m.Join("#r")).do(m.Say("#r", "x")), world.enter("late")
    guest.do(m.Leave("#r"))
    late.do(m.Join("#r"), commit=False)
    world.tick(10)  # proposes the end behind the joining
    assert names(world) == ["#all", "#r"]
    assert late.ask(m.Say("#r", "here"), m.Accepted)


def test_operators_delete_a_room_and_all_in_it_are_told() -> None:
    world = World()
    owner, maker, member = world.own("owner"), world.own("maker"), world.enter("guest")
    maker.do(m.Join("#r"))
    member.do(m.Join("#r"))
    act = m.Admin("room_delete", {"room": "#r", "why": "done"}, 7)
    assert member.refused(act) == "not_allowed"
    assert owner.refused(m.Admin("room_delete", {"room": "#all"})) == "not_allowed"
    assert owner.refused(m.Admin("room_delete", {"room": "#none"})) == "no_such_room"
    member.forget()
    maker.ask(act, m.Done)
    told = member.only(m.RoomEvent)
    assert (told.what, told.room, told.by, told.login, told.text) == ("kicked", "#r", "maker", "guest", "done")
    assert names(world) == ["#all"]
    assert member.refused(m.Say("#r", "x")) == "no_such_room"
    log = owner.ask(m.Admin("log"), m.Done).data["log"]
    assert log[-1]["do"] == "room_delete"
    world.restart(snapshot=False)
    assert names(world) == ["#all"]
    assert world.enter("another").ask(m.Join("#r"), m.Done)


def test_a_full_table_gives_up_an_empty_room_and_guests_get_half_of_it() -> None:
    world = World(Limits(messages_per_second=0, rooms=6))
    owner, guest = world.own("owner"), world.enter("guest")
    for room in ("#old", "#older"):
        owner.do(m.Join(room)).do(m.Say(room, "x"))
    for room in ("#a", "#b", "#c"):
        guest.do(m.Join(room))
    assert names(world) == ["#all", "#old", "#older", "#a", "#b", "#c"]
    assert guest.refused(m.Join("#d")) == "too_many"
    assert owner.refused(m.Join("#new")) == "too_many"
    for room in ("#older", "#old"):
        owner.do(m.Leave(room))
    assert owner.ask(m.Join("#new"), m.Done)
    assert names(world) == ["#all", "#older", "#a", "#b", "#c", "#new"]


def test_guests_of_one_address_make_so_many_rooms_an_hour() -> None:
    world = World(Limits(messages_per_second=0, guest_rooms_per_hour=3))
    one, two = guest_of(world, "one"), guest_of(world, "two")
    for number in range(3):
        assert one.ask(m.Join(f"#{number}"), m.Done)
    assert one.refused(m.Join("#4")) == two.refused(m.Join("#5")) == "too_fast"
    assert guest_of(world, "three", "192.0.2.2").ask(m.Join("#6"), m.Done)
    assert world.own("owner").ask(m.Join("#7"), m.Done)
    world.tick(1_300)
    assert guest_of(world, "two again").ask(m.Join("#8"), m.Done)


@pytest.mark.parametrize("claimed", [True, False])
def test_what_is_left_in_the_log_has_a_budget(claimed: bool) -> None:
    world = World(
        Limits(
            messages_per_second=1e6, message_burst=10**6, bytes_per_second=0,
            guest_bytes_per_hour=300_000, login_bytes_per_hour=300_000,
        )
    )  # fmt: skip
    peer = world.own("duck") if claimed else guest_of(world, "duck")
    for _ in range(100):
        peer.do(m.Say("#all", "x" * 8_000))
    refused = peer.told(m.Refused)
    assert 30 < len(peer.told(m.Accepted)) < 40
    assert {one.code for one in refused} == {"too_fast"}
    assert refused[-1].after > 60
    peer.forget()
    for number in range(20):
        peer.do(m.Set(f"key {number}", "v" * 900))
    assert set(peer.codes) == {"too_fast"}
    if not claimed:
        assert guest_of(world, "swan").ask(m.Say("#all", "x"), m.Refused)
        assert guest_of(world, "goose", "192.0.2.2").ask(m.Say("#all", "x"), m.Accepted)
    world.tick(3_600)
    peer = peer if claimed else guest_of(world, "duck again")
    assert peer.ask(m.Say("#all", "x"), m.Accepted)


def test_a_room_by_invitation_shows_outsiders_no_more_than_its_name() -> None:
    world = World()
    owner = world.own("keeper").do(m.Join("#club", invite_only=True)).do(m.Topic("#club", "plans"))
    owner.do(m.Mode("#club", change("ban", arg="evil!*@*")))
    former = world.enter("goose")
    owner.do(m.Invite("#club", "goose"))
    former.do(m.Join("#club")).do(m.Leave("#club"))
    for rooms in (m.Rooms(to="#club"), m.Rooms(all=True)):
        (room,) = [one for one in former.ask(rooms, m.RoomList).rooms if one.to == "#club"]
        assert (room.topic, room.topic_by, room.members, room.online) == ("", "", 0, 0)
        assert "ban" not in [one.name for one in room.modes]
    assert former.refused(m.Who("#club")) == "no_such_room"
    (own,) = owner.ask(m.Rooms(to="#club"), m.RoomList).rooms
    assert (own.topic, own.members, "ban" in [one.name for one in own.modes]) == ("plans", 1, True)
