"""Unsafe public keys: every one that OpenSSL would take is refused at import."""

import json
from contextlib import suppress
from pathlib import Path

import msgpack  # type: ignore[import-untyped]
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from hotline.errors import IdentityError, ProtocolError
from hotline.identity import Card, SecretKeys
from hotline.identity.publickeys import check_ed25519, check_x25519

P = 2**255 - 19
SIGN = 1 << 255


def le(number: int) -> bytes:
    return number.to_bytes(32, "little")


IDENTITY = le(1)

# "Taming the many EdDSAs" (K. Chalkias, F. Garillot, V. Nikolaenko, 2020), table 1 lists all 14.
SMALL_ORDER = {
    "order 1": IDENTITY,
    "order 2": le(P - 1),
    "order 4": le(0),
    "order 4, other sign": le(SIGN),
    "order 8 a": "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "order 8 b": "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "order 8 c": "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "order 8 d": "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
}
SMALL_ORDER_NOT_CANONICAL = {
    "order 1, x = 0 with sign": le(1 | SIGN),
    "order 2, x = 0 with sign": le((P - 1) | SIGN),
    "order 4, y = p": le(P),
    "order 4, y = p with sign": le(P | SIGN),
    "order 1, y = p + 1": le(P + 1),
    "order 1, y = p + 1 with sign": le((P + 1) | SIGN),
}


def raw(key: str | bytes) -> bytes:
    return bytes.fromhex(key) if isinstance(key, str) else key


@pytest.mark.parametrize("key", SMALL_ORDER.values(), ids=SMALL_ORDER.keys())
def test_small_order_ed25519_is_refused(key: str | bytes) -> None:
    """Under such a key one signature fits one text in eight, or every text."""
    with pytest.raises(IdentityError, match=r"^the card has an unsafe Ed25519 key"):
        check_ed25519(raw(key), "the card")


@pytest.mark.parametrize(
    "key", SMALL_ORDER_NOT_CANONICAL.values(), ids=SMALL_ORDER_NOT_CANONICAL.keys()
)
def test_other_encodings_of_small_order_are_refused(key: bytes) -> None:
    """A list of eight bad keys is not enough: a point in a second spelling slips by it."""
    with pytest.raises(IdentityError, match=r"^the card has a malformed Ed25519 key: not in canon"):
        check_ed25519(key, "the card")


@pytest.mark.parametrize("y", range(P, 2**255))
def test_every_y_out_of_range_is_refused(y: int) -> None:
    """A key with two spellings has two station ids."""
    for sign in (0, SIGN):
        with pytest.raises(IdentityError, match="not in canonical form"):
            check_ed25519(le(y | sign), "x")


def test_a_key_off_the_curve_is_refused() -> None:
    """Half of all 32-byte strings are no point: nothing can verify, so nothing should be pinned."""
    with pytest.raises(IdentityError, match="not on the curve"):
        check_ed25519(le(2), "x")


def test_a_key_partly_of_small_order_is_refused(card: Card) -> None:
    """Verifiers of different make disagree under P + (0, -1): its owner could deny a signature."""
    number = int.from_bytes(card.ed25519, "little")
    mixed = le((P - number % SIGN) | ((number ^ SIGN) & SIGN))
    with pytest.raises(IdentityError, match="not a point of prime order"):
        check_ed25519(mixed, "x")


@given(st.binary(min_size=32, max_size=32))
def test_every_honest_key_passes(seed: bytes) -> None:
    """A check that refuses one honest key in a thousand strands a station."""
    public = SecretKeys.from_seeds(seed, seed, seed).public()
    check_ed25519(public.ed25519, "x")
    check_x25519(public.x25519, "x")


@given(st.binary(min_size=32, max_size=32))
def test_the_checks_are_total(key: bytes) -> None:
    """A stranger's key file must end in one class of error, never in a traceback."""
    for check in (check_ed25519, check_x25519):
        with suppress(IdentityError):
            check(key, "x")


# RFC 7748, section 6.1, asks for the check; D. J. Bernstein lists the values ("Curve25519", FAQ).
X25519_SMALL_ORDER = {
    "0": le(0),
    "1": le(1),
    "p - 1": le(P - 1),
    "order 8": "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "order 8 on the other side": (
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"
    ),
}


@pytest.mark.parametrize("key", X25519_SMALL_ORDER.values(), ids=X25519_SMALL_ORDER.keys())
def test_small_order_x25519_is_refused(key: str | bytes) -> None:
    """The shared secret under such a key is zero, and so known to everyone."""
    with pytest.raises(IdentityError, match=r"^the card has an unsafe X25519 key: of small order"):
        check_x25519(raw(key), "the card")


@pytest.mark.parametrize("number", [P, P + 1, P + 9, 2**255 - 1])
def test_x25519_out_of_range_is_refused(number: int) -> None:
    """A key with two spellings has two station ids and two handshake transcripts."""
    with pytest.raises(IdentityError, match="malformed X25519 key: not below"):
        check_x25519(le(number), "x")


def test_x25519_with_bit_255_is_refused(card: Card) -> None:
    """X25519 ignores the bit, so the same key would come in two spellings."""
    other = card.x25519[:31] + bytes([card.x25519[31] | 0x80])
    ours = X25519PrivateKey.from_private_bytes(b"\x07" * 32)
    assert (
        len({ours.exchange(X25519PublicKey.from_public_bytes(k)) for k in (card.x25519, other)})
        == 1
    )
    with pytest.raises(IdentityError, match="malformed X25519 key: bit 255 is set"):
        check_x25519(other, "x")


# --- the checks stand where they must: in the card's import ---------------------------------------


def signed_card(
    keys: SecretKeys, signature: bytes | None = None, **changed: bytes
) -> tuple[bytes, bytes]:
    """Give a whole card, and its signed part, with some public keys changed before signing."""
    public = keys.public()
    fields = {"x25519": public.x25519, "ed25519": public.ed25519, "mldsa87": public.mldsa87}
    part = msgpack.packb(["hotline/1 card", "north", *(fields | changed).values(), 1])
    ed25519 = signature or keys.sign_ed25519(b"hotline/1 card" + part)
    return msgpack.packb([part, ed25519, keys.sign_mldsa(part, b"hotline/1 card")]), part


def test_the_helper_makes_good_cards(keys: SecretKeys) -> None:
    """Without this, the refusals below might all be for a mistake of the helper's."""
    encoded, part = signed_card(keys)
    assert Card.decode(encoded).signed_part == part


def test_only_the_check_refuses_the_identity_point(keys: SecretKeys) -> None:
    """Under the identity as key, R = identity and S = 0 sign every text: nothing is proven."""
    everything = IDENTITY + bytes(32)
    encoded, part = signed_card(keys, everything, ed25519=IDENTITY)
    public = keys.public()
    unchecked = Card("north", public.x25519, IDENTITY, public.mldsa87, 1, part, encoded)
    unchecked.verify_ed25519(everything, b"hotline/1 card" + part)
    unchecked.verify_ed25519(everything, b"any text at all")
    with pytest.raises(IdentityError, match="unsafe Ed25519 key: not a point of prime order"):
        Card.decode(encoded)


@pytest.mark.parametrize("key", [IDENTITY, le(1 | SIGN), le(P), le(2)])
def test_an_unfit_ed25519_key_is_refused_at_import(keys: SecretKeys, key: bytes) -> None:
    """The reason must be the key, found before any signature under it is asked."""
    encoded, _ = signed_card(keys, ed25519=key)
    with pytest.raises(IdentityError, match="Ed25519 key"):
        Card.decode(encoded)


@pytest.mark.parametrize("key", [le(0), le(P - 1), le(P + 2), le(9 | SIGN)])
def test_an_unfit_x25519_key_is_refused_at_import(keys: SecretKeys, key: bytes) -> None:
    """Both self-signatures of such a card verify: only the check stands against it."""
    encoded, _ = signed_card(keys, x25519=key)
    with pytest.raises(IdentityError, match="X25519 key"):
        Card.decode(encoded)


@pytest.mark.parametrize("size", [0, 2591, 2593])
def test_a_mldsa_key_of_another_length_is_refused(keys: SecretKeys, size: int) -> None:
    """A shorter key would belong to a weaker parameter set."""
    encoded, _ = signed_card(keys, mldsa87=bytes(size))
    with pytest.raises(IdentityError, match="mldsa87 key"):
        Card.decode(encoded)


def test_wycheproof_ed25519(vectors_dir: Path, card: Card) -> None:
    """Signatures that only lenient verifiers accept would make evidence depend on the reader."""
    groups = json.loads((vectors_dir / "wycheproof_ed25519_test.json").read_text())["testGroups"]
    results = {"valid": 0, "invalid": 0}
    for group in groups:
        key = bytes.fromhex(group["publicKey"]["pk"])
        check_ed25519(key, "a vector")
        signer = Card("vector", card.x25519, key, card.mldsa87, 0, b"", b"")
        for case in group["tests"]:
            try:
                signer.verify_ed25519(bytes.fromhex(case["sig"]), bytes.fromhex(case["msg"]))
                result = "valid"
            except ProtocolError:
                result = "invalid"
            assert result == case["result"], (case["tcId"], case["comment"])
            results[result] += 1
    assert min(results.values()) > 50


def test_wycheproof_x25519_at_import(vectors_dir: Path) -> None:
    """Each public key of the vectors is pinned exactly if it is canonical and not of small order."""
    groups = json.loads((vectors_dir / "wycheproof_x25519_test.json").read_text())["testGroups"]
    counts = {True: 0, False: 0}
    for case in (case for group in groups for case in group["tests"]):
        key = bytes.fromhex(case["public"])
        number = int.from_bytes(key, "little")
        fit = number < P and "ZeroSharedSecret" not in case["flags"]
        counts[fit] += 1
        if fit:
            check_x25519(key, "a vector")
        else:
            with pytest.raises(IdentityError, match="X25519 key"):
                check_x25519(key, "a vector")
    assert min(counts.values()) > 30, counts
