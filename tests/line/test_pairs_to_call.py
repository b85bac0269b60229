"""In which order a caller tries its identities with the peer's, while keys change on both sides."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from hotline.line.key_changes import KeyChanges
from hotline.line.lineage import Generation
from hotline.line.pairing import Pairing
from support.line_world import identity, successor

if TYPE_CHECKING:
    from hotline.identity import Card, SecretKeys


def generations(name: str, count: int) -> list[tuple[Card, SecretKeys]]:
    """Give a station's identities, from the founding one on."""
    keys, card = identity(name)
    made = [(card, keys)]
    for number in range(1, count):
        succession, keys = successor(name, *made[-1], number)
        made.append((succession.card, keys))
    return made


def changing() -> Pairing:
    """Give the pairing of two stations that have three identities each, none of which is over."""
    [(own, keys), *owns], [(peer, _), *peers] = generations("south", 3), generations("north", 3)
    pairing = Pairing(keys, own, peer)
    for card, secret in owns:
        pairing.owns.add(Generation(card, secret))
    for card, _ in peers:
        pairing.peers.add(Generation(card))
    return pairing


def called(pairing: Pairing, count: int) -> list[tuple[int | None, int | None]]:
    """Give which identities so many calls are between, none of which is answered."""
    found = []
    for _ in range(count):
        way = pairing.calling()
        found.append((pairing.owns.index(way.own.id), pairing.peers.index(way.peer.id)))
        pairing.call_failed()
    return found


def test_pairs_come_in_the_order_that_the_protocol_says() -> None:
    """Another station's maker reads this order, to know how long the two may miss each other."""
    pairing = changing()
    order = [(own, peer) for own in (0, 1, 2) for peer in (2, 1, 0)]
    assert called(pairing, 11) == [*order, *order[:2]]
    pairing.call_answered()
    assert called(pairing, 2) == order[:2]


def test_pairs_that_are_over_or_have_no_keys_are_not_called() -> None:
    """A call that no peer may answer only costs time."""
    pairing = changing()
    pairing.owns.end_before(1)
    pairing.peers.end_before(1)
    assert called(pairing, 5) == [(1, 2), (1, 1), (2, 2), (2, 1), (1, 2)]

    (own, _), (newer, secret) = generations("south", 2)
    [(peer, _)] = generations("north", 1)
    without = Pairing(None, own, peer)
    without.owns.add(Generation(newer, secret))
    assert called(without, 2) == [(1, 0), (1, 0)]


def test_a_session_that_was_opened_leaves_its_pair_the_first() -> None:
    """With a lost store six calls of 10 s each come to nothing: once, and not before every session."""
    pairing = changing()
    tried = called(pairing, 7)
    assert tried[-1] == (2, 2)
    context: Any = SimpleNamespace(pairing=pairing, record=SimpleNamespace(receipt=None))
    ids = SimpleNamespace(own_id=pairing.owns[2].card.id, peer_id=pairing.peers[2].card.id)
    link: Any = SimpleNamespace(session=ids)
    assert KeyChanges(context, link).session_opened(link)
    assert called(pairing, 4) == [(2, 2), (2, 1), (2, 0), (2, 2)]
