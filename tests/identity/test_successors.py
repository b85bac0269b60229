"""The files of later identities: found in order, made one by one, taken up where they were cut."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import msgpack  # type: ignore[import-untyped]
import pytest

from hotline.errors import IdentityError
from hotline.identity import Card, SecretKeys, read_secret_keys, write_card, write_secret_keys
from hotline.identity.keyfile import inspect_key_file
from hotline.identity.succession import Succession, write_succession
from hotline.identity.successors import (
    FIRST,
    Made,
    Names,
    key_files,
    linked_ids,
    make_successor,
    newest_card,
    read_successions,
)

if TYPE_CHECKING:
    from pathlib import Path

NOW_NS = 1_800_000_000 * 10**9


@pytest.fixture
def station(tmp_path: Path, keys: SecretKeys, card: Card) -> tuple[Path, Path]:
    """Give the key file and the card file of north."""
    key_path, card_path = tmp_path / "north.key", tmp_path / "north.card"
    write_secret_keys(key_path, keys)
    write_card(card_path, card)
    return key_path, card_path


def make(station: tuple[Path, Path], number: int, old: tuple[Card, SecretKeys]) -> Made:
    names = Names.of(*station, number)
    return make_successor(names, old, None, None, os.urandom, NOW_NS + number)


def test_a_station_without_successors_is_its_first_card(
    station: tuple[Path, Path], card: Card
) -> None:
    """Most stations have never changed keys, and must not be asked for files that they never had."""
    assert newest_card(station[1]) == card
    assert read_successions(station[1], card) == []
    assert key_files(*station) == [station[0]]


def test_successors_are_found_in_their_order(
    station: tuple[Path, Path], keys: SecretKeys, card: Card
) -> None:
    """A successor of a successor is only believed through the one between."""
    second = make(station, FIRST, (card, keys))
    third = make(station, FIRST + 1, (second.card, second.keys))
    assert [one.card for one in read_successions(station[1], card)] == [second.card, third.card]
    assert newest_card(station[1]) == third.card
    folder = station[0].parent
    names = [folder / name for name in ("north.key", "north.2.key", "north.3.key")]
    assert key_files(*station) == names
    assert read_secret_keys(names[2]).seeds() == third.keys.seeds()
    (folder / "north.key").unlink()
    (folder / "north.2.key").unlink()
    assert key_files(*station) == [names[2]], "old keys may be destroyed"
    names[2].unlink()
    assert key_files(*station) == [names[2]], "what is missing has to be named"
    (folder / "north.2.succession").unlink()
    assert newest_card(station[1]) == card, "what follows a gap follows nothing"


@pytest.mark.parametrize("kept", [("key",), ("key", "card"), ("key", "card", "succession")])
def test_what_was_cut_is_gone_on_with(
    station: tuple[Path, Path], keys: SecretKeys, card: Card, kept: tuple[str, ...]
) -> None:
    """A machine may die after each file: a second set of keys beside the first would be two futures."""
    first = make(station, FIRST, (card, keys))
    for suffix in {"key", "card", "succession"} - set(kept):
        (station[0].parent / f"north.2.{suffix}").unlink()
    again = make(station, FIRST, (card, keys))
    assert again.keys.seeds() == first.keys.seeds()
    if "card" in kept:
        assert again.card == first.card
    assert again.succession.card == again.card


def test_leftovers_that_do_not_belong_together_are_refused(
    station: tuple[Path, Path], keys: SecretKeys, card: Card
) -> None:
    """A card beside another station's key would announce keys that nobody here holds."""
    other = SecretKeys.generate(os.urandom)
    write_card(station[1].with_name("north.2.card"), Card.make("north", other, NOW_NS))
    with pytest.raises(IdentityError, match="does not belong to key") as caught:
        make(station, FIRST, (card, keys))
    assert "move them away" in caught.value.hint


def test_a_key_file_says_whether_it_is_protected(station: tuple[Path, Path]) -> None:
    """`key show` tells it without asking for a passphrase."""
    told = inspect_key_file(station[0])
    assert (told.protected, told.cost, told.mode) == (False, None, 0o600)


def test_cards_are_linked_both_ways(
    station: tuple[Path, Path], keys: SecretKeys, card: Card, tmp_path: Path
) -> None:
    """A card that was refused must be found from any other of its station's, older or newer."""
    second = make(station, FIRST, (card, keys))
    third = make(station, FIRST + 1, (second.card, second.keys))
    ids = {card.id, second.card.id, third.card.id}
    for one in (card, second.card, third.card):
        found = linked_ids(tmp_path / "any.card", one)
        assert found[0] == one.id
        assert set(found) == ids
        assert len(found) == len(ids)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert linked_ids(elsewhere / "north.card", card) == [card.id]


def test_nobody_links_himself_with_an_innocent_card(
    tmp_path: Path, card: Card, keys: SecretKeys, other_keys: SecretKeys
) -> None:
    """Whoever was refused could otherwise have any station refused that it claims to succeed."""
    liar = Card.make(card.name, other_keys, NOW_NS)
    false = Succession.make(card, keys, liar, other_keys, NOW_NS)
    write_succession(tmp_path / "true.succession", false)
    assert linked_ids(tmp_path / "north.card", card) == [card.id, liar.id]
    unsigned = replace(false, encoded=without_the_old_signatures(false.encoded))
    (tmp_path / "true.succession").unlink()
    write_succession(tmp_path / "false.succession", unsigned)
    assert linked_ids(tmp_path / "north.card", card) == [card.id]
    # The new card has signed whom it succeeds: against itself that counts.
    assert linked_ids(tmp_path / "liar.card", liar) == [liar.id, card.id]


def test_a_false_claim_hides_no_true_one(
    tmp_path: Path, card: Card, keys: SecretKeys, other_keys: SecretKeys
) -> None:
    """Whoever may put a file there could else keep a refused station's next card from being known."""
    genuine = Card.make(card.name, other_keys, NOW_NS)
    true = Succession.make(card, keys, genuine, other_keys, NOW_NS)
    liars = SecretKeys.generate(os.urandom)
    liar = Succession.make(card, keys, Card.make(card.name, liars, NOW_NS), liars, NOW_NS)
    false = replace(liar, encoded=without_the_old_signatures(liar.encoded))
    write_succession(tmp_path / "1-false.succession", false)
    write_succession(tmp_path / "2-true.succession", true)
    assert linked_ids(tmp_path / "north.card", card) == [card.id, genuine.id]


def without_the_old_signatures(encoded: bytes) -> bytes:
    signed_part, _, _, *by_new = msgpack.unpackb(encoded)
    return bytes(msgpack.packb([signed_part, bytes(64), bytes(4627), *by_new]))


def test_a_file_that_is_no_succession_links_nothing_unseen(tmp_path: Path, card: Card) -> None:
    """What cannot be read might be the link: it is named, and nothing is added beside it."""
    (tmp_path / "torn.succession").write_text("-----BEGIN HOTLINE SUCCESSION-----")
    with pytest.raises(IdentityError, match=r"torn\.succession"):
        linked_ids(tmp_path / "north.card", card)


def test_no_folder_is_read_without_end(
    station: tuple[Path, Path], keys: SecretKeys, card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever can write files beside a card must not be able to keep a start busy for ever."""
    second = make(station, FIRST, (card, keys))
    make(station, FIRST + 1, (second.card, second.keys))
    monkeypatch.setattr("hotline.identity.successors.MOST", FIRST + 1)
    assert [one.card for one in read_successions(station[1], card)] == [second.card]
