"""What two lines promise about messages: never lost, never twice, in order of precedence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hotline import limits
from hotline.errors import RefusedError, StoreFullError
from hotline.line import accepting
from hotline.line.accepting import Accepted
from hotline.model import Decision, Precedence, Side, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.line_world import LineWorld, Station

FLASH, ROUTINE = Precedence.FLASH, Precedence.ROUTINE
LONG = "0123456789abcdef" * (limits.MESSAGE_BYTES // 16)


def delivered(station: Station, *identifiers: str) -> bool:
    return all(station.view(one).state is State.DELIVERED for one in identifiers)


def test_messages_cross_both_ways(world: LineWorld) -> None:
    """The least that a line must do."""
    north, south = world.stations
    for number in range(20):
        north.send(f"n{number}")
        south.send(f"s{number}")
    world.until(lambda: north.record.delivered == south.record.delivered == 20)
    assert north.inbox() == [f"s{n}" for n in range(20)]
    assert south.inbox() == [f"n{n}" for n in range(20)]
    world.check_messages(settled=True)
    view = north.view("n0")
    assert view.sent_ns is not None
    assert view.delivered_ns is not None
    assert view.composed_ns <= view.sent_ns < view.delivered_ns


def test_a_backlog_crosses_in_the_order_of_acceptance(make_world: Callable[..., LineWorld]) -> None:
    """Orders of one precedence must be read in the order in which they were given."""
    world = make_world(1)
    world.second.start()
    for number in range(1500):
        world.second.send(f"m{number}")
    world.run(1)
    assert world.second.record.queued == 1500
    world.arbiter.start()
    world.until(lambda: world.second.record.delivered == 1500)
    assert world.arbiter.inbox() == [f"m{n}" for n in range(1500)]
    world.check_messages(settled=True)


@pytest.mark.parametrize("seed", range(10))
def test_nothing_is_lost_or_doubled_when_connections_are_cut(
    make_world: Callable[..., LineWorld], seed: int
) -> None:
    """Wherever a connection breaks, the next one goes on from what the peer's disk has."""
    world = make_world(seed)
    random = world.random
    for station in world.stations:
        if seed % 3:
            station.addresses = (world.other(station).name,)
    world.delay_s = random.choice([0.001, 0.02, 0.3])
    world.commit_s = random.choice([(0.0002, 0.004), (0.01, 0.1)])
    world.rate = random.choice([None, 100_000.0])
    world.start()
    sent = 0
    for _ in range(random.randrange(3, 12)):
        for _ in range(random.randrange(6)):
            sent += 1
            author = random.choice(world.stations)
            body = "b" * random.choice([5, 500, 9000, 60_000])
            author.send(f"m{sent}", body, random.choice(list(Precedence)))
        world.run(random.choice([0.01, 0.1, 0.5, 3.0]))
        world.cut()
        if random.random() < 0.3:
            world.clog(random.choice(world.stations))
            world.run(random.choice([1.0, 20.0]))
            world.heal()
        world.check_messages()
    world.until(lambda: all(_quiet(s) for s in world.stations), 200)
    world.check_messages(settled=True)
    assert sum(len(s.inbox()) for s in world.stations) == sent


def _quiet(station: Station) -> bool:
    record = station.record
    return record.queued == 0 and record.sealed == record.delivered and not station._committing


@pytest.mark.parametrize("seed", range(8))
def test_nothing_is_lost_or_doubled_when_stations_crash(
    make_world: Callable[..., LineWorld], seed: int
) -> None:
    """A crash may fall between a commit and its answer: only the disk's word counts afterwards."""
    world = make_world(seed)
    random = world.random
    world.commit_s = random.choice([(0.0002, 0.004), (0.01, 0.1)])
    world.start()
    for number in range(random.randrange(3, 9)):
        for part in range(random.randrange(1, 5)):
            author = random.choice(world.stations)
            author.send(f"m{number}.{part}", "b" * random.choice([5, 60_000]))
        world.run(random.choice([0.003, 0.05, 0.3, 2.0]))
        victim = random.choice(world.stations)
        victim.crash()
        world.run(random.choice([0.01, 1.0]))
        victim.start()
        world.check_messages()
    world.until(lambda: all(_quiet(s) for s in world.stations), 200)
    world.check_messages(settled=True)


def test_a_receipt_waits_for_the_disk(make_world: Callable[..., LineWorld]) -> None:
    """The word delivered must never be said of what a power cut can still take away."""
    world = make_world(2)
    world.start().until_up()
    slow = world.second
    world.run(1)
    world.commit_s = (2.0, 2.0)
    began = world.now
    world.arbiter.send("m")
    world.until(lambda: slow.line._receiving._applying != [])
    assert slow.inbox() == []
    assert world.arbiter.view("m").state is State.SENT
    world.until(lambda: delivered(world.arbiter, "m"))
    assert slow.inbox() == ["m"]
    assert world.now - began > 4.0


def test_a_crash_before_the_commit_leaves_no_receipt(make_world: Callable[..., LineWorld]) -> None:
    """What the reader's disk did not take must still be called unsent, and come again."""
    world = make_world(3)
    world.start().until_up()
    world.run(1)
    reader = world.second
    world.commit_s = (0.5, 0.5)
    world.arbiter.send("m")
    world.until(lambda: reader.line._receiving._applying != [])
    reader._committing, reader._pending = [], []
    reader.crash()
    assert world.arbiter.view("m").state is State.SENT
    reader.start()
    assert reader.inbox() == []
    world.until(lambda: delivered(world.arbiter, "m"))
    assert reader.inbox() == ["m"]
    assert world.arbiter.view("m").attempts == 2


def test_going_on_starts_from_the_peers_number(world: LineWorld) -> None:
    """Sending the whole log again after every cut would never end on a bad line."""
    north, south = world.stations
    for number in range(50):
        north.send(f"m{number}", "b" * 2000)
    world.until(lambda: north.record.delivered == 50)
    world.cut()
    before = world.carried_bytes
    world.until(lambda: north.state != "up" or south.state != "up")
    world.until_up()
    north.send("last")
    world.until(lambda: north.record.delivered == 51)
    agreed = north.events("session_agreed")[-1]
    assert (agreed["peer_has"], agreed["own_number"]) == (50, 50)
    assert world.carried_bytes - before < 100_000


# --- precedence and parts -------------------------------------------------------------------------


def test_a_flash_overtakes_between_the_parts_of_a_long_message(world: LineWorld) -> None:
    """A FLASH behind a mebibyte of routine traffic would come a minute late."""
    north, south = world.stations
    world.rate = 16_000.0
    north.send("bulk", LONG)
    world.run(20)
    assert 0 < south.record.peer.number < 200
    began = world.now
    north.send("flash", "cease fire", FLASH)
    took = world.until(lambda: south.record.received == 1)
    assert south.inbox() == ["flash"]
    assert took < 1.5, "a unit takes a quarter of a second here"
    world.until(lambda: south.record.received == 2, 200)
    assert south.view("bulk", Side.PEER).body == LONG
    assert world.now - began > 10
    world.check_messages()


def test_a_flash_does_not_wait_for_the_receipt_that_makes_room(world: LineWorld) -> None:
    """On a far link that receipt is a second away, and the FLASH could be there by then."""
    north, south = world.stations
    world.run(2)
    world.delay_s = 0.5
    for number in range(40):
        north.send(f"routine-{number}", "x" * 3000)
    world.run(0.2)
    sealed = north.record.own.number
    assert 0 < sealed < 40, "the window is not full"
    north.send("flash", "cease fire", FLASH)
    took = world.until(lambda: "flash" in south.inbox())
    assert took < 0.9, "it went only after a receipt had come"
    world.until(lambda: south.record.received == 41, 200)
    world.check_messages()


def test_the_queue_is_drained_by_precedence(make_world: Callable[..., LineWorld]) -> None:
    """What waited longest goes first only among equals."""
    world = make_world(4)
    world.second.start()
    for number, precedence in enumerate([3, 1, 2, 0, 3, 0, 2, 1]):
        world.second.send(f"m{number}", precedence=Precedence(precedence))
    world.run(1)
    world.arbiter.start()
    world.until(lambda: world.second.record.delivered == 8)
    assert world.arbiter.inbox() == ["m3", "m5", "m1", "m7", "m2", "m6", "m0", "m4"]


def test_long_messages_are_put_together_across_a_cut(world: LineWorld) -> None:
    """A transfer that starts over after each cut never ends on a bad line."""
    north, south = world.stations
    world.rate = 200_000.0
    north.send("one", LONG, ROUTINE)
    world.run(1.0)
    north.send("two", LONG[::-1], Precedence.PRIORITY)
    for _ in range(4):
        world.run(1.0)
        had = south.record.peer.number
        world.cut()
        world.run(0.5)
        assert south.record.peer.number >= had > 0
    world.until(lambda: south.record.received == 2, 100)
    assert south.inbox() == ["two", "one"]
    assert south.view("one", Side.PEER).body == LONG
    assert south.view("two", Side.PEER).body == LONG[::-1]


@pytest.mark.parametrize("size", [0, 7900, 8060, 8192, 8193, 16_000, limits.MESSAGE_BYTES])
def test_any_length_arrives_whole(world: LineWorld, size: int) -> None:
    """The place where a message becomes parts is where an off-by-one would bite."""
    north, south = world.stations
    body = LONG[:size]
    north.send("m", body)
    world.until(lambda: south.record.received == 1)
    assert south.view("m", Side.PEER).body == body


# --- what operators may do ------------------------------------------------------------------------


def test_a_message_expires_in_the_queue_and_only_there(
    make_world: Callable[..., LineWorld],
) -> None:
    """An order that came too late must not be sent; one that was sent must not be unsent."""
    world = make_world(5)
    north, south = world.second, world.arbiter
    north.start()
    north.send("late", expires_s=5)
    north.send("patient", expires_s=500)
    north.send("for-ever")
    world.run(4.5)
    assert north.view("late").state is State.QUEUED
    world.run(2.1)
    assert north.view("late").state is State.EXPIRED
    assert north.events("message_expired") == [{"line": south.name, "id": "late"}]
    assert north.record.queued == 2
    south.start()
    world.until(lambda: north.record.delivered == 2)
    assert south.inbox() == ["patient", "for-ever"]
    world.run(600)
    assert delivered(north, "patient")
    assert north.record.queued_bytes == 0


def test_what_expires_together_is_told_together(make_world: Callable[..., LineWorld]) -> None:
    """A backlog that was over went on being shown as queued, and filled the queue, for an hour."""
    world = make_world()
    station = world.arbiter.start()
    for number in range(700):
        station.send(f"m{number}", expires_s=5)
    world.run(6.5)
    assert (station.record.queued, len(station.events("message_expired"))) == (0, 700)


def test_expiry_is_by_the_wall_clock_that_operators_see(
    make_world: Callable[..., LineWorld],
) -> None:
    """A stepped clock must not expire what its operator still sees as valid, nor the reverse."""
    world = make_world(6)
    north = world.second
    north.start()
    north.send("m", expires_s=3600)
    world.run(2)
    assert north.view("m").state is State.QUEUED
    north.wall_step_ns = 3600 * 10**9
    world.run(2)
    assert north.view("m").state is State.EXPIRED


def test_cancelling_works_while_nothing_is_sealed(make_world: Callable[..., LineWorld]) -> None:
    """The word cancelled must never be said of what the peer may read."""
    world = make_world(7)
    north, south = world.second, world.arbiter
    north.start()
    north.send("kept")
    north.send("taken-back")
    done, unknown = north.cancel("taken-back"), north.cancel("nothing")
    again = north.cancel("taken-back")
    world.run(1)
    assert done.value.state is again.value.state is State.CANCELLED
    assert isinstance(unknown.value, RefusedError)
    assert unknown.value.code == "not-found"
    south.start()
    world.until(lambda: north.record.delivered == 1)
    assert south.inbox() == ["kept"]
    late = north.cancel("kept")
    world.run(1)
    assert isinstance(late.value, RefusedError)
    assert late.value.code == "not-queued"
    assert delivered(north, "kept")
    assert (north.record.queued, north.record.queued_bytes) == (0, 0)


def test_a_message_half_sealed_cannot_be_cancelled(world: LineWorld) -> None:
    """Half of an order has been signed: the rest must follow, or the log says nothing."""
    north, south = world.stations
    world.rate = 50_000.0
    north.send("bulk", LONG)
    world.run(2)
    refused = north.cancel("bulk")
    world.run(1)
    assert isinstance(refused.value, RefusedError)
    assert refused.value.code == "not-queued"
    world.until(lambda: south.record.received == 1)


def test_a_repeated_id_is_the_same_message(world: LineWorld) -> None:
    """A script that repeats its last command must not give an order twice."""
    north, south = world.stations
    first, second = north.send("m", "fire"), north.send("m", "fire")
    other = north.send("m", "cease fire")
    urgent = north.send("m", "fire", FLASH)
    world.run(2)
    later = north.send("m", "fire")
    world.run(2)
    assert first.value == Accepted("m", repeated=False)
    assert second.value == later.value == Accepted("m", repeated=True)
    for clash in (other, urgent):
        assert isinstance(clash.value, RefusedError)
        assert clash.value.code == "id-in-use"
    assert south.inbox() == ["m"]


def test_an_acknowledgement_travels_back(world: LineWorld) -> None:
    """The author must learn who answered, what, and when, and neither side may differ."""
    north, south = world.stations
    north.send("m")
    world.until(lambda: south.record.received == 1)
    south.answer("m", Decision.READ)
    world.until(lambda: north.view("m").state is State.ACKNOWLEDGED)
    assert north.view("m").decision is Decision.READ
    south.answer("m", Decision.WILCO, "at once")
    world.until(lambda: north.view("m").decision is Decision.WILCO)
    for view in (north.view("m"), south.view("m", Side.PEER)):
        assert (view.acknowledged_by, view.note) == ("lt kovac", "at once")
        assert view.state is State.ACKNOWLEDGED
    assert (north.record.acknowledged, south.record.acknowledged_here) == (1, 1)
    assert north.inbox() == []


def test_an_answer_once_given_stands(world: LineWorld) -> None:
    """A wilco taken back in silence is how people are shot."""
    north, south = world.stations
    north.send("m")
    world.until(lambda: south.record.received == 1)
    south.answer("m", Decision.CANNOT, "no fuel")
    repeated = south.answer("m", Decision.CANNOT, "no fuel")
    refused = [south.answer("m", one) for one in (Decision.WILCO, Decision.READ)]
    unknown = south.answer("x", Decision.READ)
    bare = south.answer("m", Decision.CANNOT)
    more = south.answer("m", Decision.CANNOT, "no fuel, and no road")
    world.run(2)
    assert (repeated.value.decision, repeated.value.note) == (Decision.CANNOT, "no fuel")
    assert (bare.value.decision, bare.value.note) == (Decision.CANNOT, "no fuel"), "it asks no more"
    assert more.value.code == "already-acknowledged", (
        "a note that goes nowhere must not be called sent"
    )
    assert "with another note" in str(more.value)
    assert {reply.value.code for reply in refused} == {"already-acknowledged"}
    assert unknown.value.code == "not-found"
    assert north.view("m").decision is Decision.CANNOT
    assert north.view("m").note == "no fuel"
    assert south.record.own.number == 1


def test_what_was_sent_cannot_be_acknowledged_by_its_author(world: LineWorld) -> None:
    """An author who could answer for the reader would make every receipt worthless."""
    north, _ = world.stations
    north.send("m")
    world.run(1)
    reply = north.answer("m", Decision.WILCO)
    world.run(1)
    assert reply.value.code == "not-found"
    assert delivered(north, "m")


def test_a_line_test_is_receipted_and_troubles_nobody(world: LineWorld) -> None:
    """A test that shows up among orders would one day be taken for one."""
    north, south = world.stations
    draft = accepting.Draft("t1", ROUTINE, "", "", "watch", is_test=True)
    outgoing = accepting.compose(draft, north.moment().wall_ns)
    north.accept([outgoing], lambda answers: answers)
    world.until(lambda: north.record.receipt is not None)
    assert south.inbox() == []
    assert [event["id"] for event in south.events("line_test_received")] == ["t1"]
    assert (north.record.queued, south.record.received) == (0, 0)


# --- full disks -----------------------------------------------------------------------------------


def test_a_full_disk_over_there_loses_nothing(world: LineWorld) -> None:
    """What the peer could not take in must wait here, be called undelivered, and go on later."""
    north, south = world.stations
    south.full = True
    for number in range(10):
        north.send(f"m{number}", "b" * 3000)
    world.until(lambda: south.reason == "not-accepting")
    world.until(lambda: north.reason == "peer-not-accepting")
    began = world.now
    world.run(60)
    assert north.record.delivered == 0
    assert len(south.events("store_full")) == 1
    assert {s.state for s in world.stations} == {"degraded"}
    assert north.states(began) == south.states(began) == []
    south.full = False
    world.until(lambda: north.record.delivered == 10)
    world.until_up()
    assert south.inbox() == [f"m{n}" for n in range(10)]
    assert north.events("session_cut") == south.events("session_cut") == []
    world.check_messages(settled=True)


def test_a_full_disk_here_refuses_and_recovers(world: LineWorld) -> None:
    """The word queued must never be said of what is on no disk."""
    north, south = world.stations
    north.full = True
    refused = north.send("m")
    world.run(10)
    assert isinstance(refused.value, StoreFullError)
    north.full = False
    taken = north.send("m")
    world.until(lambda: south.record.received == 1)
    assert taken.value == Accepted("m", repeated=False)


@pytest.mark.parametrize("seed", range(4))
def test_full_disks_and_cuts_together_lose_nothing(
    make_world: Callable[..., LineWorld], seed: int
) -> None:
    """Two troubles at once are what each was not tested with."""
    world = make_world(seed)
    random = world.random
    world.start()
    for number in range(12):
        author = random.choice(world.stations)
        author.send(f"m{number}", "b" * random.choice([5, 20_000]))
        random.choice(world.stations).full = random.random() < 0.4
        world.run(random.choice([0.05, 1.0, 6.0]))
        if random.random() < 0.4:
            world.cut()
    for station in world.stations:
        station.full = False
    world.run(60)
    world.until(lambda: all(_quiet(s) for s in world.stations), 200)
    world.check_messages(settled=True)
