"""A peer that says of the two logs what is not so: the line halts, or the session ends, in time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hotline.limits import HANDSHAKE_TIMEOUT_S
from hotline.wire import entries, frames
from support.rogue import SOON_S, Rogue

if TYPE_CHECKING:
    from hotline.model import Halt

ZERO = bytes(64)


def halt_of(rogue: Rogue) -> Halt:
    """Give the halt that the disk has."""
    rogue.world.run(SOON_S)
    halt = rogue.station.record.halt
    assert halt is not None, "the lie was believed"
    return halt


def test_who_lost_its_log_is_refused_until_it_recovers(rogue: Rogue) -> None:
    """To call again and say nothing of the loss must not bring the line back; to recover does."""
    station = rogue.station
    rogue.call().say(rogue.run(entries.Test("t1", 1, "rogue")))
    rogue.world.run(SOON_S)
    assert station.record.peer.number == 1
    empty = replace(rogue.hello(), own_number=0, own_head=rogue.pairing.own_zero)
    for _ in range(2):
        again = Rogue(rogue.world, station)
        again.knock()
        again.say(empty)
        assert halt_of(again).code == "peer-log-lost"
        assert not again.stands()
    honest = Rogue(rogue.world, station)
    honest.knock()
    honest.say(replace(empty, recovering=True))
    rogue.world.run(SOON_S)
    assert honest.stands()
    assert station.record.halt is None


@pytest.fixture
def unnoted(rogue: Rogue) -> Rogue:
    """Give a rogue that has lost its log; the full disk before it took entry 1, and not the halt."""
    station, world = rogue.station, rogue.world
    rogue.call().say(rogue.run(entries.Test("t1", 1, "rogue")))
    world.run(SOON_S)
    again = Rogue(world, station)
    again.knock()
    again.say(replace(rogue.hello(), own_number=0, own_head=rogue.pairing.own_zero))
    world.until(lambda: station.line.halt is not None, 1)
    station.full = True
    world.run(SOON_S)
    assert station.record.halt is None, "the disk took it although it is full"
    station.full = False
    return rogue


def test_a_loss_that_no_disk_has_noted_is_over_once_the_peer_recovers(unnoted: Rogue) -> None:
    """A halt that is written down after the recovery that ended it would stop a sound line."""
    station, world = unnoted.station, unnoted.world
    empty = replace(unnoted.hello(), own_number=0, own_head=unnoted.pairing.own_zero)
    honest = Rogue(world, station)
    honest.knock()
    honest.say(replace(empty, recovering=True))
    world.run(SOON_S)
    assert honest.stands()
    assert station.line.halt is None
    world.run(12)
    assert station.record.halt is None


def test_a_loss_that_no_disk_has_noted_holds_although_the_logs_agree_again(unnoted: Rogue) -> None:
    """A store that was swapped back may be swapped again: an operator has to look first."""
    station, world = unnoted.station, unnoted.world
    unnoted.knock()
    unnoted.say(unnoted.hello())
    assert halt_of(unnoted).code == "peer-log-lost"
    assert not unnoted.stands()
    assert unnoted.all(frames.Close)[-1].code == "halted"
    station.do(lambda line, at: line.retry(at))
    world.run(SOON_S)
    assert unnoted.call().stands()
    assert station.record.halt is None


def test_of_two_halts_at_once_the_second_is_kept(rogue: Rogue) -> None:
    """The disk's answer for the first must not be taken for one about the second."""
    station, world = rogue.station, rogue.world
    rogue.knock()
    other = Rogue(world, station)
    other.knock()
    world.commit_s = (0.5, 0.5)
    rogue.say(replace(rogue.hello(), peer_number=9))
    other.say(replace(other.hello(), own_head=ZERO))
    world.run(3)
    assert [one["code"] for one in station.events("line_halted")] == ["own-log-lost", "fork"]
    assert halt_of(rogue).code == "fork"
    assert station.line.halt == station.record.halt


@pytest.mark.parametrize(
    ("said", "halted"),
    [(frames.Recover(0), None), ("beat", "fork")],
    ids=["a frame out of place", "another history"],
)
def test_what_came_before_agreement_is_held_to_the_same_rules(
    rogue: Rogue, said: frames.Frame | str, halted: str | None
) -> None:
    """A peer that speaks while our disk still looks at its hello has said it all the same."""
    rogue.knock()
    frame = said if isinstance(said, frames.Recover) else rogue.beat(own_head=ZERO)
    rogue.say(rogue.hello(), frame)
    assert rogue.stands(), "it was looked at before the hello was"
    rogue.world.run(SOON_S)
    assert not rogue.stands()
    assert len(rogue.station.events("session_failed")) == (halted is None)
    halt = rogue.station.record.halt
    assert (halt.code if halt is not None else None) == halted


def test_a_first_heartbeat_that_echoes_needs_no_answer(rogue: Rogue) -> None:
    """Each answers the other's first at once; two that did so to an answer would never be done."""
    rogue.call()
    before = len(rogue.all(frames.Heartbeat))
    assert before
    rogue.say(rogue.beat(echo=before))
    assert len(rogue.all(frames.Heartbeat)) == before
    assert rogue.station.line.vitals.pulse.rtt_s is not None
    rogue.say(rogue.beat())
    assert len(rogue.all(frames.Heartbeat)) == before


def test_a_caller_that_never_proves_itself_is_let_go(rogue: Rogue) -> None:
    """A connection that stays silent must not hold one of the few places for ever."""
    station, world = rogue.station, rogue.world
    conn = station.line.called("nobody", station.moment())
    station.ends[conn], rogue.reads = rogue, False
    station.do(lambda line, at: line.wake(at))
    world.run(HANDSHAKE_TIMEOUT_S - 1)
    assert station.line.knows(conn)
    world.run(2)
    assert not station.line.knows(conn)
    assert station.line.links.attempts == 0, "nobody was called: no pause may follow from it"
