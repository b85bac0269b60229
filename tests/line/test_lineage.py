"""Whose keys sign what: the cards that a station has had, in order."""

from __future__ import annotations

import pytest

from hotline.errors import LocalMisuseError, ProtocolError
from hotline.line.lineage import Generation, Lineage
from hotline.model import KeyChange
from support.line_world import identity, successor

SAID = b"said"


def overlapping() -> Lineage:
    """Give a lineage of two cards, and the secret keys of the second alone."""
    keys, card = identity("south")
    succession, new = successor("south", card, keys, 1)
    lineage = Lineage(Generation(card))
    lineage.add(Generation(succession.card, new))
    return lineage


def test_a_card_that_was_never_added_is_not_guessed() -> None:
    """A log signed by a card that is not here must be refused, not checked with some other one."""
    lineage = overlapping()
    change = KeyChange(3, bytes(32), b"")
    with pytest.raises(LocalMisuseError, match="never added"):
        lineage.changed(change)
    with pytest.raises(ProtocolError, match="card is not here"):
        lineage.in_force([change], 4)
    assert lineage.in_force([change], 3) == 0, "a change counts only after its entry"


def test_nothing_is_signed_without_keys() -> None:
    """Destroyed keys must be missed aloud: a lineage without any has nothing to sign with."""
    _, card = identity("south")
    with pytest.raises(LocalMisuseError, match="no secret keys"):
        _ = Lineage(Generation(card)).speaking_keys


def test_later_keys_sign_where_the_earlier_are_gone() -> None:
    """After the old key file is destroyed, what it would have signed is signed by the next."""
    lineage = overlapping()
    assert lineage.speaking_keys is lineage[1].keys
    assert lineage.signing_keys([], 1) is lineage[1].keys


def test_every_card_that_is_still_in_use_verifies() -> None:
    """Two changes under way: what the one between signed counts like what the others did."""
    keys, card = identity("south")
    first, second_keys = successor("south", card, keys, 1)
    second, third_keys = successor("south", first.card, second_keys, 2)
    lineage = Lineage(Generation(card))
    lineage.add(Generation(first.card))
    lineage.add(Generation(second.card))
    for signer in (keys, second_keys, third_keys):
        lineage.verify_ed25519(signer.sign_ed25519(SAID), SAID)


def test_either_card_verifies_until_the_change_is_over() -> None:
    """A receipt that crosses the change is signed by the old key, and must still count."""
    lineage, (old, _) = overlapping(), identity("south")
    lineage.verify_ed25519(old.sign_ed25519(SAID), SAID)
    stranger, _ = identity("stranger")
    with pytest.raises(ProtocolError, match="does not verify"):
        lineage.verify_ed25519(stranger.sign_ed25519(SAID), SAID)
