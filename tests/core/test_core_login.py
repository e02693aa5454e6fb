"""Coming in and leaving: guests, proofs, devices, look-alikes, what is told in which order."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from support.coreworld import FREE, World
from tcpchat.core import model as m
from tcpchat.core.rules import challenge_text
from tcpchat.core.sessions import Way


def kinds(events: list[m.AnyEvent]) -> list[str]:
    return [type(event).__name__ for event in events]


def test_a_guest_is_welcomed_in_order() -> None:
    peer = World().enter("duck")
    assert kinds(peer.events) == ["Welcome", "RoomList", "State"]
    welcome = peer.only(m.Welcome)
    assert (welcome.login, welcome.last, welcome.claimed, welcome.state) == ("duck", 0, False, "WAIT4CLIENTS")


def test_commands_behind_hello_are_answered_behind_welcome() -> None:
    world = World()
    duck = world.enter("duck")
    world.enter("goose").do(m.Say("@duck", "hi", n=1)).close()
    duck.close()
    peer = world.connect()
    world.hold_loads = True  # the log counts what is unread, and takes its time
    peer.do(m.Hello("duck", device="dev-duck")).do(m.Say("#all", "me", n=1)).do(m.Confirm(1))
    assert peer.events == []
    world.hold_loads = False
    world.answer_loads()
    world.commit()
    assert kinds(peer.events)[:3] == ["Welcome", "RoomList", "State"]
    assert peer.only(m.Accepted).n == 1


def test_what_is_sent_behind_a_refused_hello_is_refused_too() -> None:
    world = World()
    world.own("duck")
    peer = world.connect("seed")
    peer.do(m.Hello("duck")).do(m.Say("#all", "hi", n=1, ref=7))
    assert peer.codes[0] == "claimed"
    other = world.connect()
    other.do(m.Hello("duck")).do(m.Say("#all", "x", n=1, ref=7))
    assert kinds(other.events) == ["Challenge"]
    for _ in range(100):
        other.do(m.Say("#all", "x", n=1))
    assert "too_many_pending" in other.codes  # nothing is dropped without a word


def test_an_answer_to_the_old_connection_never_comes_before_the_welcome_of_the_new_one() -> None:
    world = World()
    world.enter("goose")
    duck = world.enter("duck").do(m.Say("@goose", "one", n=1))
    duck.do(m.Say("@goose", "two", n=2), commit=False)
    world.hold_loads = True
    again = world.connect()
    again.do(m.Hello("duck", device="dev-duck"), commit=False)
    world.commit()
    assert again.events == []
    world.hold_loads = False
    world.answer_loads()
    welcome = again.only(m.Welcome)
    assert (welcome.last, len(welcome.recent)) == (2, 2)


def test_a_second_hello_is_refused() -> None:
    assert World().enter("duck").refused(m.Hello("goose")) == "bad_command"


def test_the_same_device_takes_over_a_dead_connection() -> None:
    world = World()
    old = world.enter("duck")
    new = world.enter("duck")
    assert old.only(m.Goodbye).code == "replaced"
    assert (old.hung_up, new.only(m.Welcome).login) == ("replaced", "duck")
    assert world.chat.online == 1


def test_two_windows_of_one_browser_are_one_guest() -> None:
    world = World()
    one, two = world.enter("duck", "browser.1"), world.enter("duck", "browser.2")
    assert one.hung_up == ""
    assert two.only(m.Welcome).login == "duck"


def test_a_guest_name_in_use_is_refused_and_may_be_tried_again() -> None:
    world = World()
    world.enter("duck")
    peer = world.connect()
    assert peer.refused(m.Hello("Duck", device="x")) == "in_use"
    assert peer.ask(m.Hello("goose", device="x"), m.Welcome).login == "goose"


def test_two_guests_of_one_name_at_once_the_first_in_the_log_has_it() -> None:
    world = World()
    one, two, alike = world.connect(), world.connect(), world.connect()
    one.do(m.Hello("duck", device="1"), commit=False)
    two.do(m.Hello("DUCK", device="2"), commit=False)
    alike.do(m.Hello("dück", device="3"), commit=False)
    world.commit()
    assert (one.only(m.Welcome).login, two.codes, alike.codes) == ("duck", ["in_use"], ["in_use"])


def test_nobody_looks_like_somebody() -> None:
    world = World()
    world.own("duck")
    world.enter("goose")
    for name in ("duсk", "ԁuck", "goоse", "g0ose", "góose"):
        assert world.connect().refused(m.Hello(name, device="x")) == "in_use"


def test_a_newcomer_never_reads_what_waited_for_an_older_guest_of_that_name() -> None:
    world = World()
    goose = world.enter("goose")
    world.enter("duck", "old").close()
    goose.do(m.Say("@duck", "secret", n=1)).forget()
    for name in ("duck", "dück"):
        thief = world.enter(name, "thief" + name, after=0)
        assert thief.only(m.Welcome)
        assert thief.texts == []
        thief.close()
    assert goose.told(m.Receipt)[0].state == "failed"


def test_nor_does_one_who_claims_the_name_of_a_guest_who_is_away() -> None:
    world = World()
    goose = world.enter("goose")
    world.enter("duck", "old").close()
    goose.do(m.Say("@duck", "secret", n=1))
    thief = world.own("duck", device="thief", after=0)
    assert thief.only(m.Welcome).claimed
    assert thief.texts == []


def test_a_claim_takes_nobodys_name_who_is_here() -> None:
    world = World()
    world.enter("duck")
    thief = world.own("duck", device="thief")
    assert "in_use" in thief.codes


def test_a_guest_claims_its_own_name_and_keeps_its_messages() -> None:
    world = World()
    goose = world.enter("goose")
    world.enter("duck", "mine").close()
    goose.do(m.Say("@duck", "hello", n=1))
    duck = world.own("duck", device="mine")
    assert duck.texts == ["hello"]


def test_of_two_claims_the_first_in_the_log_counts() -> None:
    world = World()
    one, two = world.connect(), world.connect()
    for peer, key in ((one, "ed25519:1"), (two, "ed25519:2")):
        peer.do(m.Hello("duck", device=key, key=key, claim=True), commit=False)
        peer.do(m.Proof("signature"), commit=False)
    world.commit()
    assert one.only(m.Welcome).role == "owner"
    assert two.codes == ["claimed"]


def test_the_challenge_is_bound_to_the_connection_and_the_server() -> None:
    world = World()
    world.own("duck").close()
    peer = world.connect(nonce="N", binding="F")
    peer.do(m.Hello("Duck", device="d", key="ed25519:duck"))
    assert peer.only(m.Challenge) == m.Challenge("N", ("key",), "duck", world.chat.server_id)
    peer.do(m.Proof("s"), commit=False)
    assert world.checks[0].text == challenge_text("N", "duck", "F") == "tcpchat-auth-1\nN\nduck\nF"


def asked(at: str = "", **given: Any) -> str:
    """What a proof of duck has to be a signature of, on a connection like this; "" when no proof would do."""
    world = World()
    world.own("duck").close()
    peer = world.connect(nonce="N", **given).do(m.Hello("duck", device="d", key="ed25519:duck"))
    peer.do(m.Proof("s", at=at), commit=False)
    assert bool(world.checks) != (peer.codes == ["wrong_proof"])
    return world.checks[0].text if world.checks else ""


def test_a_proof_without_tls_names_the_server_or_comes_from_this_machine() -> None:
    plain = {"secure": False, "way": Way("plain", 6060)}
    name = World().chat.server_id
    assert asked(**plain) == "tcpchat-auth-1\nN\nduck\n"
    assert asked(**plain, local=False) == ""
    assert asked(local=False, binding="F") == "tcpchat-auth-1\nN\nduck\nF"
    assert asked(local=False, binding="", way=Way("ws", 6060)) == ""  # a browser's: TLS is there, and not seen
    text = f"tcpchat-auth-2\nN\nduck\n{name}\nchat.example:7000\nplain\n"
    assert asked("chat.example:7000", **plain, local=False) == text
    assert asked("chat.example", binding="", way=Way("ws", 6060)).endswith("\nchat.example\nws\n")
    assert asked("localhost:7000", binding="F", way=Way("tls", 6060)).endswith("\nlocalhost:7000\ntls\nF")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "127.0.0.1", "127.9.9.9", "[::1]"])
def test_a_proof_for_another_port_of_this_machine_is_none(host: str) -> None:
    plain = {"secure": False, "way": Way("plain", 6060)}
    assert asked(f"{host}:7000", **plain) == ""
    assert f"\n{host}:6060\n" in asked(f"{host}:6060", **plain)


def test_a_restored_server_keeps_its_id_and_another_log_has_another() -> None:
    world = World()
    first = world.chat.server_id
    assert len(first) == 32
    world.own("duck")
    world.lineages.append(("restored", world.chat.state.seq))
    assert world.again().server_id == first
    world.lineages[:] = [("another", 0)]
    assert world.again().server_id not in ("", first)


def test_a_wrong_proof_three_times_ends_the_connection() -> None:
    world = World()
    world.own("duck").close()
    world.answer["key"] = ""
    peer = world.connect()
    peer.do(m.Hello("duck", device="x", key="ed25519:duck"))
    for _ in range(3):
        peer.do(m.Proof("forged"))
    assert (peer.codes, peer.hung_up) == (["wrong_proof"] * 3, "wrong_proof")


def test_another_key_is_not_even_checked() -> None:
    world = World()
    world.own("duck").close()
    peer = world.connect()
    peer.do(m.Hello("duck", device="x", key="ed25519:other")).do(m.Proof("good", key="ed25519:other"))
    assert peer.codes == ["wrong_proof"]


def test_a_password_over_plain_from_elsewhere_is_refused() -> None:
    world = World()
    peer = world.connect(secure=False, local=False)
    assert peer.refused(m.Password("secret", account="duck")) == "insecure"


def test_two_passwords_at_once_let_in_once() -> None:
    world = World()
    world.enter("duck").do(m.Password("", new="secret")).close()
    peer = world.connect()
    peer.do(m.Hello("duck", device="x"))
    assert peer.only(m.Challenge).methods == ("password",)
    peer.do(m.Password("secret"), commit=False).do(m.Password("secret"), commit=False)
    assert peer.codes == ["too_many_pending"]
    world.commit()
    assert len(peer.told(m.Welcome)) == 1
    assert len(world.chat.state.find("duck").sessions) == 1  # type: ignore[union-attr]


def test_an_account_vouches_for_a_guest() -> None:
    world = World()
    world.enter("duck").do(m.Password("", new="secret")).close()
    peer = world.connect("irc")
    assert peer.ask(m.Password("secret", account="duck"), m.Done).data == {"account": "duck"}
    assert peer.ask(m.Hello("teal", account="duck"), m.Welcome).account == "duck"
    goose = world.enter("goose")
    peer.do(m.Say("@goose", "quack"))
    assert goose.only(m.Message).account == "duck"


def test_a_quiet_script_is_nobody_online() -> None:
    world = World()
    world.enter("duck")
    script = world.enter("goose", quiet=True)
    assert world.chat.ready == "WAIT4CLIENTS"
    script.do(m.Say("@duck", "done", n=1))
    world.chat.state.find("duck").sessions[0].carrier.do(m.Confirm(99))  # type: ignore[union-attr]
    assert [event.state for event in script.told(m.Receipt)] == ["delivered"]


def test_ready_when_two_are_here_and_everybody_is_told() -> None:
    world = World()
    duck = world.enter("duck").forget()
    goose = world.enter("goose")
    assert duck.only(m.State).state == "READY2SERV"
    goose.close()
    assert duck.told(m.State)[-1].state == "WAIT4CLIENTS"


def test_who_could_not_be_told_the_state_is_told_when_it_listens_again() -> None:
    world = World()
    duck = world.enter("duck").forget()
    world.chat.paused(duck.session)
    world.enter("goose")
    assert duck.told(m.State) == []
    world.run(world.chat.resumed(duck.session, world.now))
    assert [event.state for event in duck.told(m.State)] == ["READY2SERV"]


def test_a_guest_is_forgotten_after_its_grace() -> None:
    world = World()
    duck = world.enter("duck").do(m.Join("#ops"))
    goose = world.enter("goose").do(m.Join("#ops"))
    duck.close()
    world.tick(1)
    goose.do(m.Say("@duck", "there?", n=1)).forget()
    world.tick(599)
    assert goose.told(m.Receipt) == []
    world.tick(10)
    assert goose.only(m.Receipt).state == "failed"
    assert goose.only(m.RoomEvent).what == "left"
    assert goose.refused(m.Say("@duck", "gone?", n=2)) == "no_such_login"
    world.tick(1000)
    assert sum(isinstance(entry.fact, m.Gone) for entry in world.rows) == 1


def test_a_deleted_guest_is_not_forgotten_again_and_again() -> None:
    world = World()
    owner = world.own("owner")
    world.enter("duck").close()
    owner.do(m.Admin("delete", {"login": "duck"}))
    for _ in range(3):
        world.tick(1000)
    assert not any(isinstance(entry.fact, m.Gone) for entry in world.rows)


def test_who_comes_back_while_its_end_is_on_its_way_is_somebody_new_here_and_after_a_restart() -> None:
    world = World()
    world.enter("duck").close()
    world.tick(6)
    world.now += 700
    world.run(world.chat.tick(world.now))  # proposes Gone
    peer = world.connect()
    peer.do(m.Hello("duck", device="dev-duck"), commit=False)
    world.commit()
    assert peer.only(m.Welcome).login == "duck"
    assert (peer.only(m.Welcome).last, peer.hung_up) == (0, "")
    peer.do(m.Say("#all", "hi", n=1))
    assert world.again(snapshot=False).snapshot() == world.chat.snapshot()


def test_a_log_that_takes_nothing_leaves_a_guest_as_it_was() -> None:
    world = World()
    world.enter("duck").close()
    world.tick(6)
    world.now += 700
    world.run(world.chat.tick(world.now))
    world.fail()
    assert world.enter("duck").only(m.Welcome)
    peer = world.connect()
    peer.do(m.Hello("goose"), commit=False)
    world.fail()
    assert peer.codes == ["unavailable"]
    assert peer.ask(m.Hello("goose"), m.Welcome)


def test_a_connection_that_says_nothing_is_ended_and_others_are_not() -> None:
    world = World()
    world.enter("goose")
    silent = world.connect()
    world.tick(31)
    assert (silent.codes, silent.hung_up) == (["timeout"], "timeout")
    assert world.connect().do(m.Say("#all", "x", ref=3)).only(m.Refused) == m.Refused(
        "hello_first", "Say hello first.", 3, about=()
    )


def test_a_closed_server_takes_no_guests_and_claims_only_with_a_code() -> None:
    world = World(msgspec.structs.replace(FREE, guests=False, invite_only_server=True))
    assert world.connect().refused(m.Hello("duck", device="x")) == "closed"
    assert "closed" in world.own("duck").codes
    admin = world.connect(trusted=True)
    admin.do(m.Hello("console", device="c")).do(m.Admin("invite", {"code": "sesame-open"}))
    assert world.own("duck", token="sesame-open").only(m.Welcome).claimed
    assert "closed" in world.own("goose", token="sesame-open").codes  # a code is used once


def test_a_replayed_feed_is_followed_by_what_is_new() -> None:
    world = World(msgspec.structs.replace(FREE, feed_page=2))
    world.chat.recent = type(world.chat.recent)(maxlen=1)  # so that the log is asked
    duck = world.enter("duck")
    goose = world.enter("goose")
    duck.close()
    for n in range(1, 8):
        goose.do(m.Say("@duck", f"m{n}", n=n))
    world.hold_loads = True
    back = world.connect()
    back.do(m.Hello("duck", device="dev-duck"))
    while world.loads:
        world.answer_loads(1)
        goose.do(m.Say("#all", "meanwhile"))
    assert [event.seq for event in back.told(m.Message)] == sorted(
        {e.seq for e in world.rows if isinstance(e.fact, m.Said)}
    )


def test_own_messages_are_in_the_feed_of_the_other_device_and_in_replays() -> None:
    world = World()
    phone, desk = world.own("duck", device="phone"), world.connect()
    desk.do(m.Hello("duck", device="desk", key="ed25519:duck")).do(m.Proof("s"))
    phone.do(m.Say("#all", "from the phone", n=1))
    assert (phone.texts, desk.texts) == ([], ["from the phone"])
    again = world.connect()
    again.do(m.Hello("duck", device="phone", after=0)).do(m.Proof("s", key="ed25519:duck"))
    assert again.texts == ["from the phone"]


def test_a_newcomer_is_not_told_what_was_before() -> None:
    world = World()
    duck = world.enter("duck").do(m.Say("#all", "oops", n=1)).do(m.Say("#all", "tpyo", n=2))
    seqs = [event.seq for event in duck.told(m.Accepted)]
    duck.do(m.Remove(seqs[0])).do(m.Edit(seqs[1], "typo"))
    back = world.enter("goose", after=1)
    assert back.texts == []  # it was not here yet


def test_what_a_guest_said_is_still_delivered_when_the_guest_is_forgotten() -> None:
    world = World(msgspec.structs.replace(FREE, feed_page=2))
    for recent in (512, 1):  # from memory, and from the log
        world.chat.recent = type(world.chat.recent)(maxlen=recent)
        duck = world.own("duck") if recent == 512 else world.enter("duck", key="ed25519:duck").do(m.Proof("s"))
        duck.close()
        world.enter(f"guest{recent}").do(m.Say("@duck", f"bye {recent}", n=1)).close()
        world.tick(10)
        world.tick(700)
        assert world.chat.state.find(f"guest{recent}") is None
        back = world.enter("duck", key="ed25519:duck").do(m.Proof("s"))
        assert back.texts[-1:] == [f"bye {recent}"]
        assert back.told(m.Message)[-1].by == f"guest{recent}"
        back.do(m.Confirm(len(world.rows))).close()


def test_a_page_that_is_ahead_of_the_chat_is_not_told_twice() -> None:
    """The log may answer with entries that are durable already and applied a moment later."""
    world = World()
    world.chat.recent = type(world.chat.recent)(maxlen=1)
    goose = world.enter("goose")
    world.enter("duck").close()
    for n in (1, 2, 3):
        goose.do(m.Say("@duck", f"m{n}", n=n))
    world.hold_loads = True
    back = world.enter("duck")
    world.answer_loads(1)  # the counts; the page of the feed is asked for now
    assert world.loads[0].query.kind == "feed"
    goose.do(m.Say("@duck", "m4", n=4), commit=False)
    entry = m.Entry(len(world.rows) + 1, 0, world.pending[0].fact, world.pending.pop().origin)
    world.rows.append(entry)
    world.hold_loads = False
    world.answer_loads()
    world.run(world.chat.applied([entry], world.now))
    assert back.texts == ["m1", "m2", "m3", "m4"]
