"""A peer with the right keys that wants our memory: what little it says must never cost us much.

All of it is done before a stuck disk, for that is when what was asked for waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hotline import limits
from hotline.model import Side
from hotline.wire import entries, frames
from support.rogue import SOON_S, STUCK_S, Rogue

if TYPE_CHECKING:
    from support.line_world import Station

ZERO = bytes(64)


def why_it_ended(station: Station) -> str:
    """Give what the station said of the session that it ended."""
    [failed] = station.events("session_failed")
    assert failed["error"] == "ProtocolError"
    return str(failed["why"])


def test_a_log_asked_for_many_times_at_once_is_not_read_many_times(rogue: Rogue) -> None:
    """One record of requests made the station read two mebibytes for each: gigabytes in one go."""
    rogue.call(recovering=True)
    rogue.say(rogue.run(*(entries.Test(f"t{number}", 1, "rogue") for number in range(10))))
    rogue.world.run(SOON_S)
    assert rogue.station.record.peer.number == 10
    rogue.world.commit_s = (STUCK_S, STUCK_S)
    rogue.say(*[frames.Recover(0)] * 500)
    assert rogue.station.waiting_commits <= 3
    assert not rogue.stands()
    assert "waited for" in why_it_ended(rogue.station)


def test_a_log_that_is_asked_for_in_turn_is_given_each_time(rogue: Rogue) -> None:
    """A recovery that was cut asks for the same entries again; it must not be taken for an attack."""
    rogue.call(recovering=True)
    rogue.say(rogue.run(*(entries.Test(f"t{number}", 1, "rogue") for number in range(10))))
    for times in (1, 2, 3):
        rogue.world.run(SOON_S)
        rogue.say(frames.Recover(4))
        rogue.world.run(SOON_S)
        returned = rogue.all(frames.Returned)
        assert [(run.first, run.upto) for run in returned] == [(5, 10)] * times
    assert rogue.stands()


def test_a_flag_that_is_played_with_has_the_log_read_once(agreed: Rogue) -> None:
    """Each flip had a run of the log read and held, though only the last of them could be sent."""
    station = agreed.station
    station.send("m1")
    before = station.waiting_commits
    for _ in range(500):
        agreed.say(*agreed.flips())
    assert station.waiting_commits <= before + 2
    assert agreed.stands()
    agreed.world.commit_s = (0.001, 0.001)
    agreed.world.run(STUCK_S + SOON_S)
    assert agreed.times_got(1) == 1


def test_runs_without_end_end_the_session(agreed: Rogue) -> None:
    """A run of one byte counted as one byte, and took three hundred of memory."""
    run = frames.Entries(1, (b"\0",), ZERO)
    for _ in range(70):
        if agreed.stands():
            agreed.say(*[run] * 1000)
    assert not agreed.stands()
    assert str(limits.RUNS_HELD) in why_it_ended(agreed.station)


def test_as_many_runs_as_the_bound_says_are_held(agreed: Rogue) -> None:
    """An honest peer's trickle over a stuck disk is not to be cut off."""
    for _ in range(16):
        agreed.say(*[frames.Entries(1, (b"\0",), ZERO)] * 1000)
    assert agreed.stands()


def test_requests_without_end_end_the_session(agreed: Rogue) -> None:
    """Receipts before entries each asked for a commit, and those waited without a bound."""
    receipt = frames.ReceiptFrame(1, ZERO, 1, ZERO)
    run = frames.Entries(1, (b"\0",), ZERO)
    for _ in range(100):
        if agreed.stands():
            said: list[frames.Frame] = [receipt, run] * 100
            agreed.say(*said)
    assert not agreed.stands()
    assert "wait for the disk" in why_it_ended(agreed.station)
    assert agreed.station.waiting_commits <= limits.COMMITS_WAITING + 1


@pytest.mark.parametrize("count", [1, limits.ENTRIES_PER_FRAME])
def test_what_comes_before_agreement_is_bounded(rogue: Rogue, count: int) -> None:
    """Entries of two bytes counted as two bytes, and took sixty of memory each, on sixteen sessions."""
    rogue.world.commit_s = (STUCK_S, STUCK_S)
    rogue.knock()
    rogue.say(rogue.hello())
    run = frames.Entries(1, (b"\0\0",) * count, ZERO)
    said = 0
    while rogue.stands() and said < 2000:
        rogue.say(run)
        said += 1
    assert not rogue.stands()
    assert said * (limits.UNIT_BYTES + 64 * count) <= 4 * limits.IN_FLIGHT_BYTES + 70_000
    assert "agreed" in why_it_ended(rogue.station)


@pytest.fixture
def recovering(rogue: Rogue) -> Rogue:
    """Give a rogue before a station whose operator has it take back what it lost."""
    from hotline.line import taking_back
    from support.line_world import Reply

    station, world = rogue.station, rogue.world
    rogue.knock()
    rogue.say(frames.Hello(0, rogue.own.head, 9, ZERO, 0, 5000, True, 0))
    world.run(SOON_S)
    assert station.state == "halted"
    reply: Reply = station.ask(lambda tx, n: (taking_back.begin(tx, n),), lambda found: found[0])
    world.run(SOON_S)
    assert reply.value.recovering
    station.do(lambda line, at: line.retry(at))
    rogue.knock()
    rogue.say(frames.Hello(0, rogue.own.head, 9, ZERO, 0, 5000, True, 0))
    world.run(SOON_S)
    assert rogue.all(frames.Recover) == [frames.Recover(0)]
    return rogue


@pytest.mark.parametrize("size_bytes", [1, limits.ENTRY_BYTES])
def test_a_log_returned_in_crumbs_ends_the_session(recovering: Rogue, size_bytes: int) -> None:
    """Each crumb was added to all before it: the hundred thousandth took longer than a heartbeat."""
    crumb = frames.Returned(1, 9, (b"\0" * size_bytes,), None)
    said = 0
    while recovering.stands() and said < 5000:
        recovering.say(*[crumb] * 16)
        said += 16
    assert not recovering.stands()
    assert said <= limits.RETURNED_FRAMES + 16
    assert "than can be signed" in why_it_ended(recovering.station)
    assert recovering.station.record.own.number == 0
    assert recovering.station.page(Side.OWN) == []
