"""The succession: what a reader takes as a station's next card, and nothing else."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import msgpack  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotline.errors import IdentityError
from hotline.identity import Card, SecretKeys
from hotline.identity.succession import Succession, read_succession, write_succession
from hotline.limits import ENTRY_BYTES, SUCCESSION_BYTES

if TYPE_CHECKING:
    from pathlib import Path

TAG = "hotline/1 succession"
CONTEXT = TAG.encode()
TIME_NS = 1_800_000_000 * 10**9


@cache
def keys(mark: int) -> SecretKeys:
    """Give keys that are the same in every run."""
    return SecretKeys.from_seeds(*(bytes([mark, n] * 16) for n in range(3)))


@cache
def card(mark: int, name: str = "alpha") -> Card:
    """Give the card of keys(mark)."""
    return Card.make(name, keys(mark), TIME_NS + mark)


@cache
def made() -> Succession:
    """Give a good succession: of card 1 by card 2."""
    return Succession.make(card(1), keys(1), card(2), keys(2), TIME_NS)


def spelled(
    old_id: bytes, new: bytes, old_keys: SecretKeys, new_keys: SecretKeys, tag: str = TAG
) -> bytes:
    """Spell a succession with the stock encoder: any signed part, by any keys."""
    part = msgpack.packb([tag, old_id, new, TIME_NS])
    signatures: list[Any] = []
    for one in (old_keys, new_keys):
        signatures += [one.sign_ed25519(CONTEXT + part), one.sign_mldsa(part, CONTEXT)]
    encoded: bytes = msgpack.packb([part, *signatures])
    return encoded


def test_a_succession_is_read_as_it_was_made() -> None:
    """The reader must learn the very card, and the spelling is the one on this page."""
    read = Succession.decode(made().encoded, [card(1)])
    assert (read.old_id, read.card, read.time_ns) == (card(1).id, card(2), TIME_NS)
    by_hand = Succession.decode(spelled(card(1).id, card(2).encoded, keys(1), keys(2)), [card(1)])
    assert by_hand.card == card(2)
    # It never fits into one entry, so a key change is always told from its last part.
    assert ENTRY_BYTES < len(made().encoded) <= SUCCESSION_BYTES


@given(st.data())
def test_no_byte_can_be_changed(data: st.DataObject) -> None:
    """Every byte is under a signature, or is one."""
    encoded = bytearray(made().encoded)
    at = data.draw(st.integers(0, len(encoded) - 1))
    encoded[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(IdentityError):
        Succession.decode(bytes(encoded), [card(1)])


@given(st.binary(max_size=400))
def test_junk_is_refused_as_such(data: bytes) -> None:
    """Anything but IdentityError would end the daemon, not halt the line."""
    with pytest.raises(IdentityError):
        Succession.decode(data, [card(1)])


@pytest.mark.parametrize("cut", [1, 64, 5000])
def test_a_piece_or_more_than_all_is_refused(cut: int) -> None:
    """What follows the last value, or is missing before it, is no part of what was signed."""
    for encoded in (made().encoded[:-cut], made().encoded + bytes(cut)):
        with pytest.raises(IdentityError):
            Succession.decode(encoded, [card(1)])


def mixed(**replaced: int) -> SecretKeys:
    """Give keys 2 with some of another's."""
    parts = {
        kind: getattr(keys(replaced.get(kind, 2)), kind)
        for kind in ("x25519", "ed25519", "mldsa87")
    }
    return SecretKeys(**parts)


@pytest.mark.parametrize("kind", ["x25519", "ed25519", "mldsa87"])
@pytest.mark.parametrize("of", [0, 1])
def test_no_old_key_comes_again(kind: str, of: int) -> None:
    """A stolen key that is kept under a new card is still stolen, also if it is older than the last."""
    again = mixed(**{kind: of})
    new = Card.make("alpha", again, TIME_NS)
    encoded = spelled(card(1).id, new.encoded, keys(1), again)
    with pytest.raises(IdentityError, match=f"{kind} key .* again"):
        Succession.decode(encoded, [card(0), card(1)])


def test_nobody_becomes_a_successor_unasked() -> None:
    """A peer that names a third station's card must have that station's signatures: it has not."""
    third = card(9)
    encoded = spelled(card(1).id, third.encoded, keys(1), keys(1))
    with pytest.raises(IdentityError, match="does not verify"):
        Succession.decode(encoded, [card(1)])


def test_only_the_last_card_is_succeeded() -> None:
    """A key that was given up, or another station's, has nobody to appoint."""
    with pytest.raises(IdentityError, match="another card"):
        Succession.decode(made().encoded, [card(1), card(3)])
    with pytest.raises(IdentityError, match="another card"):
        Succession.decode(made().encoded, [card(4)])


def test_old_keys_alone_or_new_keys_alone_do_not_do() -> None:
    """One signature of each kind of each side: the thief of one key is not enough."""
    for signers in ((keys(3), keys(2)), (keys(1), keys(3)), (keys(2), keys(1))):
        encoded = spelled(card(1).id, card(2).encoded, *signers)
        with pytest.raises(IdentityError, match="does not verify"):
            Succession.decode(encoded, [card(1)])


def test_the_name_stays() -> None:
    """Operators know a station by its name."""
    other = Card.make("other", keys(2), TIME_NS)
    with pytest.raises(IdentityError, match="changes the name"):
        Succession.decode(spelled(card(1).id, other.encoded, keys(1), keys(2)), [card(1)])


def test_a_card_that_may_not_be_pinned_may_not_succeed() -> None:
    """The new card is held to what a pinned one is held to."""
    bad = card(2).encoded[:-1] + bytes([card(2).encoded[-1] ^ 1])
    with pytest.raises(IdentityError, match="the new card"):
        Succession.decode(spelled(card(1).id, bad, keys(1), keys(2)), [card(1)])


def test_another_version_is_refused() -> None:
    """What another protocol signed means something else."""
    encoded = spelled(card(1).id, card(2).encoded, keys(1), keys(2), tag="hotline/2 succession")
    with pytest.raises(IdentityError, match="version"):
        Succession.decode(encoded, [card(1)])


def test_a_succession_travels_as_a_file(tmp_path: Path) -> None:
    """It is handed over where a peer lost its store; it must be refused for anyone else's card."""
    path = tmp_path / "alpha.2.succession"
    write_succession(path, made())
    assert read_succession(path, [card(1)]).card == card(2)
    assert path.read_text().startswith("-----BEGIN HOTLINE SUCCESSION-----\n")
    with pytest.raises(IdentityError, match="exists"):
        write_succession(path, made())
    with pytest.raises(IdentityError, match=r"alpha\.2\.succession"):
        read_succession(path, [card(5)])


def test_a_succession_is_told_by_its_ids() -> None:
    """Logs show who follows whom, and not nine thousand bytes of signatures."""
    shown = repr(made())
    assert card(1).id.hex()[:16] in shown
    assert repr(card(2)) in shown
    assert len(shown) < 200
