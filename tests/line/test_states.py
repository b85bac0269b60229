"""The line's state with its reason, at the right time, in a world where each trouble is staged."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from hotline.limits import (
    HEARTBEAT_S,
    MISSED_DEGRADED,
    MISSED_DOWN,
    NO_PROGRESS_S,
    STORE_STALLED_S,
    UNIT_BYTES,
)
from hotline.wire.frames import ReceiptFrame

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.line_world import LineWorld, Station

SLACK_S = 0.2
"""For what was still under way when the trouble began."""


def settle(world: LineWorld) -> None:
    """Let the first heartbeats pass, so that all that is measured begins in quiet."""
    world.run(2 * HEARTBEAT_S + 1)


def state(station: Station) -> tuple[str, str]:
    return str(station.state), station.reason


def test_a_fresh_line_says_that_it_has_not_tried(make_world: Callable[..., LineWorld]) -> None:
    """Before the first attempt nothing is known, and nothing may be claimed."""
    world = make_world()
    world.second.start()
    assert state(world.second) == ("down", "starting")
    world.run(5)
    assert state(world.second) == ("down", "refused")
    world.clog()
    world.until(lambda: world.second.reason == "timed-out")


def test_a_line_whose_addresses_are_taken_away_waits_to_be_called(
    make_world: Callable[..., LineWorld],
) -> None:
    """Why the last call failed stood there for good, as if another would be made."""
    world = make_world()
    station = world.second.start()
    world.run(5)
    assert state(station) == ("down", "refused")
    station.do(lambda line, at: line.reconfigure((), HEARTBEAT_S, at))
    assert state(station) == ("down", "no-address")
    station.do(lambda line, at: line.reconfigure((world.arbiter.name,), HEARTBEAT_S, at))
    assert state(station) == ("down", "starting")
    world.clog()
    world.until(lambda: station.line.links.dialling is not None)
    station.do(lambda line, at: line.reconfigure((), HEARTBEAT_S, at))
    world.until(lambda: station.line.links.dialling is None)
    assert state(station) == ("down", "no-address"), "a call was under way"
    world.heal()
    station.do(lambda line, at: line.reconfigure((world.arbiter.name,), HEARTBEAT_S, at))
    world.arbiter.start()
    world.until_up()
    station.do(lambda line, at: line.reconfigure((), HEARTBEAT_S, at))
    assert station.state == "up"
    world.arbiter.stop()
    world.until(lambda: station.state == "down")
    assert station.reason == "peer-stopped", "the peer has said why"
    station.do(lambda line, at: line.reconfigure((), 2 * HEARTBEAT_S, at))
    assert station.reason == "peer-stopped", "nothing about addresses has changed"


def test_up_is_said_by_both_within_a_second(make_world: Callable[..., LineWorld]) -> None:
    """A line that takes an interval to notice that it stands is believed down for as long."""
    world = make_world(1).start()
    assert world.until_up() < 1.0
    world.run(1)
    for station in world.stations:
        pulse = station.line.vitals.pulse
        assert pulse.rtt_s == pytest.approx(2 * world.delay_s, rel=0.6)
        assert pulse.clock_offset_s == pytest.approx(0, abs=world.delay_s)


def test_a_clock_that_is_wrong_is_shown_and_changes_nothing(
    make_world: Callable[..., LineWorld],
) -> None:
    """Timers that follow the wall clock would call a line down when somebody sets it."""
    world = make_world(2)
    north, south = world.stations
    south.wall_step_ns = 3600 * 10**9
    world.start().until_up()
    settle(world)
    offsets = [s.line.vitals.pulse.clock_offset_s for s in world.stations]
    assert offsets == [pytest.approx(3600, abs=0.1), pytest.approx(-3600, abs=0.1)]
    began = world.now
    for step_s in (-7200, 86_400, -86_400):
        north.wall_step_ns += step_s * 10**9
        world.run(30)
    assert north.states(began) == south.states(began) == []


@pytest.mark.parametrize(
    ("kernel", "reason"),
    [(None, "heartbeats-missed"), (True, "peer-stalled"), (False, "network-silent")],
)
@pytest.mark.parametrize("heartbeat_s", [1.0, 5.0])
def test_silence_is_noticed_at_two_and_three_intervals(
    make_world: Callable[..., LineWorld], kernel: bool | None, reason: str, heartbeat_s: float
) -> None:
    """An operator relies on these times, and on the reason being no more than is known."""
    world = make_world(3)
    for station in world.stations:
        station.heartbeat_s = heartbeat_s
    world.start().until_up()
    settle(world)
    north = world.arbiter
    north.kernel = kernel
    world.clog(north)
    heard_at = north.line.vitals.heard_at
    assert heard_at is not None
    world.run((MISSED_DOWN + 1) * heartbeat_s)
    seen = north.states(heard_at)[:2]
    assert [one[1:] for one in seen] == [("degraded", reason), ("down", reason)]
    times = [MISSED_DEGRADED * heartbeat_s, MISSED_DOWN * heartbeat_s]
    assert [one[0] for one in seen] == pytest.approx(times)


def test_both_kernels_are_asked_honestly(world: LineWorld) -> None:
    """Cut off: what we send is not taken. Stalled: it is. The two need different people."""
    settle(world)
    world.clog()
    world.until(lambda: all(s.state == "degraded" for s in world.stations))
    assert {s.reason for s in world.stations} == {"network-silent"}


def test_bytes_that_open_no_record_prove_nothing(world: LineWorld) -> None:
    """Whoever sits on the path could hold a dead line up, a byte now and then."""
    settle(world)
    station, began = world.arbiter, world.now
    link = station.line.links.current
    assert link is not None
    world.clog()
    for _ in range(int((MISSED_DOWN + 1) * HEARTBEAT_S)):
        world.run(1)
        station.do(lambda line, at: line.received(link.conn, b"\0", at))
    [(degraded_at, *_), (down_at, *_)] = station.states(began)[:2]
    assert degraded_at - began <= MISSED_DEGRADED * HEARTBEAT_S + SLACK_S
    assert down_at - began <= MISSED_DOWN * HEARTBEAT_S + SLACK_S


def test_a_stalled_peer_is_told_from_a_dead_network(world: LineWorld) -> None:
    """Its host takes what we send, and nobody answers."""
    settle(world)
    south = world.second
    south.line.wake = lambda _: []  # type: ignore[method-assign,assignment]
    south.line.received = lambda *_: []  # type: ignore[method-assign]
    south.wake = lambda: None  # type: ignore[method-assign]
    world.until(lambda: world.arbiter.state == "degraded")
    assert world.arbiter.reason == "peer-stalled"


@pytest.mark.parametrize("kernel", [True, False])
def test_who_stood_still_blames_nobody(world: LineWorld, kernel: bool) -> None:
    """Its kernel says how things are now; nobody over there was stalled, and no network was cut."""
    settle(world)
    south = world.second
    south.kernel = kernel
    do, wake = south.do, south.wake
    south.do = lambda tell: None  # type: ignore[method-assign]  # noqa: ARG005
    south.wake = lambda: None  # type: ignore[method-assign]
    stopped = world.now
    world.run(60)
    south.do, south.wake = do, wake  # type: ignore[method-assign]
    south.do(lambda line, at: line.wake(at))
    assert [one[2] for one in south.states(stopped)] == ["heartbeats-missed"]
    south.kernel = "honest"
    world.until_up()


def test_a_network_that_comes_back_is_no_stalled_peer(world: LineWorld) -> None:
    """Our repetitions may be answered before the peer's come: those have been waiting as long."""
    settle(world)
    north = world.arbiter
    north.kernel = False
    world.clog(north)
    began = world.now
    world.until(lambda: north.state == "degraded")
    assert north.reason == "network-silent"
    north.kernel = True
    world.run(0.9 * HEARTBEAT_S)
    assert "peer-stalled" not in {one[2] for one in north.states(began)}
    world.heal()
    world.until_up()


def test_a_line_heals_when_the_network_does(world: LineWorld) -> None:
    """After the worst outage nobody should have to do anything."""
    settle(world)
    world.clog()
    world.run(300)
    assert {s.state for s in world.stations} == {"down"}
    world.heal()
    assert world.until_up() < 45


def test_a_short_silence_changes_nothing_but_the_state(world: LineWorld) -> None:
    """A session that is given up too early costs a handshake each time a link hiccups."""
    settle(world)
    world.clog()
    world.until(lambda: all(s.state == "degraded" for s in world.stations))
    world.heal()
    world.until_up(1)
    assert [len(s.events("session_agreed")) for s in world.stations] == [1, 1]


def test_one_way_is_seen_by_the_one_who_is_not_heard(world: LineWorld) -> None:
    """To hear the peer is no proof that it hears us: an order into the void looks sent."""
    settle(world)
    north, south = world.stations
    south.line.received = lambda *_: []  # type: ignore[method-assign]
    south.line.vitals.heard_at = 1e9
    began = world.now
    world.until(lambda: north.state == "degraded")
    assert north.reason == "one-way"
    assert world.now - began <= (MISSED_DOWN + 2) * HEARTBEAT_S + SLACK_S


def test_who_is_on_watch_is_told_at_once(world: LineWorld) -> None:
    """A line with nobody behind it is up, and is not enough."""
    north, south = world.stations
    world.run(1)
    assert state(north) == state(south) == ("up", "unattended")
    south.do(lambda line, at: line.set_attended(True, at))
    world.until(lambda: north.reason == "proven", 0.5)
    assert south.reason == "unattended"
    south.do(lambda line, at: line.set_attended(False, at))
    world.until(lambda: north.reason == "unattended", 0.5)


def test_entries_without_receipts_degrade_the_line(world: LineWorld) -> None:
    """Heartbeats that go on must not hide that nothing is being delivered."""
    settle(world)
    north, south = world.stations
    push = south.line._context.push
    south.line._context.push = lambda frame: (
        None if isinstance(frame, ReceiptFrame) else push(frame)
    )
    north.send("m")
    began = world.now
    world.until(lambda: north.reason == "no-receipts", 30)
    assert world.now - began == pytest.approx(NO_PROGRESS_S, abs=SLACK_S)
    assert state(north) == ("degraded", "no-receipts")
    assert state(south) == ("up", "unattended")
    south.line._context.push = push
    world.cut()
    world.until(lambda: north.view("m").delivered_ns is not None)
    world.until_up(1)


def test_a_stuck_disk_is_told_to_both_operators(world: LineWorld) -> None:
    """A disk that hangs gives no error: only the waiting can tell, and both must hear of it."""
    settle(world)
    north, south = world.stations
    commit = south._commit
    south._commit = lambda: None  # type: ignore[method-assign]
    north.send("m")
    began = world.now
    world.until(lambda: south.reason == "not-accepting", 30)
    assert world.now - began == pytest.approx(STORE_STALLED_S, abs=SLACK_S)
    world.until(lambda: north.reason == "peer-not-accepting", HEARTBEAT_S + 1)
    south._commit = commit  # type: ignore[method-assign]
    south._commit()
    world.until_up(HEARTBEAT_S + 1)
    world.until(lambda: north.record.delivered == 1)
    assert south.inbox() == ["m"]


def test_a_slower_peer_is_given_its_own_interval(make_world: Callable[..., LineWorld]) -> None:
    """A station that beats every minute must not be called dead after fifteen seconds."""
    world = make_world(4)
    world.arbiter.heartbeat_s, world.second.heartbeat_s = 1.0, 30.0
    world.start().until_up()
    began = world.now
    world.run(300)
    assert [s.states(began) for s in world.stations] == [[], []]
    world.clog(world.arbiter)
    world.run(95)
    states = [state for _, state, _ in world.arbiter.states(began)]
    assert states[:2] == ["degraded", "down"]


def test_a_heartbeat_is_logged_at_every_interval_whatever_happens(world: LineWorld) -> None:
    """A gap in the heartbeat log must mean that the daemon was not running."""
    settle(world)
    north = world.arbiter
    began = world.now
    world.run(20)
    world.clog()
    world.run(60)
    world.heal()
    world.run(60)
    beats = [at for at, report in north.reports if report.event == "heartbeat" and at >= began]
    gaps = [b - a for a, b in itertools.pairwise(beats)]
    assert max(gaps) <= HEARTBEAT_S + 1e-6
    assert {event["sent"] for event in north.events("heartbeat", began)} == {True, False}


@pytest.mark.parametrize("seed", range(6))
def test_a_state_is_never_better_than_what_was_heard(
    make_world: Callable[..., LineWorld], seed: int
) -> None:
    """`up` must mean heard and answered within the last few heartbeats, at every instant."""
    world = make_world(seed)
    world.start()
    for _ in range(40):
        world.run(world.random.uniform(0.1, 4.0))
        deed = world.random.randrange(6)
        if deed == 0:
            world.clog(world.random.choice(world.stations))
        elif deed == 1:
            world.heal()
        elif deed == 2:
            world.cut()
        for station in world.stations:
            vitals = station.line.vitals
            if station.state == "up":
                assert vitals.heard_at is not None
                assert world.now - vitals.heard_at < MISSED_DEGRADED * HEARTBEAT_S
                assert world.now - vitals.pulse.proven_at < (MISSED_DOWN + 1) * HEARTBEAT_S
    world.heal()
    world.until_up(120)


def test_an_answer_that_is_not_the_peers_is_a_failed_handshake(
    make_world: Callable[..., LineWorld],
) -> None:
    """Somebody in the path, or a wrong key: an operator looks for another cause than a bad network."""
    world = make_world(3)
    caller = world.second
    caller.start()
    world.arbiter.start()
    world.until(lambda: bool(caller.ends))
    [conn] = caller.ends
    caller.do(lambda line, at: line.received(conn, bytes(3 * UNIT_BYTES), at))
    assert state(caller) == ("down", "handshake-failed")
    [told] = caller.events("session_failed")
    assert told["why"] in caller.events("line_state")[-1]["detail"]
    assert told["conn"] == conn
    world.until_up()
