"""Courier keys that come by wire, more of them than an honest peer sends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hotline import limits
from hotline.errors import ProtocolError
from hotline.identity import SecretKeys
from hotline.identity.courierkey import CourierKey, CourierSecret
from hotline.line.lineage import Generation
from hotline.wire import frames
from support.line_sessions import pairing
from support.line_world import identity, successor
from support.rogue import SOON_S, STUCK_S, Rogue

if TYPE_CHECKING:
    from support.line_world import Station


def kept_key(station: Station) -> Any:
    """Give the courier key of the peer's that the store holds."""
    number = station.record.line
    [key] = station.store.transact([lambda tx: tx.courier_key(number)])
    return key


def courier_keys(rogue: Rogue, count: int) -> list[frames.CourierKeyFrame]:
    """Give valid courier keys of the rogue's, each another."""
    keys, card = rogue.pairing.keys, rogue.pairing.own
    made = []
    for number in range(count):
        other = SecretKeys.from_seeds(*(bytes([number, place] * 16) for place in range(3)))
        made.append(CourierKey.make(keys, card, CourierSecret(other)).encoded)
    return [frames.CourierKeyFrame(key) for key in made]


def test_courier_keys_without_end_are_checked_one_at_a_time(agreed: Rogue) -> None:
    """Each took the store's one thread for half a millisecond, while all other lines waited."""
    station = agreed.station
    before = station.waiting_commits
    said = courier_keys(agreed, 3)
    agreed.say(said[0], *said * 300)
    assert station.waiting_commits <= before + 1
    agreed.world.commit_s = (0.001, 0.001)
    agreed.world.run(STUCK_S + SOON_S)
    assert agreed.stands()
    assert kept_key(station) == said[-1].key
    assert len(station.events("courier_key_kept")) == 2


def test_what_waits_behind_a_bad_courier_key_is_dropped(agreed: Rogue) -> None:
    """It would be checked when the session is over, and count against the next one."""
    station = agreed.station
    agreed.say(frames.CourierKeyFrame(bytes(limits.COURIER_KEY_BYTES)), *courier_keys(agreed, 1))
    agreed.world.run(3 * STUCK_S)
    assert not agreed.stands()
    assert kept_key(station) is None


def test_a_courier_key_that_is_kept_is_not_checked_again(
    agreed: Rogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The peer says it in each session: two signatures to verify, for nothing."""
    station = agreed.station
    [said] = courier_keys(agreed, 1)
    agreed.world.commit_s = (0.001, 0.001)
    agreed.say(said)
    agreed.world.run(STUCK_S + SOON_S)
    assert kept_key(station) == said.key
    checked: list[object] = []
    monkeypatch.setattr(CourierKey, "decode", lambda *told: checked.append(told))
    agreed.say(said)
    agreed.world.run(SOON_S)
    assert agreed.stands()
    assert checked == []


def test_the_courier_key_of_a_card_that_is_over_is_refused() -> None:
    """Whoever stole the old keys could have all files for the peer sealed to a key of theirs."""
    keys, card = identity("south")
    succession, _ = successor("south", card, keys, 1)
    old = CourierKey.make(keys, card, CourierSecret(keys)).encoded
    north = pairing("north", "south")
    north.peers.add(Generation(succession.card, number=3))
    assert north.courier_key_card(old) == card
    north.peers.end_before(1)
    for read in (north.courier_key_card, north.read_courier_key):
        with pytest.raises(ProtocolError, match="not that of a card of south"):
            read(old)
