"""A line whose own disk takes nothing does not deliver, and must not be called up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hotline.limits import HEARTBEAT_S, NO_PROGRESS_S, STORE_STALLED_S
from support.rogue import SOON_S

if TYPE_CHECKING:
    from support.line_world import LineWorld, Station
    from support.rogue import Rogue

HANGS_S = 1e6
OURS = ("degraded", "not-accepting")


def state(station: Station) -> tuple[str, str]:
    return str(station.state), station.reason


def test_a_full_disk_that_numbers_nothing_is_told(world: LineWorld) -> None:
    """The line said up, nothing was logged, and what was queued did not leave."""
    world.run(HEARTBEAT_S + 1)
    station = world.arbiter
    station.line.sending.peer_accepting = False
    station.send("m1")
    world.run(SOON_S)
    station.full, station.line.sending.peer_accepting = True, True
    world.run(3 * HEARTBEAT_S)
    assert (state(station), station.record.queued) == (OURS, 1)
    assert len(station.events("store_full")) == 1, "once, not at each try"
    assert world.second.state == "up", "what it sends is taken in: none came"
    station.full = False
    world.run(HEARTBEAT_S + 1)
    assert (station.state, station.record.queued) == ("up", 0)


def test_a_receipt_that_our_disk_cannot_take_is_not_the_peers_fault(rogue: Rogue) -> None:
    """It was told as no-receipts: the peer's store is slow or stuck, or the link is."""
    rogue.call().say(rogue.beat())
    station, world = rogue.station, rogue.world
    station.send("m1")
    world.run(SOON_S)
    station.full = True
    rogue.say(rogue.receipt(1))
    for _ in range(5):
        world.run(NO_PROGRESS_S / 4)
        rogue.say(rogue.beat())
    assert state(station) == OURS
    assert len(station.events("store_full")) == 1
    station.full = False
    world.run(HEARTBEAT_S)
    assert station.view("m1").state == "delivered"
    assert station.state == "up"


@pytest.mark.parametrize("busy", [True, False], ids=["queued", "idle"])
def test_a_disk_that_hangs_is_told_though_heartbeats_go_on(world: LineWorld, *, busy: bool) -> None:
    """Heartbeats need no disk: the line said up for ever, and nothing would have been delivered."""
    world.run(2 * HEARTBEAT_S)
    station = world.arbiter
    station.commit_s = (HANGS_S, HANGS_S)
    hung_at = world.now
    if busy:
        station.send("m1")
    world.run(HEARTBEAT_S + STORE_STALLED_S + SOON_S)
    assert state(station) == OURS
    [(told_after_s, *_)] = station.states(hung_at)
    assert told_after_s <= HEARTBEAT_S + STORE_STALLED_S
    world.run(HEARTBEAT_S)
    assert state(world.second) == ("degraded", "peer-not-accepting")
