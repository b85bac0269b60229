"""A full disk at a bad moment: what it did not take is done later, and nothing is claimed before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotline.wire import frames
from support.rogue import SOON_S

if TYPE_CHECKING:
    from support.line_world import LineWorld
    from support.rogue import Rogue


def test_a_hello_that_a_full_disk_cannot_examine_ends_the_session(rogue: Rogue) -> None:
    """Logs that were not compared must carry nothing: the session is closed, with the reason."""
    rogue.knock()
    rogue.station.full = True
    rogue.say(rogue.hello())
    rogue.world.run(SOON_S)
    assert not rogue.stands()
    assert rogue.station.events("store_full")
    assert not rogue.station.events("session_agreed")
    assert rogue.all(frames.Close)[-1].code == "failed"


def test_what_expires_on_a_full_disk_expires_once_it_has_room(world: LineWorld) -> None:
    """A message called expired that the disk still holds as queued could yet be sent."""
    station = world.arbiter
    world.clog(*world.stations)
    world.run(60)
    station.send("late", expires_s=5)
    world.run(1)
    station.full = True
    world.run(60)
    assert not station.events("message_expired")
    assert str(station.view("late").state) == "queued"
    station.full = False
    world.run(60)
    assert station.events("message_expired")
    assert str(station.view("late").state) == "expired"
