"""After a loss everything counts as before it: ids, answers, both counters, and what was told of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from hotline.errors import RefusedError
from hotline.line import accepting, taking_back
from hotline.line.accepting import Accepted
from hotline.line.pairing import Pairing
from hotline.model import Decision, Position, Precedence, Side
from support.line_stores import (
    copy,
    exchange,
    lose,
    lossy_world,
    recover,
    rest,
    restore,
    until_halted,
)
from support.line_world import LineWorld, Station

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

LONG = "long " * 8000


@pytest.fixture
def lossy(make_world: Callable[..., LineWorld]) -> LineWorld:
    return lossy_world(make_world)


def lose_and_recover(world: LineWorld, victim: Station, kept: Path | None = None) -> None:
    """Replace a store by a backup or by nothing, and take back what is missing."""
    lose(world, victim, kept)
    recover(victim)
    until_recovered(world)


def until_recovered(world: LineWorld) -> None:
    world.until(
        lambda: all(s.state == "up" and not s.record.recovering for s in world.stations), 200
    )


def backup(world: LineWorld, victim: Station) -> Path:
    """Keep a copy of a store, and let its station go on."""
    rest(victim)
    kept = copy(victim)
    victim.start()
    world.until_up()
    return kept


def line_test(station: Station, identifier: str) -> Any:
    """Ask for a line test; gives what the operator was answered."""
    draft = accepting.Draft(identifier, Precedence.ROUTINE, "", "", "watch", is_test=True)
    outgoing = accepting.compose(draft, station.moment().wall_ns)
    reply = station.accept([outgoing], lambda answers: answers[0])
    station.world.run(0.1)
    return reply.value


def sent_again(station: Station, identifier: str, body: str = "hello") -> Any:
    """Ask once more for a message; gives what the operator was answered."""
    reply = station.send(identifier, body)
    station.world.run(0.1)
    return reply.value


def answers(station: Station, side: Side) -> dict[str, tuple[Any, ...]]:
    """Give all that is shown of each message's answer."""
    return {
        view.id: (
            view.state,
            view.decision,
            view.note,
            view.acknowledged_by,
            view.acknowledged_ns,
        )
        for view in station.page(side)
    }


def test_what_came_back_is_known_when_it_is_sent_again(lossy: LineWorld) -> None:
    """A program that never saw its answer asks again: one order must not become two, or be refused."""
    victim, other = lossy.stations
    victim.send("order")
    victim.send("long", LONG)
    line_test(victim, "test")
    lossy.until(lambda: {"order", "long"} <= set(other.inbox()))
    lossy.until(lambda: victim.record.delivered == 2)
    lose_and_recover(lossy, victim)
    lossy._said[victim.name].clear()
    assert sent_again(victim, "order") == Accepted("order", repeated=True)
    assert sent_again(victim, "long", LONG) == Accepted("long", repeated=True)
    assert line_test(victim, "test") == Accepted("test", repeated=True)
    for identifier, body in (("order", "other"), ("test", "hello")):
        refused = sent_again(victim, identifier, body)
        assert isinstance(refused, RefusedError)
        assert refused.code == "id-in-use"


@pytest.mark.parametrize("wiped", [True, False], ids=["wiped", "restored"])
def test_answers_come_back_word_for_word(lossy: LineWorld, wiped: bool) -> None:
    """Who answered, when and in which words is what a later reader asks about an order."""
    victim, other = lossy.stations
    exchange(lossy, "a", "b", "c")
    kept = backup(lossy, victim)
    theirs = f"a-{other.name}", f"b-{other.name}", f"c-{other.name}"
    victim.answer(theirs[0], Decision.CANNOT, "no fuel")
    victim.answer(theirs[1], Decision.READ, "seen")
    lossy.run(1)
    victim.answer(theirs[1], Decision.WILCO, "on our way")
    victim.answer(theirs[2], Decision.READ)
    lossy.until(lambda: other.record.acknowledged == 3)
    lossy.run(1)
    before = [answers(victim, side) for side in Side]
    assert before[Side.PEER][theirs[1]][1:4] == (Decision.WILCO, "on our way", "lt kovac")
    lose_and_recover(lossy, victim, None if wiped else kept)
    assert [answers(victim, side) for side in Side] == before
    assert victim.record.acknowledged_here == 3


def told_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a report says beside the line's name."""
    return {name: said for name, said in fields.items() if name != "line"}


def test_a_recovery_is_told_step_by_step(lossy: LineWorld) -> None:
    """The logs of both stations must say what was lost, what came back, and when it was over."""
    victim, other = lossy.stations
    exchange(lossy, "a")
    kept = backup(lossy, victim)
    exchange(lossy, "b", "c")
    lossy.run(1)
    lose_and_recover(lossy, victim, kept)
    told: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {
        (station.name, report.event): (report.level, told_of(report.fields))
        for station in lossy.stations
        for _, report in station.reports
    }
    assert told[victim.name, "recovery_begun"] == ("warning", {"have": 1})
    assert told[other.name, "peer_recovering"] == ("warning", {"peer_has": 1})
    assert told[victim.name, "entries_taken_back"] == ("warning", {"upto": 3})
    assert told[other.name, "peer_recovered"] == ("warning", {"upto": 3})
    assert told[victim.name, "line_recovered"] == ("warning", {"own": 3, "peer": 3})
    assert {event["after"] for event in other.events("entries_returned")} >= {1}
    assert all(1 <= event["after"] < 3 for event in other.events("entries_returned"))


def test_a_log_under_our_old_keys_is_not_taken_back_after_their_time(
    lossy: LineWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever stole them could otherwise write what this station is to have said since the change."""
    other, victim = lossy.stations
    victim.rotate()
    lossy.until(lambda: victim.line.pairing.owns.oldest == 1)
    lossy.run(2)
    kept = backup(lossy, victim)
    before = victim.record.own.number
    exchange(lossy, "a")
    rest(victim)
    restore(victim, kept)
    victim.start()
    until_halted(lossy, victim, other)
    old = Pairing(victim.keys, victim.card, other.card)
    honest = taking_back.give_back

    def forged(tx: Any, line: int, after: int) -> list[Any]:
        [run] = honest(tx, line, after)
        return [replace(run, signature=old.sign_head(Position(run.upto, other.record.peer.head)))]

    monkeypatch.setattr(taking_back, "give_back", forged)
    recover(victim)
    lossy.until(lambda: bool(victim.events("session_failed")))
    assert "does not verify" in victim.events("session_failed")[0]["why"]
    assert victim.record.own.number == before
    monkeypatch.setattr(taking_back, "give_back", honest)
    until_recovered(lossy)
    assert victim.record.own == other.record.peer


def test_a_message_comes_back_from_parts_that_lie_far_apart(lossy: LineWorld) -> None:
    """What was urgent went between them: its beginning lies hundreds of entries before its end."""
    victim = lossy.arbiter
    lossy.rate = 400_000.0
    body = LONG * 25
    victim.send("long", body)
    for turn in range(400):
        victim.send(f"flash-{turn}", precedence=Precedence.FLASH)
        lossy.run(0.01)
    lossy.rate = None
    lossy.until(lambda: victim.record.delivered == len(lossy.asked[victim.name]), 200)
    assert (victim.view("long").number or 0) > 300, "its parts lie too near to test anything"
    lose_and_recover(lossy, victim)
    assert victim.view("long").body == body


def test_a_message_that_was_sent_anew_comes_back_from_its_newest_parts(lossy: LineWorld) -> None:
    """After a first loss the log has its beginning twice: joined, they spell nothing."""
    victim, other = lossy.stations
    lossy.clog(victim, other)
    victim.send("long", LONG * 4)
    lossy.run(0.1)
    rest(victim)
    kept = copy(victim)
    lossy.heal()
    victim.start()
    lossy.until(lambda: other.record.peer.number > 4, 200)
    assert "long" not in other.inbox(), "the loss came too late to test anything"
    lose_and_recover(lossy, victim, kept)
    lossy.until(lambda: victim.record.delivered == 1, 200)
    lose_and_recover(lossy, victim)
    assert victim.view("long").body == LONG * 4
    lossy.until(lambda: victim.record.delivered == 1)
    lossy.run(5)
    assert victim.record.delivered == 1


@pytest.mark.parametrize("anew", [True, False], ids=["sent-anew", "half-sent"])
def test_a_copy_made_while_a_log_came_back_is_recovered_too(lossy: LineWorld, anew: bool) -> None:
    """It goes on recovering without an operator: what it had half sent must be sent anew even so."""
    victim, other = lossy.stations
    victim.send("first")
    other.send("much", LONG * 20)
    lossy.until(lambda: all(s.record.delivered == 1 for s in lossy.stations), 200)
    lose(lossy, victim, None)
    recover(victim)
    victim.send("long", LONG * 4)
    lossy.until(lambda: victim.record.own.number > 1, 200)
    rest(victim)
    kept = copy(victim)
    victim.start()
    assert victim.record.recovering, "the copy was made too late to test anything"
    more = victim.record.own.number + 3
    lossy.until(lambda: other.record.peer.number > more, 200)
    assert "long" not in other.inbox(), "the next loss came too late to test anything"
    if anew:
        lose_and_recover(lossy, victim)
        lossy._said[victim.name].clear()
        victim.send("long", LONG * 4)
        lossy.until(lambda: "long" in other.inbox(), 200)
    rest(victim)
    restore(victim, kept)
    victim.start()
    until_recovered(lossy)
    lossy.until(lambda: "long" in other.inbox(), 200)
    lossy.run(5)
    assert victim.view("long").body == LONG * 4
    assert [station.state for station in lossy.stations] == ["up", "up"]


@pytest.mark.parametrize(
    ("told", "since"),
    [
        ([Decision.CANNOT], [Decision.WILCO]),
        ([Decision.WILCO], [Decision.READ]),
        ([Decision.READ, Decision.WILCO], [Decision.READ, Decision.CANNOT]),
    ],
    ids=["another", "less", "both"],
)
def test_an_answer_given_since_does_not_gainsay_the_log(
    lossy: LineWorld, told: list[Decision], since: list[Decision]
) -> None:
    """The peer has our last word already; a second one would halt it, and for good."""
    victim, other = lossy.stations
    exchange(lossy, "a")
    kept = backup(lossy, victim)
    theirs = f"a-{other.name}"
    for decision in told:
        victim.answer(theirs, decision)
        lossy.run(2)
    assert other.view(theirs).decision is told[-1]
    lose(lossy, victim, kept)
    for decision in since:
        victim.answer(theirs, decision)
        lossy.run(0.1)
    recover(victim)
    until_recovered(lossy)
    lossy.run(5)
    assert [station.state for station in lossy.stations] == ["up", "up"]
    assert [other.view(theirs).decision, victim.view(theirs, Side.PEER).decision] == [told[-1]] * 2
    assert (victim.record.queued_bytes, victim.record.acknowledged_here) == (0, 1)


def test_an_answer_given_since_goes_on_from_the_log(lossy: LineWorld) -> None:
    """Who had read it before the loss may still comply after it."""
    victim, other = lossy.stations
    exchange(lossy, "a")
    kept = backup(lossy, victim)
    theirs = f"a-{other.name}"
    victim.answer(theirs, Decision.READ)
    lossy.run(2)
    lose(lossy, victim, kept)
    victim.answer(theirs, Decision.WILCO)
    lossy.run(0.1)
    recover(victim)
    until_recovered(lossy)
    lossy.until(lambda: other.view(theirs).decision is Decision.WILCO)
    assert victim.view(theirs, Side.PEER).decision is Decision.WILCO
