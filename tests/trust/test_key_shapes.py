"""Keys that open a login for anybody, or that are one key under many names, are none."""

from __future__ import annotations

from base64 import urlsafe_b64encode

import pytest

from tcpchat.trust.keys import Key, verify

P = 2**255 - 19
D = -121665 * pow(121666, P - 2, P) % P
SMALL_Y = [
    0, 1, P - 1, P, P + 1,
    int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"),
    int.from_bytes(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"),
]  # fmt: skip


def encoded(y: int, sign: int) -> str:
    raw = (y | sign << 255).to_bytes(32, "little")
    return "ed25519:" + urlsafe_b64encode(raw).rstrip(b"=").decode()


def point(y: int) -> tuple[int, int]:
    """A point of the curve with this y (RFC 8032, section 5.1.3)."""
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if (v * x * x - u) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    assert (v * x * x - u) % P == 0
    return x, y % P


def double(a: tuple[int, int]) -> tuple[int, int]:
    (x, y), k = a, D * a[0] * a[0] * a[1] * a[1] % P
    return 2 * x * y * pow(1 + k, P - 2, P) % P, (y * y + x * x) * pow(1 - k, P - 2, P) % P


@pytest.mark.parametrize("y", SMALL_Y)
def test_the_list_is_of_points_of_small_order(y: int) -> None:
    assert double(double(double(point(y)))) == (0, 1)


@pytest.mark.parametrize("sign", [0, 1])
@pytest.mark.parametrize("y", SMALL_Y)
def test_keys_of_small_order_sign_nothing(y: int, sign: int) -> None:
    """With R = the key and S = 0, or R = the neutral point, OpenSSL alone takes one text of eight, or every one."""
    for first in (encoded(y, sign), encoded(1, 0)):
        raw = first.removeprefix("ed25519:")
        signature = urlsafe_b64encode(_raw(raw) + bytes(32)).decode()
        assert not any(verify(encoded(y, sign), f"text {n}", signature) for n in range(64))


def _raw(text: str) -> bytes:
    from base64 import urlsafe_b64decode

    return urlsafe_b64decode(text + "=")


def test_a_key_is_taken_in_one_spelling() -> None:
    key = Key.make()
    signature = key.sign("text")
    assert verify(key.public, "text", signature)
    for other in (key.public + "=", key.public[:20] + "!" + key.public[20:], key.public.replace(":", ": ")):
        assert not verify(other, "text", signature)
