"""Corners of the line that only misuse or bad timing reach, each by the line's own doors."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from hotline.errors import RefusedError, StoreFullError
from hotline.limits import HANDSHAKE_TIMEOUT_S, HEARTBEAT_MAX_S, IN_FLIGHT_BYTES
from hotline.line import accepting
from hotline.model import Decision, Halt, Precedence
from hotline.wire import entries, frames, records
from support.line_frames import HEARTBEAT
from support.line_sessions import Ends
from support.rogue import SOON_S, STUCK_S, Rogue

if TYPE_CHECKING:
    from support.line_world import LineWorld, Station

NOW_NS = 1_800_000_000 * 10**9


def draft(**changed: object) -> accepting.Draft:
    """Give what an operator asks to send, with something changed."""
    honest: dict[str, object] = {
        "id": "m1", "precedence": Precedence.ROUTINE, "subject": "s", "body": "b", "author": "lt"
    }  # fmt: skip
    return accepting.Draft(**(honest | changed))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"id": "../m"}, "bad-request"),
        ({"id": "ack.1"}, "bad-request"),
        ({"expires_ns": NOW_NS}, "bad-request"),
        ({"expires_ns": 2**63}, "bad-request"),
        ({"ack_by_ns": 2**63}, "bad-request"),
        ({"subject": "s" * 257}, "too-large"),
        ({"body": "\ud800"}, "bad-request"),
    ],
)
def test_what_cannot_be_sent_is_refused(changed: dict[str, object], code: str) -> None:
    """What a queue takes in and cannot seal would stand there for ever."""
    with pytest.raises(RefusedError) as refused:
        accepting.compose(draft(**changed), NOW_NS)
    assert refused.value.code == code


def test_the_same_id_twice_and_a_full_queue(world: LineWorld) -> None:
    """A repeated send is one message; another under its id, or one too many, is refused in words."""
    station = world.arbiter
    world.clog(*world.stations)
    full = accepting.QueueLimits(messages=1)
    one, other = (accepting.compose(draft(body=body), NOW_NS) for body in ("a", "b"))
    more = accepting.compose(draft(id="m2"), NOW_NS)
    reply = station.accept([one, one, other, more], lambda answers: answers, full)
    world.run(SOON_S)
    first, again, refused, too_many = reply.value
    assert (first.repeated, again.repeated) == (False, True)
    assert (refused.code, too_many.code) == ("id-in-use", "queue-full")


def test_what_still_fits_is_taken_after_what_did_not(world: LineWorld) -> None:
    """Each message of a batch has an answer of its own, whatever became of the one before."""
    station = world.arbiter
    world.clog(*world.stations)
    bounds = accepting.QueueLimits(size_bytes=1000)
    sizes = {"a": 10, "b": 2000, "c": 10}
    some = [
        accepting.compose(draft(id=name, body="x" * size), NOW_NS) for name, size in sizes.items()
    ]
    reply = station.accept(some, lambda answers: answers, bounds)
    world.run(SOON_S)
    assert [isinstance(one, accepting.Accepted) for one in reply.value] == [True, False, True]


def test_an_answer_is_given_once(world: LineWorld) -> None:
    """A wilco that could be taken back, or an answer to nothing, would be a lie under a signature."""
    author, reader = world.stations
    author.send("m1")
    world.until(lambda: "m1" in reader.inbox())
    replies = [reader.answer("m1", decision) for decision in (Decision.WILCO, Decision.WILCO)]
    replies += [reader.answer("m1", Decision.CANNOT), reader.answer("nothing", Decision.READ)]
    world.run(SOON_S)
    assert [reply.value.decision for reply in replies[:2]] == [Decision.WILCO] * 2
    assert [reply.value.code for reply in replies[2:]] == ["already-acknowledged", "not-found"]


def test_only_what_is_queued_is_cancelled(world: LineWorld) -> None:
    """A message that was taken back after it had gone would be two truths."""
    author, _ = world.stations
    author.send("gone")
    world.run(1)
    world.clog(*world.stations)
    author.send("big", "x" * 100_000)
    author.send("held")
    world.run(SOON_S)
    twice = [author.cancel("held"), author.cancel("held")]
    late, never = author.cancel("gone"), author.cancel("nothing")
    world.run(SOON_S)
    assert [str(reply.value.state) for reply in twice] == ["cancelled"] * 2
    assert (late.value.code, never.value.code) == ("not-queued", "not-found")


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (frames.Recover(0), "without recovering"),
        (frames.Returned(1, 1, (b"x",), None), "not asked for"),
    ],
)
def test_recovery_that_nobody_asked_for_ends_the_session(
    rogue: Rogue, said: frames.Frame, why: str
) -> None:
    """A peer could otherwise write our log for us, or have us read it out."""
    rogue.call().say(said)
    assert not rogue.stands()
    assert why in rogue.station.events("session_failed")[0]["why"]


def test_frames_before_the_hello_and_a_second_hello_end_the_session(rogue: Rogue) -> None:
    """What is said before both logs were compared may belong to a second history."""
    rogue.knock()
    rogue.say(rogue.beat())
    assert not rogue.stands()
    again = Rogue(rogue.world, rogue.station)
    again.knock()
    again.say(again.hello(), again.hello())
    assert not again.stands()
    whys = [event["why"] for event in rogue.station.events("session_failed")]
    assert ["before hello" in whys[0], "second hello" in whys[1]] == [True, True]


@pytest.mark.parametrize("replaced", [True, False])
def test_a_receipt_of_a_session_that_is_gone_accuses_nobody(rogue: Rogue, replaced: bool) -> None:
    """Its key may be over by the time the disk looks at it: the next session had to end for that."""
    rogue.call().say(rogue.beat())
    rogue.station.send("m")
    rogue.world.run(SOON_S)
    again = Rogue(rogue.world, rogue.station)
    if replaced:
        again.knock()
        again.say(again.hello())
    rogue.say(replace(rogue.receipt(1), signature=bytes(64)))
    rogue.world.run(SOON_S)
    failed = [event["why"] for event in rogue.station.events("session_failed")]
    assert len(failed) == (0 if replaced else 1), failed
    assert rogue.station.record.receipt is None
    if replaced:
        again.say(again.beat())
        rogue.world.run(SOON_S)
        again.say(again.receipt(1))
        rogue.world.run(SOON_S)
        assert again.stands()
        assert rogue.station.record.delivered == 1


def test_too_much_in_flight_ends_the_session(rogue: Rogue) -> None:
    """Whoever sends on without a receipt fills the reader's memory."""
    rogue.call().say(rogue.beat())
    rogue.world.commit_s = (5.0, 5.0)
    run = frames.Entries(1, (b"x" * 8192,) * 15, bytes(64))
    for _ in range(2 * IN_FLIGHT_BYTES // (15 * 8192) + 2):
        if rogue.stands():
            rogue.say(run)
    assert not rogue.stands()
    assert "without waiting" in rogue.station.events("session_failed")[0]["why"]


def test_lines_that_are_told_of_connections_that_are_gone(rogue: Rogue) -> None:
    """The daemon's news of a socket may come after the line has let it go."""
    station = rogue.station
    line, moment = station.line, station.moment()
    assert line.pull(999, 4096) == b""
    for effects in (
        line.received(999, b"x", moment),
        line.ended(999, "truncated", moment),
        line.connected(999, moment),
        line.set_attended(line.attended, moment),
    ):
        assert effects == []
    assert not line.knows(999)


def recorded(station: Station) -> str | None:
    """Give the code of the halt that the disk has, if it has one."""
    halt = station.record.halt
    return halt.code if halt is not None else None


def forked(rogue: Rogue) -> tuple[Station, LineWorld]:
    """Show another history than the line's; its halt is on the disk then."""
    rogue.call().say(rogue.beat())
    rogue.say(rogue.beat(own_head=bytes(64)))
    rogue.world.run(SOON_S)
    assert recorded(rogue.station) == "fork"
    return rogue.station, rogue.world


def test_a_halt_that_a_full_disk_does_not_take_is_kept_until_it_does(rogue: Rogue) -> None:
    """A halt that is forgotten with the disk's refusal lets the second history in after all."""
    station, world = rogue.station, rogue.world
    rogue.call().say(rogue.beat())
    station.full = True
    rogue.say(rogue.beat(own_head=bytes(64)))
    world.run(12)
    assert station.state == "halted"
    assert recorded(station) is None, "the disk took it although it is full"
    station.full = False
    world.run(12)
    assert recorded(station) == "fork"
    station.do(lambda line, at: line.retry(at))
    world.run(SOON_S)
    assert recorded(station) is None
    station.do(lambda line, at: line.retry(at))  # nothing to lift any more
    assert len(station.events("line_unhalted")) == 1


def test_a_retry_that_a_full_disk_does_not_take_is_not_told_as_done(rogue: Rogue) -> None:
    """The log said that the line goes on, and it stood: nobody looked for what was in the way."""
    station, world = forked(rogue)
    told: list[Any] = []
    station.full = True
    station.do(lambda line, at: line.retry(at, told.append))
    assert told == [], "nobody knows before the disk does"
    world.run(12)
    assert (station.state, recorded(station)) == ("halted", "fork")
    assert station.events("line_unhalted") == []
    assert station.events("store_full") != []
    station.full = False
    station.do(lambda line, at: line.retry(at, told.append))
    world.run(SOON_S)
    assert recorded(station) is None
    station.do(lambda line, at: line.retry(at, told.append))
    assert [type(answer) for answer in told] == [StoreFullError, type(None), type(None)]
    assert [event["was"] for event in station.events("line_unhalted")] == ["fork"]


def test_a_halt_that_no_disk_has_is_lifted_without_one(rogue: Rogue) -> None:
    """It is in force in memory alone: there is nothing to undo on the disk that is full."""
    station, world = rogue.station, rogue.world
    rogue.call().say(rogue.beat())
    station.full = True
    rogue.say(rogue.beat(own_head=bytes(64)))
    world.run(SOON_S)
    assert station.state == "halted"
    told: list[Any] = []
    station.do(lambda line, at: line.retry(at, told.append))
    world.run(12)
    assert (station.state, recorded(station)) == ("down", None)
    assert told == [None], "the line goes on, whatever the disk says"
    assert [event["was"] for event in station.events("line_unhalted")] == ["fork"]
    station.full = False
    world.run(12)
    assert recorded(station) is None


def test_a_retry_that_finds_the_card_refused_meanwhile_lifts_nothing(rogue: Rogue) -> None:
    """The disk has taken the end of the halt, and the line stands still for another reason."""
    station, world = forked(rogue)
    told: list[Any] = []
    station.do(lambda line, at: line.retry(at, told.append))
    station.do(lambda line, at: line.revoke(Halt("revoked", "refused for good", 1), at))
    world.run(SOON_S)
    assert (told, recorded(station), station.state) == ([None], None, "halted")
    assert station.events("line_unhalted") == [], "a log that says so would be believed"


def test_a_used_up_session_has_no_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """A goodbye beyond the budget would be one record too many under a key."""
    ends = Ends.make().opened()
    ends.caller.push(HEARTBEAT)
    monkeypatch.setattr(records, "RECORDS_PER_SESSION", 2)
    assert ends.caller.last_words() == b""


def test_a_used_up_session_is_let_go(rogue: Rogue, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that waits on a session which can say no more is down; it knew at its next heartbeat."""
    rogue.call().say(rogue.beat())
    rogue.world.run(SOON_S)
    station = rogue.station
    rogue.reads = False  # the socket takes what waits a moment later than the line gives it
    monkeypatch.setattr(records, "RECORDS_PER_SESSION", 5)
    station.send("m1")
    rogue.world.run(SOON_S)
    assert not rogue.stands()
    assert (station.state, station.reason) == ("down", "spent")
    assert len(station.events("session_spent")) == 1


def test_a_session_lasts_to_its_last_record(rogue: Rogue, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is let go before it must be loses what another may not have been made for."""
    rogue.call().say(rogue.beat())
    rogue.world.run(SOON_S)
    station, left = rogue.station, 4
    session = station.line.links.by_conn[1].session
    assert session is not None
    assert session._writer is not None
    most = session._writer.records + left
    monkeypatch.setattr(records, "RECORDS_PER_SESSION", most)
    for number in range(left + 1):
        assert rogue.stands() is (session._writer.records <= most)
        station.do(lambda line, at: line.set_attended(not line.attended, at))
        assert session._writer.records == min(most, most - left + number + 1)
    rogue.world.run(SOON_S)
    assert not rogue.stands()


def test_a_session_that_is_never_agreed_ends_with_a_word(rogue: Rogue) -> None:
    """Whoever proves itself and then says nothing must not keep a place of the line for ever."""
    rogue.knock()
    rogue.flush()
    rogue.world.run(HANDSHAKE_TIMEOUT_S / 2)
    assert rogue.stands()
    rogue.world.run(HANDSHAKE_TIMEOUT_S)
    assert not rogue.stands()
    [said] = rogue.all(frames.Close)
    assert (said.code, said.reason) == ("superseded", "no hello came within 10 s")


def test_a_halt_that_is_found_again_at_each_call_is_told_once(rogue: Rogue) -> None:
    """A peer that calls on and on would fill the log with alarms, and move when the halt was found."""
    station, world = rogue.station, rogue.world
    empty = rogue.hello()
    rogue.call().say(rogue.beat(), rogue.run(entries.Test("t1", 1, "rogue")))
    world.run(SOON_S)
    rogue.say(frames.Close("stopped", ""))
    for _ in range(3):
        rogue.knock()
        rogue.say(empty)
        world.run(1)
        assert not rogue.stands()
    assert [one["code"] for one in station.events("line_halted")] == ["peer-log-lost"]
    halt = station.record.halt
    assert halt is not None
    assert halt.at_ns < station.moment().wall_ns - 2 * 10**9
    station.do(lambda line, at: line.retry(at))
    rogue.knock()
    rogue.say(empty)
    world.run(1)
    assert len(station.events("line_halted")) == 2, "an operator has said that it is over"


@pytest.mark.parametrize("why", ["revoked", "fork"])
def test_what_waits_for_the_disk_is_not_taken_in_once_the_line_is_halted(
    agreed: Rogue, why: str
) -> None:
    """The operator had refused the card, and its next messages still came into the inbox."""
    station = agreed.station
    for name in ("m1", "m2"):
        agreed.say(agreed.run(entries.Message(name, Precedence.ROUTINE, 1, None, "lt", "s", "b")))
    if why == "revoked":
        station.do(lambda line, at: line.revoke(Halt("revoked", "refused for good", 1), at))
    else:
        agreed.say(agreed.beat(peer_head=bytes(64)))
    agreed.world.run(4 * STUCK_S)
    assert (station.reason, station.inbox()) == (why, ["m1"]), "m1 was at the disk"


def test_a_halted_line_keeps_no_caller_beyond_its_time(rogue: Rogue) -> None:
    """Its timer stood still until the next heartbeat, a minute later for a line that beats slowly."""
    station, world = forked(rogue)
    station.do(lambda line, at: line.reconfigure((), HEARTBEAT_MAX_S, at))
    world.run(HEARTBEAT_MAX_S / 4)
    station.line.called("late", station.moment())
    station.do(lambda line, at: line.recorded(line.record, at))
    world.run(HANDSHAKE_TIMEOUT_S - 1)
    assert station.line.links.by_conn
    world.run(2)
    assert not station.line.links.by_conn


def test_a_line_without_a_session_looks_for_nobody_to_give_its_courier_key(rogue: Rogue) -> None:
    """It woke every two seconds for as long as the peer was away."""
    rogue.call().say(rogue.beat(), frames.Close("stopped", ""))
    rogue.world.run(60)
    assert rogue.station.line.courier.offers_at == float("inf")
