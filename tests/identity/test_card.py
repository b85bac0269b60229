"""Cards: what one says, how it travels, and that nothing in it can be changed."""

import hashlib
from pathlib import Path

import msgpack  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotline.errors import IdentityError, ProtocolError
from hotline.identity import Card, SecretKeys, check_name, read_card, write_card
from hotline.identity.armour import Armour

CREATED_NS = 1_700_000_000_000_000_000
ARMOUR = Armour("HOTLINE CARD", 8192)


def test_the_form_is_the_contract(card: Card, keys: SecretKeys) -> None:
    """Both stations and every later reader must agree on each byte."""
    part, ed25519, mldsa = msgpack.unpackb(card.encoded)
    public = keys.public()
    assert part == card.signed_part
    assert msgpack.unpackb(part) == [
        "hotline/1 card",
        "north",
        public.x25519,
        public.ed25519,
        public.mldsa87,
        CREATED_NS,
    ]
    assert card.id == hashlib.sha512(part).digest()[:32]
    assert (card.name, card.created_ns) == ("north", CREATED_NS)
    keys.ed25519.public_key().verify(ed25519, b"hotline/1 card" + part)
    keys.mldsa87.public_key().verify(mldsa, part, b"hotline/1 card")


def test_round_trip(card: Card) -> None:
    """A card that changes on its way to the peer pairs with nobody."""
    for text in (card.armoured(), card.armoured().encode()):
        found = Card.parse(text)
        assert found == card
        assert (found.id, found.encoded, found.armoured()) == (
            card.id,
            card.encoded,
            card.armoured(),
        )
        assert (found.x25519, found.ed25519, found.mldsa87) == (
            card.x25519,
            card.ed25519,
            card.mldsa87,
        )


@settings(max_examples=20)
@given(
    st.from_regex(r"[a-z0-9][a-z0-9-]{0,31}", fullmatch=True),
    st.integers(0, 2**63 - 1),
    st.tuples(*[st.binary(min_size=32, max_size=32)] * 3),
)
def test_every_legal_card_is_read_back(
    name: str, created_ns: int, seeds: tuple[bytes, bytes, bytes]
) -> None:
    """A name or a time at its bound must not make a card that the peer refuses."""
    card = Card.make(name, SecretKeys.from_seeds(*seeds), created_ns)
    found = Card.parse(card.armoured())
    assert (found.name, found.created_ns, found.id) == (name, created_ns, card.id)


def test_the_same_station_is_equal_under_another_signature(card: Card, keys: SecretKeys) -> None:
    """ML-DSA signs anew each time: a card made again is still the card that was pinned."""
    again = Card.make("north", keys, CREATED_NS)
    assert again.encoded != card.encoded
    assert again == card
    assert hash(again) == hash(card)
    assert again.id == card.id
    assert Card.make("north", keys, CREATED_NS + 1) != card


def positions(card: Card) -> list[int]:
    """Sample every region of the card: each header byte, each field's ends, and between."""
    key = card.encoded.index(card.mldsa87)
    part = card.encoded.index(card.signed_part)
    ed25519 = part + len(card.signed_part)
    mldsa = len(card.encoded) - 4627
    dense = [*range(key + 8), *range(key + 2584, ed25519 + 8), *range(mldsa - 8, mldsa + 8)]
    return sorted({*dense, *range(0, len(card.encoded), 61), len(card.encoded) - 1})


def test_a_flipped_byte_anywhere_is_refused(card: Card) -> None:
    """One byte that no check covers is one byte that a courier may choose."""
    for at in positions(card):
        for flip in (0x01, 0x80):
            changed = bytearray(card.encoded)
            changed[at] ^= flip
            with pytest.raises(IdentityError, match=r"^the card "):
                Card.decode(bytes(changed))


def test_a_flipped_character_anywhere_is_refused(card: Card) -> None:
    """The armour must not hide a change from the signatures, nor ignore a part of the text."""
    text = card.armoured().encode()
    for at in [*range(0, len(text), 37), *range(80), *range(len(text) - 80, len(text))]:
        changed = text[:at] + bytes([text[at] ^ 1]) + text[at + 1 :]
        with pytest.raises(IdentityError):
            Card.parse(changed)


def test_a_cut_or_longer_card_is_refused(card: Card) -> None:
    """Bytes after the last signature would be carried, stored, and covered by nothing."""
    for encoded in (b"", card.encoded[:-1], card.encoded + b"\0", card.encoded[:100]):
        with pytest.raises(IdentityError, match="the card is damaged"):
            Card.decode(encoded)
    with pytest.raises(IdentityError, match="too long"):
        Card.parse(ARMOUR.encode(card.encoded) + " " * 4096)


def test_signatures_of_another_station_are_refused(card: Card, other_card: Card) -> None:
    """A card with one sound signature only would fall with one of the two algorithms."""
    part, ed25519, mldsa = msgpack.unpackb(card.encoded)
    _, other_ed25519, other_mldsa = msgpack.unpackb(other_card.encoded)
    with pytest.raises(IdentityError, match="forged: the Ed25519 signature of north"):
        Card.decode(msgpack.packb([part, other_ed25519, mldsa]))
    with pytest.raises(IdentityError, match="forged: the ML-DSA-87 signature of north"):
        Card.decode(msgpack.packb([part, ed25519, other_mldsa]))


def resigned(keys: SecretKeys, *values: object) -> bytes:
    part = msgpack.packb(values)
    encoded: bytes = msgpack.packb(
        [
            part,
            keys.sign_ed25519(b"hotline/1 card" + part),
            keys.sign_mldsa(part, b"hotline/1 card"),
        ]
    )
    return encoded


BAD_NAMES = [
    "",
    "North",
    "-north",
    "north_1",
    "north ",
    " north",
    "north\n",
    "n" * 33,
    "nørth",
    "no/rth",
    "..",
    "\x1b[31m",
    "nor\u202eth",
]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_an_illegal_name_is_refused_everywhere(keys: SecretKeys, name: str) -> None:
    """A name goes into file names and terminals: a peer's must not be able to climb or to paint."""
    with pytest.raises(IdentityError) as caught:
        check_name(name)
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()
    with pytest.raises(IdentityError):
        Card.make(name, keys, 0)
    public = keys.public()
    keys_of = (public.x25519, public.ed25519, public.mldsa87)
    with pytest.raises(IdentityError) as caught:
        Card.decode(resigned(keys, "hotline/1 card", name, *keys_of, 0))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["a", "0", "north-2", "n" * 32, "a-"])
def test_a_legal_name_is_let_pass(name: str) -> None:
    """The rule is a contract with those who chose their names already."""
    check_name(name)


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (0, "hotline/2 card"),
        (0, "hotline/1 key"),
        (0, b"hotline/1 card"),
        (1, b"north"),
        (2, "x" * 32),
        (5, -1),
        (5, 2**63),
        (5, 1.0),
        (5, None),
        (5, True),
    ],
)
def test_a_signed_part_of_another_form_is_refused(keys: SecretKeys, at: int, value: object) -> None:
    """Signed by its owner or not, only one form is a card of this protocol."""
    public = keys.public()
    values: list[object] = [
        "hotline/1 card",
        "north",
        public.x25519,
        public.ed25519,
        public.mldsa87,
        0,
    ]
    assert Card.decode(resigned(keys, *values)).name == "north"
    values[at] = value
    with pytest.raises(IdentityError):
        Card.decode(resigned(keys, *values))


def test_verification_says_which_signature(card: Card, keys: SecretKeys) -> None:
    """The log must tell a broken Ed25519 from a broken ML-DSA; a wrong length is no traceback."""
    ed25519, mldsa = keys.sign_ed25519(b"text"), keys.sign_mldsa(b"text", b"context")
    card.verify_ed25519(ed25519, b"text")
    card.verify_mldsa(mldsa, b"text", b"context")
    for signature, text in [(ed25519, b"other"), (b"", b"text"), (ed25519 + b"\0", b"text")]:
        with pytest.raises(
            ProtocolError, match=r"^the Ed25519 signature of north does not verify$"
        ):
            card.verify_ed25519(signature, text)
    for signature, text, context in [
        (mldsa, b"other", b"context"),
        (mldsa, b"text", b"contexts"),
        (mldsa, b"text", b""),
        (b"", b"text", b"context"),
        (mldsa[:-1], b"text", b"context"),
        (ed25519, b"text", b"context"),
    ]:
        with pytest.raises(ProtocolError, match=r"^the ML-DSA-87 signature of north does not"):
            card.verify_mldsa(signature, text, context)


def test_verification_keys_are_unpacked_once(card: Card, keys: SecretKeys) -> None:
    """Verification is the hottest path of a receiving station."""
    found = Card.parse(card.armoured())
    before = found._ed25519_key, found._mldsa87_key
    found.verify_ed25519(keys.sign_ed25519(b""), b"")
    assert (found._ed25519_key, found._mldsa87_key) == before


def test_a_card_prints_short(card: Card) -> None:
    """Seven kilobytes of key in a log line hide the line before it."""
    assert repr(card) == f"Card('north', id={card.id.hex()[:16]}...)"


def test_card_file_round_trip(tmp_path: Path, card: Card) -> None:
    """The file that `init` makes is the one that the peer imports."""
    path = tmp_path / "north.card"
    write_card(path, card)
    assert read_card(path) == card
    assert path.read_text() == card.armoured()
    assert path.stat().st_mode & 0o7000 == 0
    assert path.stat().st_mode & 0o022 == 0


def test_a_card_is_never_overwritten(tmp_path: Path, card: Card, other_card: Card) -> None:
    """A pinned card that is replaced in silence is another peer in silence."""
    path = tmp_path / "north.card"
    write_card(path, card)
    with pytest.raises(IdentityError, match="already exists"):
        write_card(path, other_card)
    assert read_card(path) == card


def test_a_bad_card_file_is_named(tmp_path: Path) -> None:
    """With several cards in a directory, the error must say which one."""
    path = tmp_path / "x.card"
    # Nothing, some text, and one that was cut short on its way: around none of them is there a text.
    for found in ("", "hello\n", "-----BEGIN HOTLINE CARD-----\nk8UK\n"):
        path.write_text(found)
        with pytest.raises(IdentityError) as caught:
            read_card(path)
        assert str(caught.value) == f"{path} is not exactly one HOTLINE CARD block"
        assert caught.value.hint.startswith("copy it anew, whole")


def test_a_card_that_was_read_has_the_keys_that_it_names() -> None:
    """A key lost in the reading is found only by the first session, far from its cause."""
    keys = SecretKeys.from_seeds(bytes([1]) * 32, bytes([2]) * 32, bytes([3]) * 32)
    card = Card.decode(Card.make("alpha", keys, 1).encoded)
    assert card.public() == keys.public()
    assert (card.name, card.created_ns) == ("alpha", 1)
