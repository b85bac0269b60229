"""Recovery with a peer that keeps no rule, over sessions that come and go, and on a full disk."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hotline.limits import ENTRY_BYTES, IN_FLIGHT_BYTES
from hotline.line import taking_back
from hotline.model import Position, Precedence, State
from hotline.wire import entries, frames, heads
from support.rogue import SOON_S, Rogue

LOG = tuple(entries.encode(entries.Test(f"t{number}", 1, "lt")) for number in (1, 2, 3))
SLOW_S = 0.5


def hello(rogue: Rogue) -> frames.Hello:
    """Say that this station's log had as many entries as LOG."""
    return replace(rogue.hello(), peer_number=len(LOG), peer_head=bytes(64))


def call(rogue: Rogue, said: frames.Hello) -> Rogue:
    """Begin a session with a hello, let the disk look at it, and say as much by a heartbeat."""
    rogue.knock()
    rogue.say(said, rogue.beat(peer_number=said.peer_number, peer_head=said.peer_head))
    return rogue


@pytest.fixture
def recovering(rogue: Rogue) -> Rogue:
    """Give a rogue before a station that takes back three entries."""
    station, world = rogue.station, rogue.world
    call(rogue, hello(rogue))
    world.run(SOON_S)
    assert station.state == "halted"
    station.ask(lambda tx, n: (taking_back.begin(tx, n),), lambda found: found[0])
    world.run(SOON_S)
    station.do(lambda line, at: line.retry(at))
    call(rogue, hello(rogue))
    world.run(SOON_S)
    assert rogue.all(frames.Recover) == [frames.Recover(0)]
    return rogue


def returned(
    rogue: Rogue, *, first: int = 1, upto: int = 3, log: tuple[bytes, ...] = LOG, ours: bool = True
) -> frames.Returned:
    """Give a log back, under the signature of the station that wrote it or under the rogue's."""
    own = rogue.station.line.pairing
    head = heads.chain(own.own_zero, log)[-1]
    signer = own if ours else rogue.pairing
    return frames.Returned(first, upto, log, signer.sign_head(Position(len(log), head)))


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"first": 2}, "does not follow our log"),
        ({"upto": 2}, "not the run that it named"),
        ({"ours": False}, "does not verify"),
        ({"log": (*LOG[:2], b"\x91\x07")}, "what we never write"),
    ],
)
def test_what_is_not_our_log_is_not_taken_back(
    recovering: Rogue, changed: dict[str, object], why: str
) -> None:
    """Who gives us back a log could otherwise write it."""
    recovering.say(returned(recovering, **changed))  # type: ignore[arg-type]
    recovering.world.run(SOON_S)
    assert not recovering.stands()
    assert why in recovering.station.events("session_failed")[0]["why"]
    record = recovering.station.record
    assert (record.own.number, record.recovering, record.halt) == (0, True, None)


def test_our_log_is_taken_back(recovering: Rogue) -> None:
    """The tests beside this one would pass with a station that takes nothing back."""
    recovering.say(returned(recovering))
    recovering.world.run(SOON_S)
    assert recovering.station.record.own.number == len(LOG)
    assert not recovering.station.record.recovering
    assert recovering.all(frames.Recover)[-1] == frames.Recover(3)


@pytest.mark.parametrize("honest", [True, False])
def test_what_an_older_session_returned_counts_as_what_it_is(
    recovering: Rogue, honest: bool
) -> None:
    """Our own signature makes it ours whoever brought it; but a lie ends no session that came since."""
    station, world = recovering.station, recovering.world
    world.commit_s = (SLOW_S, SLOW_S)
    newer = Rogue(world, station)
    call(newer, hello(newer))
    recovering.say(returned(recovering, ours=honest))
    world.run(3 * SLOW_S)
    assert newer.stands()
    have = len(LOG) if honest else 0
    assert station.record.own.number == have
    assert newer.all(frames.Recover) == [frames.Recover(have)], "it asks for what it has not got"
    assert station.events("session_failed") == []
    if not honest:
        newer.say(returned(newer))
    world.run(3 * SLOW_S)
    assert station.record.own.number == len(LOG)
    assert not station.record.recovering
    station.send("m")
    world.run(5 * SLOW_S)
    assert [run.first for run in newer.all(frames.Entries)] == [len(LOG) + 1]


def test_what_comes_back_after_its_session_begins_nothing(recovering: Rogue) -> None:
    """With nobody to send to, a message was numbered, and a more urgent one came too late."""
    station, world, conn = recovering.station, recovering.world, recovering.conn
    assert conn is not None
    station.send("m")
    recovering.say(returned(recovering))
    station.do(lambda line, at: line.ended(conn, "truncated", at))
    world.run(6)
    assert station.record.own.number == len(LOG)
    assert station.view("m").state is State.QUEUED


def test_a_full_disk_at_the_end_of_a_recovery_is_not_asked_without_a_pause(
    recovering: Rogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each refusal was followed by the next try at once: a processor's whole time, for hours."""
    station, world = recovering.station, recovering.world
    tries = 0
    durable = station._durable

    def counted() -> None:
        nonlocal tries
        tries += 1
        durable()

    recovering.say(returned(recovering))
    world.until(lambda: station.record.own.number == len(LOG), 1)
    station.full = True
    monkeypatch.setattr(station, "_durable", counted)
    world.run(4)
    assert station.reason == "recovering"
    assert tries < 20
    newer = Rogue(world, station)
    station.full = False
    call(newer, replace(hello(newer), peer_head=station.record.own.head))
    world.run(SOON_S)
    assert newer.stands()
    assert not station.record.recovering
    assert len(station.events("line_recovered")) == 1


def test_a_full_disk_at_the_end_of_a_recovery_is_asked_again(recovering: Rogue) -> None:
    """The session that had it all goes on: nobody has to hang up for the disk to have room."""
    station, world = recovering.station, recovering.world
    recovering.say(returned(recovering))
    world.until(lambda: station.record.own.number == len(LOG), 1)
    station.full = True
    world.run(1)
    station.full = False
    world.run(6)
    assert recovering.stands()
    assert not station.record.recovering


def test_a_station_that_recovers_holds_no_more_than_can_be_signed_at_once(
    recovering: Rogue,
) -> None:
    """A peer that never comes to the signature would fill the memory of who waits for it."""
    entry = entries.encode(entries.Part("m", Precedence.ROUTINE, 0, 10**6, b"x" * 7_000))
    run, held = frames.Returned(1, 10**6, (entry,) * 15, None), 0
    while recovering.stands() and held <= 3 * IN_FLIGHT_BYTES:
        recovering.say(run)
        held += run.size_bytes
    assert 2 * IN_FLIGHT_BYTES < held <= 2 * IN_FLIGHT_BYTES + run.size_bytes
    assert "more than can be signed" in recovering.station.events("session_failed")[0]["why"]


def test_under_many_signatures_one_run_waits_for_the_disk(recovering: Rogue) -> None:
    """Each junk signature let two more mebibytes wait for a disk that hangs: gigabytes in the end."""
    station = recovering.station
    recovering.world.commit_s = (SLOW_S, SLOW_S)
    before = station.waiting_commits
    group = frames.Returned(1, 1, (b"\0" * ENTRY_BYTES,), bytes(64))
    recovering.say(group)
    assert recovering.stands()
    recovering.say(*[group] * 100)
    assert not recovering.stands()
    assert "not asked for" in station.events("session_failed")[0]["why"]
    assert station.waiting_commits <= before + 1


def test_nothing_is_held_behind_a_run_that_waits_for_the_disk(recovering: Rogue) -> None:
    """Nothing was asked for again yet: what comes would be held beside what waits already."""
    recovering.world.commit_s = (SLOW_S, SLOW_S)
    recovering.say(returned(recovering))
    assert recovering.stands()
    recovering.say(frames.Returned(1, 1, (b"\0",), None))
    assert not recovering.stands()
    assert "not asked for" in recovering.station.events("session_failed")[0]["why"]


# --- giving back ----------------------------------------------------------------------------------


def test_nothing_is_sent_to_who_recovers_until_all_is_back(rogue: Rogue) -> None:
    """What our log says of its messages could not be taken in before they are there."""
    station, world = rogue.station, rogue.world
    rogue.call(recovering=True)
    station.send("m1")
    rogue.say(*rogue.flips())
    world.run(SOON_S)
    assert rogue.all(frames.Entries) == []
    rogue.say(frames.Recover(0))
    world.run(SOON_S)
    assert rogue.all(frames.ReceiptFrame) == [], "there is nothing to sign for"
    assert [run.last for run in rogue.all(frames.Entries)] == [1]
    assert len(station.events("peer_recovered")) == 1


def test_what_an_older_session_asked_for_is_not_given_to_the_next(rogue: Rogue) -> None:
    """It would be what was not asked for, and an honest peer must end its session for that."""
    station, world = rogue.station, rogue.world
    rogue.call(recovering=True).say(rogue.run(entries.Test("t1", 1, "rogue")))
    world.run(SOON_S)
    world.commit_s = (SLOW_S, SLOW_S)
    newer = Rogue(world, station)
    call(newer, replace(newer.hello(), recovering=True))
    rogue.say(frames.Recover(0))
    world.run(3 * SLOW_S)
    assert newer.all(frames.Returned) == rogue.all(frames.Returned) == []
    newer.say(frames.Recover(0))
    world.run(3 * SLOW_S)
    assert [run.upto for run in newer.all(frames.Returned)] == [1]


def test_one_signature_over_many_frames_is_returned_with_the_last(rogue: Rogue) -> None:
    """A slow disk takes much under one signature: what comes before its end is believed by nobody."""
    station, world = rogue.station, rogue.world
    said = [
        entries.Message(f"m{number}", Precedence.ROUTINE, 1, None, "lt", "s", "x" * 7_900)
        for number in range(40)
    ]
    rogue.call().say(rogue.beat(), *(rogue.run(one) for one in said))
    world.run(SOON_S)
    assert station.record.peer.number == len(said)
    rogue.call(recovering=True).say(frames.Recover(1))
    world.run(SOON_S)
    runs = rogue.all(frames.Returned)
    assert len(runs) > 2
    assert {run.upto for run in runs} == {len(said)}
    returned = [entry for run in runs for entry in run.entries]
    assert returned == [entries.encode(one) for one in said[1:]]
    assert [run.signature is not None for run in runs] == [False] * (len(runs) - 1) + [True]


def test_a_second_loss_in_one_life_of_the_daemon_is_recovered_too(recovering: Rogue) -> None:
    """What the first recovery left behind would keep the second one waiting for ever."""
    station, world = recovering.station, recovering.world
    recovering.say(returned(recovering))
    world.run(SOON_S)
    assert not station.record.recovering
    more = entries.encode(entries.Test("t4", 1, "lt"))
    again = Rogue(world, station)
    found = replace(again.hello(), peer_number=4, peer_head=bytes(64))
    call(again, found)
    world.run(SOON_S)
    assert station.state == "halted"
    station.ask(lambda tx, n: (taking_back.begin(tx, n),), lambda outcome: outcome[0])
    world.run(SOON_S)
    station.do(lambda line, at: line.retry(at))
    call(again, found)
    world.run(SOON_S)
    pairing, record = station.line.pairing, station.record
    head = heads.chain(record.own.head, [more])[-1]
    again.say(frames.Returned(4, 4, (more,), pairing.sign_head(Position(4, head))))
    world.run(SOON_S)
    assert (station.record.own.number, station.record.recovering) == (4, False)


def test_a_recovery_asks_for_what_the_first_heartbeat_tells_of(recovering: Rogue) -> None:
    """Finished over what the hello told, it would leave the rest to be written a second time."""
    station, world = recovering.station, recovering.world
    newer = Rogue(world, station)
    newer.knock()
    newer.say(replace(newer.hello(), peer_number=2, peer_head=bytes(64)))
    station.send("m")
    world.run(SOON_S)
    newer.say(returned(newer, upto=2, log=LOG[:2]))
    world.run(SOON_S)
    assert (station.record.own.number, station.record.recovering) == (2, True)
    assert newer.all(frames.Entries) == []
    newer.say(newer.beat(peer_number=3, peer_head=bytes(64)))
    world.run(SOON_S)
    assert station.record.recovering
    newer.say(replace(returned(newer, first=3), entries=LOG[2:]))
    world.run(SOON_S)
    assert (station.record.own.number, station.record.recovering) == (3, False)
    world.until(lambda: newer.all(frames.Entries) != [], 8)
    assert newer.all(frames.Entries)[0].first == 4
