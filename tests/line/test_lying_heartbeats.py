"""Heartbeats that no honest peer would send: each tells of logs that are not those that we hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hotline.model import Halt, Precedence
from hotline.wire import entries, frames
from support.rogue import SOON_S

if TYPE_CHECKING:
    from support.rogue import Rogue


@pytest.mark.parametrize(
    ("lie", "code"),
    [
        ({"peer_number": 1}, "own-log-lost"),
        ({"receipted": 1}, "own-log-lost"),
        ({"peer_head": bytes(64)}, "fork"),
        ({"own_head": bytes(64)}, "fork"),
    ],
)
def test_a_heartbeat_of_other_logs_halts_the_line(
    rogue: Rogue, lie: dict[str, Any], code: str
) -> None:
    """A loss that the hello could not show would be written over by the next entry."""
    rogue.call().say(rogue.beat(**lie))
    rogue.world.run(SOON_S)
    halt = rogue.station.record.halt
    assert halt is not None, "the lie was believed"
    assert halt.code == code
    assert not rogue.stands()


def test_an_honest_heartbeat_halts_nothing(rogue: Rogue) -> None:
    """Beside the lies: whoever tells the truth is served, or the line would halt for nothing."""
    rogue.call().say(rogue.beat())
    message = entries.Message("m", Precedence.ROUTINE, 1, None, "a", "s", "b")
    rogue.say(rogue.run(message))
    rogue.world.run(SOON_S)
    assert rogue.station.record.halt is None
    assert rogue.station.inbox() == ["m"]


def test_a_halt_that_a_full_disk_did_not_take_is_written_later(rogue: Rogue) -> None:
    """A halt that only memory knows would be forgotten by a restart."""
    rogue.call()
    rogue.station.full = True
    rogue.say(rogue.beat(peer_head=bytes(64)))
    rogue.world.run(SOON_S)
    assert rogue.station.record.halt is None
    held: Halt | None = rogue.station.line.halt
    assert held is not None
    assert held.code == "fork"
    rogue.station.full = False
    rogue.world.run(rogue.station.heartbeat_s + 1)
    assert rogue.station.record.halt == held


@pytest.mark.parametrize(
    "said",
    [
        {"number": 7},
        {"number": 1},
        {"echo": 2**32 - 1},
        {"echo": 1, "held_us": 2**64 - 1},
    ],
    ids=["skipped", "repeated", "never sent", "held for too long"],
)
def test_how_heartbeats_are_counted_is_taken_as_it_comes(
    rogue: Rogue, said: dict[str, Any]
) -> None:
    """docs/protocol.md says so: a session that ended for it would be another protocol."""
    rogue.call().say(rogue.beat(number=1))
    rogue.world.run(SOON_S)
    rogue.say(rogue.beat(**said))
    rogue.world.run(rogue.station.heartbeat_s)
    assert rogue.stands()
    assert rogue.all(frames.Heartbeat)[-1].echo == said.get("number", 2)
    rtt_s = rogue.station.line.vitals.pulse.rtt_s
    assert rtt_s is None or rtt_s >= 0
