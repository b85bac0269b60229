"""The way back from a full disk: who is told when, what is dropped, and how often the disk is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotline.errors import StoreFullError
from hotline.store.transaction import SqliteTransaction
from hotline.wire import entries, frames
from support.rogue import SOON_S

if TYPE_CHECKING:
    import pytest

    from support.line_world import Station
    from support.rogue import Rogue

PAUSE_S = 5.0
"""How long a disk that refused is left alone."""


def accepting(rogue: Rogue) -> bool:
    """Tell what the station's newest heartbeat says."""
    said: bool = rogue.all(frames.Heartbeat)[-1].accepting
    return said


def refused(rogue: Rogue, run: frames.Entries) -> None:
    """Have the station's disk refuse a run, and let it have room again."""
    rogue.call().say(rogue.beat())
    rogue.station.full = True
    rogue.say(run)
    rogue.world.run(SOON_S)
    assert not accepting(rogue)
    rogue.station.full = False


def beats_slowly(rogue: Rogue) -> None:
    """Have the station's heartbeats come so seldom that none hides what is told at once."""
    rogue.station.heartbeat_s = 60.0
    rogue.station.crash()
    rogue.station.start()


def count_tries(station: Station, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Give a list that grows by each time the disk is asked for anything."""
    tries: list[float] = []
    durable = station._durable

    def counted() -> None:
        tries.append(station.world.now)
        durable()

    monkeypatch.setattr(station, "_durable", counted)
    return tries


def test_the_peer_is_told_at_once_that_there_is_room_again(rogue: Rogue) -> None:
    """An interval later the line would have stood still for nothing, with a FLASH in its queue."""
    beats_slowly(rogue)
    refused(rogue, rogue.run(entries.Test("t1", 1, "rogue")))
    took = rogue.world.until(lambda: accepting(rogue), 3 * PAUSE_S)
    assert took < PAUSE_S + 2 * SOON_S


def test_what_follows_a_refused_run_is_dropped_and_accuses_nobody(rogue: Rogue) -> None:
    """It was on its way when the disk refused: the peer sends all of it again, from the first."""
    station, world = rogue.station, rogue.world
    first, second, third = (rogue.run(entries.Test(f"t{n}", 1, "rogue")) for n in (1, 2, 3))
    refused(rogue, first)
    rogue.say(second)
    world.until(lambda: accepting(rogue), 3 * PAUSE_S)
    rogue.say(second, third)
    world.run(SOON_S)
    assert (rogue.stands(), station.record.peer.number) == (True, 0)
    rogue.say(first, second, third)
    world.run(SOON_S)
    assert (rogue.stands(), station.record.peer.number) == (True, 3)
    assert len(station.events("line_test_received")) == 3


def test_a_disk_that_takes_nothing_new_is_not_called_ready(
    rogue: Rogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk answers who only reads: the peer would send all of it again every few seconds."""
    station, world = rogue.station, rogue.world
    beats_slowly(rogue)
    refused(rogue, rogue.run(entries.Test("t1", 1, "rogue")))
    beats = len(rogue.all(frames.Heartbeat))

    def no_room(*_: object) -> None:
        raise StoreFullError("no room")

    monkeypatch.setattr(SqliteTransaction, "put_line", no_room)
    world.run(3 * PAUSE_S)
    assert not accepting(rogue)
    assert len(rogue.all(frames.Heartbeat)) == beats, "each try was told to the peer"
    monkeypatch.undo()
    world.until(lambda: accepting(rogue), 2 * PAUSE_S)
    assert len(station.events("store_full")) == 1


def test_a_full_disk_is_told_as_an_error_in_its_own_words(rogue: Rogue) -> None:
    """An operator has to find out which disk, and why, from the log alone."""
    refused(rogue, rogue.run(entries.Test("t1", 1, "rogue")))
    [report] = [report for _, report in rogue.station.reports if report.event == "store_full"]
    assert (report.level, report.fields["why"]) == ("error", "no room")


def test_a_disk_with_its_reserve_alone_is_told_too(rogue: Rogue) -> None:
    """Nothing was tried there, so the words are the station's own."""
    rogue.call().say(rogue.beat())
    rogue.station.has_room = False
    rogue.say(rogue.run(entries.Test("t1", 1, "rogue")))
    [told] = rogue.station.events("store_full")
    assert "reserve" in told["why"]


def tries_under_fire(rogue: Rogue, monkeypatch: pytest.MonkeyPatch) -> int:
    """Let two hundred heartbeats come in a second; gives how often the disk was tried meanwhile."""
    tries = count_tries(rogue.station, monkeypatch)
    for _ in range(200):
        rogue.say(rogue.beat())
        rogue.world.run(0.005)
    return len(tries)


def test_a_busy_peer_has_a_full_disk_asked_no_more_often(
    rogue: Rogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each frame that came would start another try that must fail, a thousand times a second."""
    station, world = rogue.station, rogue.world
    rogue.call().say(rogue.beat())
    station.send("m1")
    world.run(SOON_S)
    station.send("m2", "x" * 100_000)
    station.full = True
    rogue.say(rogue.receipt(1))
    world.run(SOON_S)
    assert station.record.delivered == 0
    assert tries_under_fire(rogue, monkeypatch) < 20
    station.full = False
    world.until(lambda: station.record.delivered == 1, 2 * station.heartbeat_s)


def test_a_queue_on_a_full_disk_is_not_looked_into_at_every_frame(
    rogue: Rogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be sealed stays queued until the next look, whatever the peer says meanwhile."""
    station, world = rogue.station, rogue.world
    rogue.call(accepting=False).say(rogue.beat(accepting=False))
    station.send("m1")
    world.run(SOON_S)
    station.full = True
    rogue.say(rogue.beat())
    world.run(SOON_S)
    assert rogue.all(frames.Entries) == []
    assert tries_under_fire(rogue, monkeypatch) < 20
    station.full = False
    world.until(lambda: bool(rogue.all(frames.Entries)), 2 * station.heartbeat_s)


def test_a_refusal_that_took_nothing_is_noted_nowhere(rogue: Rogue) -> None:
    """A message that went out once must not look later as if it had been sent again."""
    station, world = rogue.station, rogue.world
    rogue.call().say(rogue.beat())
    station.send("m1")
    world.run(SOON_S)
    rogue.say(rogue.receipt(1))
    world.run(2)
    got = rogue.receipt(1)
    said = {"peer_number": 1, "peer_head": got.head, "receipted": 0}
    rogue.say(rogue.beat(accepting=False, **said), rogue.beat(accepting=True, **said))
    world.run(SOON_S)
    assert rogue.stands()
    assert rogue.times_got(1) == 1
    assert notes(station) == 0


def notes(station: Station) -> int:
    """Count the rows that say that entries were sent once more, past the store."""
    import apsw

    database = apsw.Connection(str(station.path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return int(database.execute("SELECT count(*) FROM resent").get)
    finally:
        database.close()
