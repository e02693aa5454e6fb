"""Text as people write it: names compared alike, and nothing on a screen that does not belong there."""

from __future__ import annotations

import json
import re
import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tcpchat.core.rules import Limits, good_login, good_room, mask_matches, muting_mask
from tcpchat.core.text import clean, clean_line, decoded, escaped, fold, is_clean, mentions, skeleton, utf8_length

LIMITS = Limits()
STEADY = settings(derandomize=True, max_examples=300, deadline=None)  # the same examples every time
ANY = st.text(st.characters(blacklist_categories=()))  # type: ignore[call-arg, arg-type]


@pytest.mark.parametrize(
    ("a", "b"),
    [("Duck", "dUCK"), ("Big Brother", "big_brother"), ("Straße", "STRASSE"), ("ＤＵＣＫ", "duck"), ("É", "e\u0301"),
     ("İstanbul", "i̇stanbul"), ("a_b", "A B"), ("ж_Ж", "ж ж")],
)  # fmt: skip
def test_names_that_are_one(a: str, b: str) -> None:
    assert fold(a) == fold(b)


@pytest.mark.parametrize(("a", "b"), [("duck", "duck_"), ("duck", "duck__"), ("duck_", "duck__"), ("утка", "утка_")])
def test_names_that_are_two(a: str, b: str) -> None:
    assert fold(a) != fold(b)
    assert skeleton(a) != skeleton(b)


@pytest.mark.parametrize("look", ["duсk", "ԁuck", "d\u0443ck", "DUCK", "dụck", "ｄｕｃｋ"])
def test_names_that_look_alike(look: str) -> None:
    expected = "d\u0079ck" if look == "d\u0443ck" else "duck"
    assert skeleton(look) == skeleton(expected)


@STEADY
@given(ANY)
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)
    assert skeleton(skeleton(text)) == skeleton(text)


@STEADY
@given(ANY, ANY)
def test_the_same_name_looks_the_same(a: str, b: str) -> None:
    if fold(a) == fold(b):
        assert skeleton(a) == skeleton(b)


@STEADY
@given(ANY)
def test_what_is_clean_stays_and_what_is_cleaned_is_clean(text: str) -> None:
    cleaned = clean(text)
    assert is_clean(cleaned)
    assert clean(cleaned) == cleaned
    assert "\n" not in clean_line(text)
    cleaned.encode()  # no lone surrogates
    assert utf8_length(text) == len(text.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[31mred", "\ufffd[31mred"),
        ("a\x00b\x7f\x9b", "a\ufffdb\ufffd\ufffd"),
        ("\u202egnp.exe", "\ufffdgnp.exe"),
        ("zero\u200bwidth\ufeff\u00ad", "zero\ufffdwidth\ufffd\ufffd"),
        ("line\nnext\ttab", "line\nnext\ttab"),
        ("three\r\nold\rends\n", "three\nold\nends\n"),
        ("\ufeffmarked\r\n", "marked\n"),
        ("\ud800", "\ufffd"),
        ("👨\u200d👩\u200d👧 ❤\ufe0f", "👨\u200d👩\u200d👧 ❤\ufe0f"),
        ("a\u200db", "a\ufffdb"),
        ("\U000e0041tag", "\ufffdtag"),
        ("e" + "\u0301" * 8, "e" + "\u0301" * 8),
        ("e" + "\u0301" * 50 + "x", "e" + "\u0301" * 8 + "\ufffdx"),
        ("หน้า שָׁלוֹם é", "หน้า שָׁלוֹם é"),
        ("\u2066isolate\u2069", "\ufffdisolate\ufffd"),
        ("\u06dd\U000110bd", "\ufffd\ufffd"),
    ],
)
def test_what_a_screen_gets(raw: str, shown: str) -> None:
    assert clean(raw) == shown


def test_every_format_character_is_taken_out() -> None:
    kept = {"\u200c", "\u200d"}
    for number in range(sys.maxunicode + 1):
        char = chr(number)
        if unicodedata.category(char) in ("Cf", "Cs", "Cc", "Zl", "Zp") and char not in kept | {"\n", "\r", "\t"}:
            assert clean(f"a{char}b") == "a\ufffdb", hex(number)


def test_cleaning_is_quick_for_any_input() -> None:
    for text in ("\u0301" * 8000, "\x1b" * 8000, "a\u0301" * 4000, "\u200d" * 8000, "👨\u200d" * 4000):
        assert is_clean(clean(text))


def test_one_line_is_one_line() -> None:
    assert clean_line("a\r\nb\nc\td\x0be\u2028f\rg") == "a b c d\ufffde\ufffdf g"


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_text_file_is_the_same_text_whoever_wrote_it(ends: str, encoding: str) -> None:
    assert decoded(f"чай{ends}☕{ends}".encode(encoding)) == "чай\n☕\n"


def test_a_file_that_is_no_text_is_an_error() -> None:
    with pytest.raises(UnicodeDecodeError):
        decoded(b"\xff\xfe\x00")
    with pytest.raises(UnicodeDecodeError):
        decoded("чай".encode("koi8-r"))


@STEADY
@given(ANY)
def test_json_is_shown_without_what_a_screen_must_not_get_and_means_the_same(text: str) -> None:
    shown = escaped(json.dumps(text, ensure_ascii=False))
    assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]", shown)
    assert json.loads(shown) == text


@pytest.mark.parametrize(
    ("login", "kept"),
    [("duck", "duck"), (" Big Brother ", "Big Brother"), ("O'Brien", "O'Brien"), ("Ё", "Ё"), ("e\u0301", "é"),
     ("🦆", "🦆"), ("x" * 32, "x" * 32), ("duck_", "duck_"), ("a[b]{c}|d^e`f-g", "a[b]{c}|d^e`f-g")],
)  # fmt: skip
def test_good_logins(login: str, kept: str) -> None:
    assert good_login(login, LIMITS) == kept


@pytest.mark.parametrize(
    "login",
    ["", " ", "x" * 33, "#duck", "@duck", ":duck", ",", "a,b", "a!b", "a*", "a?", "a\nb", "a\x1bb", "a\u202eb", "a  b",
     "a\u200bb", "a\u00a0b", "\u3164", "_", "__", "\ue000",
     "a\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301"],
)  # fmt: skip
def test_bad_logins(login: str) -> None:
    assert good_login(login, LIMITS) == ""


@STEADY
@given(ANY)
def test_a_good_login_is_good_again_and_clean(login: str) -> None:
    good = good_login(login, LIMITS)
    if good:
        assert good_login(good, LIMITS) == good
        assert is_clean(good)
        assert skeleton(good).strip()


@STEADY
@given(ANY)
def test_a_good_room_is_good_again_and_clean(room: str) -> None:
    good = good_room(room, LIMITS)
    if good:
        assert good_room(good, LIMITS) == good
        assert is_clean(good)
        assert not set(good) & set(" ,\r\n\x07")


@pytest.mark.parametrize(
    ("mask", "fits"),
    [("duck", True), ("DUCK!*@*", True), ("d?ck!*@*", True), ("*!~u@tcpchat", True), ("*@tcpchat", True),
     ("goose", False),
     ("big_duck", False), ("[d]uck", False), ("~a:Mallard", True), ("a:mallard", True), ("a:x", False),
     ("m:duck", False)],
)  # fmt: skip
def test_masks(mask: str, fits: bool) -> None:
    assert mask_matches(mask, "Duck", "mallard") is fits


def test_masks_with_brackets_and_spaces() -> None:
    assert mask_matches("a[b]!*@*", "A[B]", "")
    assert mask_matches("big_brother!*@*", "Big Brother", "")
    assert not mask_matches("a:", "x", "")
    assert (muting_mask("m:duck!*@*"), muting_mask("duck")) == ("duck!*@*", "")


@pytest.mark.parametrize(
    ("text", "login", "named"),
    [("hey Duck!", "duck", True), ("duckling", "duck", False), ("@duck", "duck", True), ("duck_", "duck", False),
     ("xduck duck", "duck", True), ("hi big brother.", "Big Brother", True), ("hi big_brother", "Big Brother", True),
     ("", "duck", False), ("x", "", False)],
)  # fmt: skip
def test_who_is_named(text: str, login: str, named: bool) -> None:
    assert mentions(text, login) is named
