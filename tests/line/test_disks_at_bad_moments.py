"""A disk that is full, stuck or gone just when a line needs it: nobody is accused, nothing is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hotline import limits
from hotline.errors import StoreError
from hotline.wire import entries, frames
from support.rogue import SOON_S, Rogue

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.line_world import LineWorld, Station


def lose_store(station: Station) -> None:
    """Answer all that waits for the disk as the daemon does when the store is gone."""
    waiting = station._committing + station._pending
    station._committing, station._pending = [], []
    for commit in waiting:
        station.perform(commit.done(StoreError("the disk is gone"), station.moment()))


def test_what_is_refused_on_a_full_disk_is_taken_when_it_comes_again(rogue: Rogue) -> None:
    """A run held in memory meanwhile would be receipted late, or twice, or never."""
    station, world = rogue.station, rogue.world
    first, second = (rogue.run(entries.Test(f"t{n}", 1, "rogue")) for n in (1, 2))
    rogue.call().say(rogue.beat())
    station.full = True
    rogue.say(first)
    world.run(SOON_S)
    assert not rogue.all(frames.Heartbeat)[-1].accepting
    rogue.say(first, second)
    world.run(SOON_S)
    station.full = False
    world.run(SOON_S)
    assert (rogue.stands(), station.record.peer.number) == (True, 0)
    world.until(lambda: rogue.all(frames.Heartbeat)[-1].accepting, 12)
    rogue.say(first, second)
    world.run(SOON_S)
    assert [receipt.number for receipt in rogue.all(frames.ReceiptFrame)][-1] == 2
    assert len(station.events("line_test_received")) == 2


def test_a_disk_that_answers_a_second_try_late_refuses_nothing(rogue: Rogue) -> None:
    """What came just then was dropped without a word, all after it too: the peer waited for ever."""
    station, world = rogue.station, rogue.world
    run = rogue.run(entries.Test("t1", 1, "rogue"))
    rogue.call().say(rogue.beat())
    station.full = True
    rogue.say(run)
    world.run(SOON_S)
    assert not rogue.all(frames.Heartbeat)[-1].accepting
    station.full = False
    world.commit_s = (7.0, 7.0)  # the disk is tried again after 5 s
    for _ in range(3):
        world.run(4.0)
        rogue.say(rogue.beat())
        assert station.waiting_commits <= 2, "a disk that hangs is asked again and again"
    world.until(lambda: rogue.all(frames.Heartbeat)[-1].accepting, 5)
    world.commit_s = (0.001, 0.001)
    rogue.say(rogue.beat())
    world.until(lambda: station.waiting_commits == 0, 10)
    rogue.say(run)
    world.run(SOON_S)
    assert [receipt.number for receipt in rogue.all(frames.ReceiptFrame)] == [1]


def test_a_store_that_is_gone_accuses_nobody_and_signs_nothing(rogue: Rogue) -> None:
    """It ends this daemon; a receipt for what no disk has, or a halt for it, would be a lie."""
    station = rogue.station
    rogue.call().say(rogue.beat())
    rogue.world.commit_s = (50.0, 50.0)
    rogue.say(rogue.run(entries.Test("t1", 1, "rogue")))
    lose_store(station)
    assert rogue.stands()
    assert (station.events("session_failed"), station.line.halt) == ([], None)
    assert rogue.all(frames.ReceiptFrame) == []


@pytest.mark.parametrize("times", [1, 2])
def test_a_receipt_that_a_full_disk_refuses_is_kept_for_later(rogue: Rogue, times: int) -> None:
    """The peer has no reason to give it again: the message would stand as never delivered."""
    station, world = rogue.station, rogue.world
    rogue.call().say(rogue.beat())
    station.send("m1")
    world.run(SOON_S)
    station.full = True
    for _ in range(times):  # the second comes while the disk still looks at the first
        rogue.say(rogue.receipt(1))
    world.run(SOON_S)
    assert (station.record.delivered, rogue.stands()) == (0, True)
    station.full = False
    world.run(limits.HEARTBEAT_S + 1)
    assert station.record.delivered == 1


def test_a_stuck_disk_is_asked_once_what_has_expired(make_world: Callable[..., LineWorld]) -> None:
    """One more request a second would bury a disk that is stuck for an hour."""
    world = make_world()
    station = world.arbiter.start()
    station.send("m1", expires_s=1)
    world.run(SOON_S)
    world.commit_s = (30.0, 30.0)
    world.run(20)
    assert station.waiting_commits <= 2
    world.run(60)
    assert [event["id"] for event in station.events("message_expired")] == ["m1"]


def test_what_a_session_said_does_not_end_the_line_once_it_is_gone(rogue: Rogue) -> None:
    """The disk answers late: there is nobody left to hang up on, and nothing to halt for."""
    station, world = rogue.station, rogue.world
    rogue.call().say(rogue.beat())
    world.commit_s = (0.5, 0.5)
    forged = bytes(limits.MLDSA_SIGNATURE_BYTES)
    rogue.say(frames.CheckpointFrame(0, rogue.own.head, 0, rogue.peer.head, 1, forged))
    conn = rogue.conn
    assert conn is not None
    rogue.open = False
    station.do(lambda line, at: line.ended(conn, "session-lost", at))
    world.run(2)
    assert station.events("session_failed") == []
    assert station.line.halt is None
    world.commit_s = (0.001, 0.001)
    assert Rogue(world, station).call().stands()


def test_a_peer_that_reads_nothing_is_given_up_once(
    rogue: Rogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that is pushed for it stays in memory; and a report for each frame would fill the logs."""
    rogue.call().say(rogue.beat())
    rogue.world.run(SOON_S)
    rogue.reads = False
    monkeypatch.setattr(limits, "UNSENT_BYTES", 0)
    for attended in (True, False, True, False):
        rogue.station.line.set_attended(attended, rogue.station.moment())
    held = rogue.station.line.links.by_conn[rogue.conn or 0].session
    assert held is not None
    assert held.unsent_bytes < 1000, "more was pushed than the bound says"
    rogue.station.do(lambda line, at: line.set_attended(attended=False, moment=at))
    rogue.world.run(SOON_S)
    assert not rogue.stands()
    assert rogue.station.reason == "unread", "no connection broke, and no other session stands"


def test_who_is_on_watch_before_the_start_is_told_with_the_first_heartbeat(rogue: Rogue) -> None:
    """A peer that hears it an interval late believes that nobody is there."""
    rogue.station.line.attend(attended=True)
    rogue.call()
    assert next(beat.attended for beat in rogue.all(frames.Heartbeat))


def test_what_operators_ask_for_is_not_held_against_the_peer(
    agreed: Rogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a stuck disk a batch waits too: an honest peer's heartbeat would end its session."""
    monkeypatch.setattr("hotline.line.context.COMMITS_WAITING", 20)
    station = agreed.station
    for number in range(40):
        station.send(f"m{number}")
    assert station.waiting_commits >= 40
    agreed.say(agreed.beat())
    agreed.world.run(SOON_S)
    assert agreed.stands()
    assert station.events("session_failed") == []
