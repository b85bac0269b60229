"""What a store has lost comes back from the peer, and the line goes on where it had been."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hotline.errors import RefusedError
from hotline.line import taking_back
from hotline.model import Decision, Precedence, Side, State
from support.line_stores import (
    codes,
    copy,
    exchange,
    lose,
    lossy_world,
    recover,
    rest,
    restore,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.line_world import LineWorld, Station

LONG = "long " * 8000
"""Four entries and more: its parts lie across several runs."""


@pytest.fixture
def changed_world(make_world: Callable[..., LineWorld]) -> LineWorld:
    return lossy_world(make_world)


def recovered(world: LineWorld) -> bool:
    """Tell whether both lines are up and nothing is being taken back any more."""
    return all(s.state == "up" and not s.record.recovering for s in world.stations)


def shown(station: Station) -> dict[tuple[Side, str], tuple[State, str, int | None, Any]]:
    """Give all that an operator sees of every message."""
    return {
        (side, view.id): (view.state, view.body, view.number, view.decision)
        for side in Side
        for view in station.page(side)
    }


@pytest.mark.parametrize("which", [0, 1], ids=["arbiter", "second"])
@pytest.mark.parametrize("wiped", [False, True], ids=["restored", "wiped"])
def test_everything_comes_back(changed_world: LineWorld, which: int, wiped: bool) -> None:
    """After a lost disk both sides must see again exactly what they had agreed on."""
    world = changed_world
    victim = world.stations[which]
    other = world.other(victim)
    exchange(world, "a")
    victim.answer(f"a-{other.name}", Decision.WILCO, "on our way")
    other.answer(f"a-{victim.name}", Decision.CANNOT, "no fuel")
    world.run(1)
    rest(victim)
    kept = copy(victim)
    victim.start()
    world.until_up()
    exchange(world, "b", "c")
    victim.send("long", LONG, Precedence.PRIORITY)
    victim.answer(f"b-{other.name}", Decision.READ)
    other.answer(f"b-{victim.name}", Decision.WILCO)
    world.until(lambda: "long" in other.inbox())
    world.run(2)
    before = [shown(station) for station in world.stations]

    lose(world, victim, None if wiped else kept)
    recover(victim)
    world.until(lambda: recovered(world), 60)
    assert [shown(station) for station in world.stations] == before
    assert codes(world) == {victim.name: None, other.name: None}
    counts = [(s.record.sealed, s.record.delivered, s.record.acknowledged) for s in world.stations]
    assert counts[which] == (4, 4, 2)
    assert counts[1 - which] == (3, 3, 2)
    assert victim.record.acknowledged_here == 2
    exchange(world, "d")
    assert victim.events("line_recovered")
    assert other.events("peer_recovered")


def test_what_was_queued_in_the_backup_and_sent_since_is_not_sent_again(
    changed_world: LineWorld,
) -> None:
    """A restored queue holds messages that the peer has: each must stay one message."""
    world = changed_world
    victim, other = world.stations
    world.clog(victim, other)
    victim.send("order", LONG)
    victim.send("urgent", precedence=Precedence.FLASH)
    world.run(0.5)
    rest(victim)
    kept = copy(victim)
    world.heal()
    victim.start()
    world.until(lambda: {"order", "urgent"} <= set(other.inbox()), 200)
    world.run(1)

    lose(world, victim, kept)
    assert victim.view("order").state is not State.DELIVERED
    victim.send("new")
    recover(victim)
    world.until(lambda: recovered(world) and "new" in other.inbox(), 60)
    world.run(5)
    assert sorted(other.inbox()) == ["new", "order", "urgent"]
    assert victim.view("order").state is State.DELIVERED
    assert victim.record.queued == 0
    assert victim.record.queued_bytes == 0


@pytest.mark.parametrize("kept_begun", [True, False], ids=["begun", "queued"])
@pytest.mark.parametrize("wiped", [False, True], ids=["restored", "wiped"])
def test_a_long_message_that_was_half_sent_is_sent_whole(
    changed_world: LineWorld, kept_begun: bool, wiped: bool
) -> None:
    """The peer has other parts than the sender remembers: neither may halt over it."""
    world = changed_world
    victim, other = world.stations
    if not kept_begun:
        world.clog(victim, other)
    victim.send("long", LONG * 4)
    world.run(0.1)
    if kept_begun:
        world.until(lambda: victim.record.own.number > 0)
    rest(victim)
    kept = copy(victim)
    world.heal()
    victim.start()
    world.until(lambda: other.record.peer.number > 4, 200)
    assert "long" not in other.inbox(), "the loss came too late to test anything"
    lose(world, victim, None if wiped else kept)
    if wiped:
        world._said[victim.name].clear()  # it may be accepted again
        victim.send("long", LONG * 4)
    recover(victim)
    world.until(lambda: recovered(world) and "long" in other.inbox(), 200)
    world.until(lambda: victim.view("long").state is State.DELIVERED, 60)
    assert other.inbox() == ["long"]
    assert codes(world) == {victim.name: None, other.name: None}
    assert victim.record.queued_bytes == victim.record.queued == 0


def test_many_losses_each_with_a_message_half_sent(changed_world: LineWorld) -> None:
    """What a wiped store had half sent is never ended: after four of them the peer would halt."""
    world = changed_world
    victim, other = world.stations
    for turn in range(6):
        victim.send(f"lost-{turn}", LONG * 4)
        had = other.record.peer.number
        world.until(lambda had=had: other.record.peer.number > had + 4, 200)  # type: ignore[misc]
        assert f"lost-{turn}" not in other.inbox(), "the loss came too late to test anything"
        lose(world, victim, None)
        recover(victim)
        world.until(lambda: recovered(world), 200)
    victim.send("whole", LONG * 4)
    world.until(lambda: "whole" in other.inbox(), 200)
    assert other.inbox() == ["whole"]
    assert codes(world) == {victim.name: None, other.name: None}


def test_a_recovery_that_is_cut_goes_on(changed_world: LineWorld) -> None:
    """Half a log is no log: the next session must take up the recovery, not halt over it."""
    world = changed_world
    victim, other = world.stations
    for number in range(30):
        victim.send(f"v{number}", "x" * 6000)
        other.send(f"o{number}", "y" * 6000)
    world.until(lambda: victim.record.delivered == other.record.delivered == 30, 200)
    before = [shown(station) for station in world.stations]
    lose(world, victim, None)
    recover(victim)
    interrupted = 0
    for _ in range(6):
        world.until(lambda: victim.record.recovering and bool(world.sessions), 60)
        world.run(0.12)
        world.cut()
        rest(victim)
        victim.start()
        if not victim.record.recovering:
            break
        interrupted += 1
    assert interrupted, "the cuts came too late to test anything"
    world.until(lambda: recovered(world), 120)
    assert [shown(station) for station in world.stations] == before


def test_a_recovery_that_ends_while_the_next_session_begins(changed_world: LineWorld) -> None:
    """A peer that was told of a recovery waits to be asked: it must be, though all is back by then."""
    world = changed_world
    other, victim = world.stations
    for number in range(3):
        victim.send(f"v{number}")
    world.until(lambda: victim.record.delivered == 3)
    lose(world, victim, None)
    recover(victim)
    world.commit_s = (0.3, 0.3)
    world.until(lambda: victim.record.own.number == 3)
    assert victim.record.recovering
    # One end of the session is lost, and the peer is back while this one still commits the end of it.
    for conn, end in list(other.ends.items()):
        del other.ends[conn]
        end.open = False
        other.do(lambda line, at, conn=conn: line.ended(conn, "session-lost", at))  # type: ignore[misc]
    lost = world.now
    other.do(lambda line, at: line.retry(at))
    world.until(lambda: not victim.record.recovering)
    assert victim.events("session_opened", lost), "it was over before the next session said hello"
    assert not victim.events("session_agreed", lost), "the next session came too early to matter"
    world.commit_s = (0.001, 0.002)
    world.until(lambda: recovered(world), 5)
    assert other.events("peer_recovered", lost)
    other.send("after")
    victim.send("after")
    world.until(lambda: "after" in victim.inbox() and "after" in other.inbox())


def test_a_fork_is_not_recovered(changed_world: LineWorld) -> None:
    """Recovery takes back what is missing; it must never choose between two histories."""
    world = changed_world
    victim, other = world.stations
    exchange(world, "a")
    rest(victim)
    kept = copy(victim)
    victim.start()
    world.until_up()
    exchange(world, "b")
    rest(victim)
    restore(victim, kept)
    other_address, victim.addresses, other.addresses = victim.addresses, (), ()
    victim.start()
    # It writes on by itself, as a clone that is cut off from its peer does not, but a thief might.
    victim.send("forged")
    victim.ask(_seal_alone(victim), lambda outcome: outcome[0])
    world.run(1)
    assert victim.record.own.number > 1
    victim.addresses = other_address
    rest(victim)
    victim.start()
    world.run(60)
    assert codes(world)[other.name] in {"fork", "peer-log-lost"}
    assert "forged" not in other.inbox()
    reply = victim.ask(lambda tx, line: (taking_back.begin(tx, line),), lambda outcome: outcome[0])
    world.run(0.1)
    if not isinstance(reply.value, RefusedError):
        victim.do(lambda line, at: line.retry(at))
        world.run(60)
    assert victim.state == "halted"
    assert "forged" not in other.inbox()


def _seal_alone(station: Station) -> Callable[[Any, int], Any]:
    from hotline.line import sealing

    def seal(tx: Any, line: int) -> Any:
        record = tx.line(line)
        run = sealing.next_run(
            tx,
            line,
            station.line.pairing,
            after=record.own.number,
            room_bytes=10_000,
            chunk_bytes=4000,
            wall_ns=1,
        )
        return (run.record,)

    return seal


def test_recovery_is_refused_where_nothing_is_lost(changed_world: LineWorld) -> None:
    """An operator in a hurry must not be able to start it on a healthy line."""
    refused = recover(changed_world.arbiter)
    assert isinstance(refused, RefusedError)
    assert "hotline status" in refused.hint
    assert not changed_world.arbiter.record.recovering


@pytest.mark.parametrize("which", [0, 1], ids=["gives", "takes"])
def test_a_full_disk_holds_a_recovery_up_and_no_longer(
    changed_world: LineWorld, which: int
) -> None:
    """Whoever waits for a session to end, with heartbeats going on, waits for an hour."""
    world = changed_world
    victim, other = world.stations
    exchange(world, "a")
    victim.send("long", LONG)
    world.until(lambda: "long" in other.inbox())
    world.run(1)
    lose(world, victim, None)
    recover(victim)
    world.until(lambda: bool(victim.events("recovery_begun")))
    full = (other, victim)[which]
    full.full = True
    world.run(20)
    assert not recovered(world)
    assert len(victim.events("recovery_begun")) == 1
    full.full = False
    world.until(lambda: recovered(world), 15)
    assert len(victim.events("recovery_begun")) == 1


def test_an_answer_that_the_backup_has_already_is_shown_once(changed_world: LineWorld) -> None:
    """It stood in the queue when the backup was made: what comes back says the same once more."""
    world = changed_world
    victim, other = world.stations
    other.send("order")
    world.until(lambda: "order" in victim.inbox() and other.record.delivered == 1)
    world.clog(victim, other)
    world.cut()
    world.run(1)
    victim.answer("order", Decision.WILCO, "on our way")
    world.run(0.5)
    rest(victim)
    kept = copy(victim)
    world.heal()
    victim.start()
    world.until(lambda: other.record.acknowledged == 1, 200)
    before = [shown(station) for station in world.stations]
    lose(world, victim, kept)
    recover(victim)
    world.until(lambda: recovered(world), 60)
    assert [shown(station) for station in world.stations] == before
    assert victim.record.acknowledged_here == 1
    assert victim.record.queued_bytes == 0


def test_a_peer_that_still_lacks_our_log_is_not_up(changed_world: LineWorld) -> None:
    """Its own log was back at once, and the line said up while hundreds of our entries were missing."""
    world = changed_world
    victim, other = world.stations
    for number in range(60):
        other.send(f"m{number}", "b" * 4000)
    world.until(lambda: victim.record.received == 60)
    world.run(10)
    lose(world, victim, None)
    world.rate = 40_000.0
    recover(victim)
    world.until(lambda: bool(other.events("peer_recovered")), 60)
    world.until(lambda: bool(victim.record.received), 60)
    assert victim.record.received < 60
    assert (other.state, other.reason) == ("degraded", "peer-recovering")
    world.until(lambda: str(other.state) == "up")
    assert victim.record.received == 60
    began = world.now
    world.cut()
    world.until_up()
    assert "peer-recovering" not in {reason for _, _, reason in other.states(began)}
