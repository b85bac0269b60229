"""Revoking a card: every session ends, and none comes again, whatever anybody does."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hotline.daemon.trust import halt_of
from hotline.model import Halt, Mark, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.line_world import LineWorld, Station

REVOKED = halt_of(Mark("anna", 1_795_443_000_000_000_000))


def revoke(station: Station) -> None:
    """Do what the daemon does once the store has the revocation."""
    station.door.remove(station.line.record.name)
    station.do(lambda line, at: line.revoke(REVOKED, at))


def store_halt(station: Station) -> None:
    """Have the store remember that the two histories differ."""
    line = station.record.line
    halt = Halt("fork", "two histories", 1)
    station.store.transact([lambda tx: tx.put_line(replace(tx.line(line), halt=halt))])


@pytest.mark.parametrize("which", [0, 1], ids=["arbiter", "second"])
def test_the_session_ends_and_the_peer_is_told(world: LineWorld, which: int) -> None:
    """An honest peer that is told nothing looks for a cut wire for days."""
    station = world.stations[which]
    peer = world.other(station)
    revoke(station)
    assert (station.state, station.reason, world.sessions) == ("halted", "revoked", 0)
    world.until(lambda: peer.reason == "peer-revoked")
    assert [event["code"] for event in peer.events("session_closed")] == ["revoked"]
    world.run(120)
    assert peer.reason in ("peer-revoked", "refused"), "what the peer was told must not be lost"
    assert world.sessions == 0


def test_nothing_brings_it_back(world: LineWorld) -> None:
    """A retry, another address or a peer that calls for ever must not undo what was decided."""
    north, south = world.stations
    revoke(north)
    dials = len(north.dials)
    for _ in range(3):
        north.do(lambda line, at: line.retry(at))
        north.do(lambda line, at: line.reconfigure([south.name], 1.0, at))
        south.do(lambda line, at: line.retry(at))
        world.run(60)
    assert (north.state, north.reason, world.sessions) == ("halted", "revoked", 0)
    assert len(north.dials) == dials
    assert world.strangers >= 3, "the peer called, and was answered like a stranger"
    assert north.record.halt is None, "the mark of the card holds, not one of the line's"
    assert north.events("line_unhalted") == [], "a log that says so would be believed"


def test_what_was_said_before_is_not_said_after(world: LineWorld) -> None:
    """No entry may leave, or be taken in, once the operator has been told that it is done."""
    north, south = world.stations
    world.clog()
    north.send("order")
    south.send("answer")
    world.run(0.5)
    revoke(north)
    before = north.record
    world.heal()
    north.send("later")
    world.run(60)
    assert north.view("later").state is State.QUEUED
    assert "later" not in south.inbox()
    assert north.record.peer == before.peer
    assert north.inbox() == []


def test_a_handshake_under_way_ends_too(make_world: Callable[..., LineWorld]) -> None:
    """A connection that is being made while the card is revoked would slip past the door."""
    for moment in range(1, 40, 4):
        world = make_world(moment).start()
        world.run(moment * 0.02)
        revoke(world.stations[0])
        world.run(60)
        assert world.sessions == 0
        assert world.stations[0].reason == "revoked"
        assert world.stations[1].state == "down"


def test_a_line_that_was_halted_before_is_revoked(world: LineWorld) -> None:
    """The decision of a person stands over what the records say, and is what is shown."""
    north = world.stations[0]
    store_halt(north)
    north.crash()
    north.start()
    world.run(1)
    assert north.reason == "fork"
    revoke(north)
    world.run(1)
    assert north.reason == "revoked"
