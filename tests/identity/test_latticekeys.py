"""ML-DSA-87 keys under which anybody can sign: OpenSSL takes them, and a card with one is refused."""

from __future__ import annotations

import random
from hashlib import shake_256
from typing import TYPE_CHECKING
from unittest.mock import patch

import msgpack  # type: ignore[import-untyped]
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA87PrivateKey, MLDSA87PublicKey

from hotline.errors import IdentityError
from hotline.identity import Card
from hotline.identity.latticekeys import check_mldsa87
from hotline.identity.succession import Succession

if TYPE_CHECKING:
    from hotline.identity import SecretKeys

RHO = bytes(range(32))
CONTEXT = b"any context"
COUNT = 8 * 256


def key_of(t1: list[int]) -> bytes:
    """FIPS 204, algorithm 22: 2048 coefficients of ten bits behind a seed."""
    number = sum(value << (10 * at) for at, value in enumerate(t1))
    return RHO + number.to_bytes(COUNT * 10 // 8, "little")


def forged(key: bytes, data: bytes, context: bytes) -> bytes:
    """Sign without any secret: z = 0, no hints, and the challenge that nothing leads to.

    FIPS 204, algorithms 5 and 8: with z = 0 all high bits are zero if c*t1*2^13 is short.
    """
    representative = shake_256(
        shake_256(key).digest(64) + bytes([0, len(context)]) + context + data
    ).digest(64)
    zero_twice = (2**19 | 2**39).to_bytes(5, "little")
    return shake_256(representative + bytes(1024)).digest(64) + zero_twice * (7 * 128) + bytes(83)


def is_forged(key: bytes, data: bytes) -> bool:
    try:
        MLDSA87PublicKey.from_public_bytes(key).verify(forged(key, data, CONTEXT), data, CONTEXT)
    except InvalidSignature:
        return False
    return True


def one_of(*values: int) -> list[int]:
    chosen = random.Random(7)
    return [chosen.choice(values) for _ in range(COUNT)]


ANYBODYS = {
    "zero": [0] * COUNT,
    "one": [1] * COUNT,
    "-1 modulo q": [1023] * COUNT,
    "0 and -1": one_of(0, 1023),
    "0 and 1": one_of(0, 1),
    "-1, 0 and 1": one_of(1022, 1023, 0, 1),
    "q/2": [512] * COUNT,
    "around q/2": one_of(511, 512),
    "each polynomial another": [
        value for value in (0, 1, 1023, 512, 511, 0, 1, 512) for _ in range(256)
    ],
}


@pytest.mark.parametrize("t1", ANYBODYS.values(), ids=ANYBODYS.keys())
def test_a_key_under_which_anybody_signs_is_refused(t1: list[int]) -> None:
    """Whoever has such a key pinned can deny all that it ever signed: anybody could have."""
    key = key_of(t1)
    assert all(is_forged(key, b"any text %d" % number) for number in range(5))
    with pytest.raises(IdentityError, match=r"^the card has an unsafe ML-DSA-87 key"):
        check_mldsa87(key, "the card")


@pytest.mark.parametrize(
    "values", [range(8), range(1016, 1024), range(508, 516), [7], [300, 301], range(0, 1024, 128)]
)
def test_a_key_that_was_not_drawn_at_random_is_refused(values: list[int]) -> None:
    """A forger who takes some pains, and not z = 0, gets somewhat farther: so must the check."""
    with pytest.raises(IdentityError, match="not drawn at random"):
        check_mldsa87(key_of(one_of(*values)), "the card")


@pytest.mark.parametrize("row", range(8))
def test_one_bad_polynomial_is_enough(row: int, keys: SecretKeys) -> None:
    """One that is zero asks nothing of a signature: the rest would be an easier key."""
    key = bytearray(keys.public().mldsa87)
    key[32 + 320 * row : 32 + 320 * (row + 1)] = bytes(320)
    with pytest.raises(IdentityError, match="unsafe ML-DSA-87 key"):
        check_mldsa87(bytes(key), "the card")


def test_honest_keys_pass() -> None:
    """A check that refuses one honest key in a million would leave some operator without a line."""
    least, most_alike = 2**64, 0
    for number in range(300):
        seed = number.to_bytes(32, "big")
        key = MLDSA87PrivateKey.from_seed_bytes(seed).public_key().public_bytes_raw()
        check_mldsa87(key, "the card")
        assert not is_forged(key, b"any text")
        for at in range(32, len(key), 320):
            row = int.from_bytes(key[at : at + 320], "little")
            values = [row >> 10 * n & 1023 for n in range(256)]
            sizes = [min(t << 13, 8380417 - (t << 13)) for t in values]
            least = min(least, sum(sizes) // 256)
            most_alike = max(most_alike, *map(values.count, values))
    # And not by luck: what was seen is nowhere near the bounds.
    assert least > 3 * (8380417 // 16)
    assert most_alike < 32 // 3


def weak_card(keys: SecretKeys) -> bytes:
    """Give a card whose ML-DSA-87 key is t1 = 0, with two good signatures, one by nobody."""
    key, public = key_of(ANYBODYS["zero"]), keys.public()
    part = msgpack.packb(["hotline/1 card", "north", public.x25519, public.ed25519, key, 1])
    whole = [
        part,
        keys.sign_ed25519(b"hotline/1 card" + part),
        forged(key, part, b"hotline/1 card"),
    ]
    return bytes(msgpack.packb(whole))


def test_only_the_check_refuses_such_a_card(keys: SecretKeys) -> None:
    """All signatures of it verify: nothing else stands against it at import."""
    card = weak_card(keys)
    with patch("hotline.identity.card.check_mldsa87"):
        assert Card.decode(card).name == "north"
    with pytest.raises(IdentityError, match=r"^north.card has an unsafe ML-DSA-87 key"):
        Card.decode(card, source="north.card")


def test_no_succession_leads_to_one(keys: SecretKeys, card: Card, other_keys: SecretKeys) -> None:
    """A good key could be followed by one under which anybody signs."""
    new, time_ns = weak_card(other_keys), 5
    part = msgpack.packb(["hotline/1 succession", card.id, new, time_ns])
    context = b"hotline/1 succession"
    whole = [
        part,
        *(keys.sign_ed25519(context + part), keys.sign_mldsa(part, context)),
        *(other_keys.sign_ed25519(context + part), forged(key_of([0] * COUNT), part, context)),
    ]
    encoded = msgpack.packb(whole)
    with patch("hotline.identity.card.check_mldsa87"):
        assert Succession.decode(encoded, [card]).card.name == card.name
    with pytest.raises(IdentityError, match="unsafe ML-DSA-87 key"):
        Succession.decode(encoded, [card])
