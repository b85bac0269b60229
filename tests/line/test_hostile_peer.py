"""A peer that holds the right keys and keeps no rule, and honest lines on a nearly full disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hotline import limits
from hotline.line import sealing
from hotline.model import Decision, Position, Precedence, Side, State
from hotline.wire import entries, frames
from support.line_world import LineWorld, Station
from support.rogue import SOON_S, Rogue

if TYPE_CHECKING:
    from collections.abc import Callable


def rows(station: Station, table: str) -> int:
    """Count a table's rows, past the store."""
    import apsw

    database = apsw.Connection(str(station.path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        count = database.execute(f"SELECT count(*) FROM {table}").get  # noqa: S608 - our own word
    finally:
        database.close()
    assert isinstance(count, int)
    return count


# --- parts ----------------------------------------------------------------------------------------


def parts(size_bytes: int, most: int = 10**6) -> list[entries.Part]:
    """Cut a message of some 10 kB into parts of a size; the last has what is left."""
    message = entries.Message("big", Precedence.ROUTINE, 1, None, "a", "s", "x" * 10_000)
    whole = entries.encode(message)
    assert len(whole) % size_bytes or size_bytes == 1
    starts = range(0, len(whole), size_bytes)[:most]
    return [
        entries.Part("big", Precedence.ROUTINE, at, len(whole), whole[at : at + size_bytes])
        for at in starts
    ]


@pytest.mark.parametrize("size_bytes", [1, limits.PART_BYTES - 1])
def test_crumbs_of_a_message_halt_the_line(rogue: Rogue, size_bytes: int) -> None:
    """A mebibyte in parts of a byte would cost a million rows, and ever more time for each."""
    rogue.call().say(rogue.beat(), rogue.run(*parts(size_bytes, 8)))
    rogue.world.run(SOON_S)
    halt = rogue.station.record.halt
    assert halt is not None, "the crumbs were taken"
    assert halt.code == "peer-broke-rules"
    assert f"{size_bytes} bytes" in halt.text
    assert rogue.station.record.peer.number == 0
    assert rogue.all(frames.Close)[-1].code == "halted"


@pytest.mark.parametrize("size_bytes", [limits.PART_BYTES, 3000])
def test_parts_of_a_decent_size_are_taken(rogue: Rogue, size_bytes: int) -> None:
    """An honest peer on a slow link must not be halted, nor for the rest that its last part holds."""
    cut = parts(size_bytes)
    assert len(cut[-1].chunk) < limits.PART_BYTES
    rogue.call().say(rogue.beat(), *(rogue.run(part) for part in cut))
    rogue.world.run(SOON_S)
    assert rogue.station.record.halt is None
    assert rogue.station.inbox() == ["big"]
    assert rogue.station.view("big", Side.PEER).body == "x" * 10_000


def long_message(identifier: str, precedence: Precedence) -> list[entries.Part]:
    """Cut a message of three parts."""
    whole = entries.encode(entries.Message(identifier, precedence, 1, None, "a", "s", "x" * 10_000))
    return [
        entries.Part(identifier, precedence, at, len(whole), whole[at : at + 4000])
        for at in range(0, len(whole), 4000)
    ]


@pytest.mark.parametrize("together", [True, False], ids=["one run", "a run each"])
def test_messages_that_are_begun_and_never_ended_take_no_room(rogue: Rogue, together: bool) -> None:
    """Each would be remembered for ever; and an honest peer that lost its store often was halted."""
    begun = [long_message(f"{p.name}-{n}", p)[0] for n in range(7) for p in Precedence]
    rogue.call().say(rogue.beat())
    rogue.say(*([rogue.run(*begun)] if together else [rogue.run(one) for one in begun]))
    rogue.world.run(SOON_S)
    assert rogue.station.record.halt is None
    assert rogue.station.record.peer.number == len(begun)
    assert rows(rogue.station, "partial") == len(Precedence)
    left = [part for p in Precedence for part in long_message(f"{p.name}-6", p)[1:]]
    again = long_message("ROUTINE-0", Precedence.ROUTINE)
    rogue.say(rogue.run(*left), rogue.run(*again))
    rogue.world.run(SOON_S)
    assert sorted(rogue.station.inbox()) == sorted(
        [*(f"{p.name}-6" for p in Precedence), "ROUTINE-0"]
    )
    assert rows(rogue.station, "partial") == 0


def test_one_id_under_two_precedences_is_one_message(rogue: Rogue) -> None:
    """Two halves of it at once could be put together into what nobody has said."""
    slow, fast = (long_message("m", p) for p in (Precedence.ROUTINE, Precedence.FLASH))
    rogue.call().say(rogue.beat(), rogue.run(slow[0]), rogue.run(fast[0]))
    rogue.world.run(SOON_S)
    assert rows(rogue.station, "partial") == 1
    rogue.say(rogue.run(slow[1]))
    rogue.world.run(SOON_S)
    halt = rogue.station.record.halt
    assert halt is not None, "a part of the dropped half was taken"
    assert halt.code == "peer-broke-rules"


# --- floods ---------------------------------------------------------------------------------------


def test_a_flag_that_is_played_with_fills_no_disk(rogue: Rogue) -> None:
    """Each flip cost a durable row for ever, and made a message look as if sent a thousand times."""
    station, world = rogue.station, rogue.world
    rogue.call().say(rogue.beat())
    station.send("m1")
    world.run(SOON_S)
    assert rogue.times_got(1) == 1
    for _ in range(500):
        rogue.say(*rogue.flips())
        world.run(0.001)
    world.run(SOON_S)
    assert rogue.times_got(1) > 1
    assert rows(station, "resent") <= 2
    assert 1 < station.view("m1").attempts <= rogue.times_got(1)


def test_attempts_count_what_was_sent(rogue: Rogue) -> None:
    """An operator reads from it how often the peer was offered a message, not how often it might be."""
    station, world = rogue.station, rogue.world
    rogue.call().say(rogue.beat())
    station.send("m1")
    world.run(SOON_S)
    for times in (2, 3, 4):
        world.run(2.0)
        rogue.say(*rogue.flips())
        world.run(SOON_S)
        assert station.view("m1").attempts == rogue.times_got(1) == times
    # A disk so slow that the peer refuses again before anything was sent again.
    world.commit_s = (2.5, 2.5)
    for _ in range(2):
        world.run(2.0)
        rogue.say(*rogue.flips())
    world.run(12)
    world.commit_s = (0.001, 0.001)
    assert rogue.session.is_open, "silence, not the flag, ended it"
    assert station.view("m1").attempts == rogue.times_got(1) == 5


def test_attempts_do_not_count_what_a_new_session_need_not_send(rogue: Rogue) -> None:
    """Each hello was counted as one more sending, though its session died first, or had it all."""
    station, world = rogue.station, rogue.world
    rogue.call().say(rogue.beat())
    station.send("m1")
    world.run(SOON_S)
    has_it = Position(1, rogue.receipt(1).head)
    for _ in range(3):
        world.run(2.0)
        dying = Rogue(world, station).call()
        assert dying.times_got(1) == 0
        dying.say(frames.Close("stopped", ""))
    assert (station.view("m1").attempts, rows(station, "resent")) == (1, 0)
    # What was on its way to its disk at the hello is there at its first heartbeat.
    late = Rogue(world, station).call()
    late.say(late.beat(peer_number=has_it.number, peer_head=has_it.head))
    world.run(SOON_S)
    assert (late.times_got(1), station.view("m1").attempts) == (0, 1)
    again = Rogue(world, station).call(accepting=False)
    again.say(again.beat(accepting=False))
    world.run(SOON_S)
    assert (again.times_got(1), station.view("m1").attempts) == (0, 1)
    again.say(again.beat())
    world.run(SOON_S)
    assert (again.times_got(1), station.view("m1").attempts) == (1, 2)


@pytest.mark.parametrize("has_room", [True, False])
def test_sessions_without_end_fill_no_disk(rogue: Rogue, has_room: bool) -> None:
    """Each cost a durable row for ever, as a flip of the flag did, and of the reserve as well."""
    station, world = rogue.station, rogue.world
    rogue.call().say(rogue.beat())
    station.send("m1")
    world.run(SOON_S)
    station.has_room = has_room
    for _ in range(20):
        again = Rogue(world, station).call()
        again.say(again.beat())
        world.run(SOON_S)
        assert again.times_got(1) == 1
    assert rows(station, "resent") == (2 if has_room else 0)


def test_heartbeats_that_echo_nothing_are_answered_once(rogue: Rogue) -> None:
    """Each was answered at once, and logged: a flood in made a flood out, and washed the log away."""
    rogue.call()
    before = len(rogue.all(frames.Heartbeat)), len(rogue.station.events("heartbeat"))
    for _ in range(20):
        rogue.say(*(rogue.beat() for _ in range(100)))
        rogue.world.run(0.01)
    assert rogue.station.state == "up"
    after = len(rogue.all(frames.Heartbeat)), len(rogue.station.events("heartbeat"))
    assert after == (before[0] + 1, before[1] + 1)


def test_a_peer_that_does_not_read_is_let_go(rogue: Rogue) -> None:
    """What it has us say would wait in memory without a bound, until the daemon is killed for it."""
    station, world = rogue.station, rogue.world
    rogue.call().say(rogue.beat())
    for number in range(16):
        station.send(f"m{number}", "b" * 7_900)
    world.run(SOON_S)
    assert rogue.all(frames.Entries)
    rogue.reads = False
    world.commit_s = (0.0001, 0.0001)
    session = station.line.links.by_conn[rogue.conn or 0].session
    assert session is not None
    most = flips = 0
    while rogue.stands() and flips < 1500:
        rogue.say(*rogue.flips())
        world.run(0.001)
        most, flips = max(most, session.unsent_bytes), flips + 1
    assert limits.UNSENT_BYTES < most <= limits.UNSENT_BYTES + limits.FRAME_BYTES
    assert not rogue.stands(), "it is still served"
    assert not station.line.knows(rogue.conn or 0)
    assert station.state == "down"


# --- acknowledgements and receipts ----------------------------------------------------------------


def wilco(number: int, message_id: str) -> entries.Acknowledgement:
    return entries.Acknowledgement(
        f"ack.{number}.wilco", message_id, number, Decision.WILCO, 1, "lt kovac", ""
    )


def test_an_acknowledgement_without_a_receipt_ends_the_session(rogue: Rogue) -> None:
    """A message was shown acknowledged and never delivered, and -1 of them were unacknowledged."""
    station, world = rogue.station, rogue.world
    rogue.call().say(rogue.beat())
    station.send("m1")
    world.run(SOON_S)
    assert rogue.times_got(1) == 1
    before = rogue.own
    rogue.say(rogue.run(wilco(1, "m1")))
    world.run(SOON_S)
    assert not rogue.stands()
    [failed] = station.events("session_failed")
    assert failed["error"] == "ProtocolError"
    assert "without a receipt" in failed["why"]
    assert station.record.halt is None
    assert station.view("m1").state is State.SENT
    assert (station.record.delivered, station.record.acknowledged) == (0, 0)
    assert station.record.peer.number == 0, "what broke the rule was taken in"
    # The same acknowledgement, after the receipt, in another session.
    rogue.own = before
    rogue.call().say(rogue.beat(), rogue.receipt(1), rogue.run(wilco(1, "m1")))
    world.run(SOON_S)
    assert rogue.stands()
    assert station.view("m1").state is State.ACKNOWLEDGED
    assert (station.record.delivered, station.record.acknowledged) == (1, 1)


@pytest.mark.parametrize("receipts", [[1], [1, 2], [1, 1, 2], [2]])
def test_a_receipt_that_waits_behind_another_counts(rogue: Rogue, receipts: list[int]) -> None:
    """An honest peer that answers quickly would be called a liar, at every try again."""
    station, world = rogue.station, rogue.world
    rogue.call().say(rogue.beat())
    station.send("m1")
    station.send("m2")
    world.run(SOON_S)
    assert rogue.times_got(2) == 1
    last = receipts[-1]
    answered = rogue.run(wilco(last, f"m{last}"))
    rogue.say(*(rogue.receipt(upto) for upto in receipts), answered)
    world.run(SOON_S)
    assert rogue.stands()
    assert station.events("session_failed") == []
    assert station.view(f"m{last}").state is State.ACKNOWLEDGED
    assert (station.record.delivered, station.record.acknowledged) == (last, 1)


# --- disks with little room -----------------------------------------------------------------------


def test_a_disk_that_is_full_at_the_hello_is_called_so_by_both(
    make_world: Callable[..., LineWorld],
) -> None:
    """`session-lost` sends an operator to look for a broken cable while the disk runs over."""
    world = make_world(12)
    full, other = world.arbiter, world.second
    full.start()
    full.full = True
    other.start()
    world.run(100)
    assert full.events("store_full")
    assert (full.state, full.reason) == ("down", "not-accepting")
    assert (other.state, other.reason) == ("down", "peer-not-accepting")
    said = {reason for station in world.stations for _, _, reason in station.states()}
    assert "session-lost" not in said
    full.full = False
    world.until_up()


def test_a_reserve_is_kept_from_the_peer(world: LineWorld) -> None:
    """A peer that fills our disk to the last byte leaves no room to acknowledge what it sent."""
    author, reader = world.stations
    reader.has_room = False
    for number in range(5):
        author.send(f"m{number}", "b" * 5000)
    world.until(lambda: author.reason == "peer-not-accepting", 5)
    world.run(SOON_S)
    began = world.now
    world.run(60)
    assert author.states(began) == reader.states(began) == [], "it was called up at each try"
    assert (reader.state, reader.reason) == ("degraded", "not-accepting")
    assert (author.state, author.reason) == ("degraded", "peer-not-accepting")
    assert reader.inbox() == []
    assert author.record.delivered == 0
    assert {author.view(f"m{n}").state for n in range(5)} <= {State.QUEUED, State.SENT}
    # What the reserve is for.
    reader.send("mine")
    world.until(lambda: reader.record.delivered == 1, 5)
    reader.has_room = True
    world.until(lambda: author.record.delivered == 5, 20)
    assert reader.inbox() == [f"m{n}" for n in range(5)]
    world.until_up()
    world.check_messages(settled=True)


# --- queues ---------------------------------------------------------------------------------------


def test_what_lives_does_not_wait_behind_what_has_expired(
    rogue: Rogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An order would lie for seconds behind hundreds that nobody wants any more."""
    looks: list[int] = []
    next_run = sealing.next_run

    def counted(*args: Any, **options: Any) -> sealing.Run:
        looks.append(options["room_bytes"])
        return next_run(*args, **options)

    monkeypatch.setattr(sealing, "next_run", counted)
    station, world = rogue.station, rogue.world
    rogue.call(accepting=False).say(rogue.beat(accepting=False))
    for number in range(600):
        station.send(f"old{number}", precedence=Precedence.FLASH, expires_s=3600)
    station.send("live", precedence=Precedence.FLASH)
    world.run(SOON_S)
    assert station.record.queued == 601
    station.wall_step_ns = 3601 * 10**9
    began = world.now
    rogue.say(rogue.beat())
    took_s = world.until(lambda: rogue.times_got(1) == 1, 20)
    assert took_s < SOON_S, "it waited for a timer"
    assert len(looks) < 6, "it was looked for in steps of what there was room for"
    assert world.now - began < 1
    [run] = rogue.all(frames.Entries)
    assert [entries.decode(data).id for data in run.entries] == ["live"]
    assert station.view("live").state is State.SENT
    world.run(5)
    assert station.record.queued == 0
    assert {station.view(f"old{n}").state for n in range(600)} == {State.EXPIRED}


# --- checkpoints ----------------------------------------------------------------------------------


def test_a_flood_of_checkpoints_costs_little(rogue: Rogue) -> None:
    """A thousand signatures to verify, and as many commits, for one write of the peer's."""
    rogue.call().say(rogue.beat(), rogue.run(entries.Test("t", 1, "a")))
    rogue.world.run(SOON_S)
    taken = rogue.station.record.peer
    one = rogue.pairing.sign_checkpoint(taken, Position(0, rogue.pairing.peer_zero), 1)
    frame = frames.CheckpointFrame(
        *(taken.number, taken.head, 0, rogue.pairing.peer_zero, 1, one.signature)
    )
    rogue.say(*([frame] * 500))
    rogue.world.run(limits.CHECKPOINT_TAKEN_S + SOON_S)
    assert rows(rogue.station, "checkpoint WHERE signer = 1") == 1
    assert len(rogue.station.events("checkpoint_taken")) == 1
    assert rogue.stands()


def test_a_false_checkpoint_ends_the_session(rogue: Rogue) -> None:
    """What is not signed by the peer is not kept, and who sends it is not spoken to."""
    rogue.call().say(rogue.beat(), rogue.run(entries.Test("t", 1, "a")))
    rogue.world.run(SOON_S)
    taken = rogue.station.record.peer
    rogue.say(
        frames.CheckpointFrame(
            *(taken.number, taken.head, 0, rogue.pairing.peer_zero, 1),
            bytes(limits.MLDSA_SIGNATURE_BYTES),
        )
    )
    rogue.world.run(SOON_S)
    assert not rogue.stands()
    assert rows(rogue.station, "checkpoint WHERE signer = 1") == 0
    assert rogue.station.record.halt is None
