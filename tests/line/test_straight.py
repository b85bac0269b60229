"""What goes straight to the log: what would be the next from the queue, and never waits."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotline import limits
from hotline.errors import ProtocolError, RefusedError, StoreError, StoreFullError
from hotline.line import accepting, sealing
from hotline.line.accepting import Accepted, Draft, QueueLimits
from hotline.line.new_run import ENTRY_HEADER
from hotline.line.pairing import Pairing
from hotline.line.straight import Way, may_go
from hotline.model import Decision, Precedence, Side, State
from hotline.store.sqlite import SqliteStore
from hotline.store.transaction import SqliteTransaction
from hotline.wire import frames
from support.line_world import identity
from support.rogue import SOON_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hotline.model import Outgoing
    from hotline.store.interface import Transaction
    from support.line_world import LineWorld

T = TypeVar("T")
NOW_NS: Final = 10**18
FLASH, ROUTINE = Precedence.FLASH, Precedence.ROUTINE
PAIRING: Final = Pairing(*identity("north"), identity("south")[1])


def message(
    identifier: str, body: str = "", precedence: Precedence = ROUTINE, *, is_test: bool = False
) -> Outgoing:
    draft = Draft(identifier, precedence, "", body, "watch", is_test=is_test)
    return accepting.compose(draft, NOW_NS)


class Half:
    """One station's store, and what its line would do with it."""

    def __init__(self, folder: Path) -> None:
        self.store = SqliteStore.open(folder / "store.db", station_id=PAIRING.own.id)
        self.line = self.store.add_line("south", PAIRING.peer.id)

    def do(self, work: Callable[[Transaction], T]) -> T:
        [outcome] = self.store.transact([work])
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def accept(
        self,
        messages: list[Outgoing],
        way: Way | None = None,
        bounds: QueueLimits = QueueLimits(),  # noqa: B008 - frozen
    ) -> accepting.Acceptance:
        taken = self.do(lambda tx: accepting.accept(tx, self.line, messages, bounds, way))
        assert taken.record == self.do(lambda tx: tx.line(self.line))
        return taken

    def way(self, room_bytes: int) -> Way:
        after = self.do(lambda tx: tx.line(self.line)).own.number
        return Way(PAIRING, after, room_bytes, NOW_NS)

    def next_run(self, room_bytes: int) -> sealing.Run:
        after = self.do(lambda tx: tx.line(self.line)).own.number
        return self.do(
            lambda tx: sealing.next_run(
                tx,
                self.line,
                PAIRING,
                after=after,
                room_bytes=room_bytes,
                chunk_bytes=4000,
                wall_ns=NOW_NS,
            )
        )

    def drain(self, room_bytes: int) -> None:
        while self.next_run(room_bytes).frame is not None:
            pass

    def all_that_is_held(self) -> tuple[Any, ...]:
        """Give the numbers, the whole log, and every message as an operator sees it."""
        record = self.do(lambda tx: tx.line(self.line))
        log = self.do(lambda tx: tx.entries(self.line, Side.OWN, 1, 10_000, 10**9))
        views = self.store.read(
            lambda reader: reader.page(Side.OWN, line=self.line, most=limits.PAGE_ROWS)
        )
        shown = [view._replace(row=0) for view in views]
        return record, log, sorted(shown, key=lambda view: view.id)


@pytest.fixture
def half(tmp_path: Path) -> Iterator[Half]:
    made = Half(tmp_path)
    yield made
    made.store.close()


@st.composite
def batches(draw: st.DrawFn) -> tuple[list[Outgoing], int]:
    """Give messages of one precedence, and room for the first of them, to the byte or nearly."""
    precedence = draw(st.sampled_from(list(Precedence)))
    asked = st.tuples(st.integers(0, 9), st.sampled_from([0, 10, 600, 5_000]), st.booleans())
    some = [
        message(f"m{n}", "x" * size, precedence, is_test=is_test)
        for n, size, is_test in draw(st.lists(asked, min_size=1))
    ]
    first = some[: draw(st.integers(1, len(some)))]
    room_bytes = sum(len(one.content) + ENTRY_HEADER for one in first)
    return some, room_bytes + draw(st.integers(-1, 1))


@settings(max_examples=100, deadline=None)
@given(st.lists(batches(), min_size=1, max_size=3))
def test_it_is_what_the_queue_would_have_given(asked: list[tuple[list[Outgoing], int]]) -> None:
    """One log, whichever way a message takes: the peer sees no difference, nor does who reads it."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        straight, queued = Half(Path(one)), Half(Path(other))
        for some, room_bytes in asked:
            assert may_go(some)
            taken, told = straight.accept(some, straight.way(room_bytes)), queued.accept(some)
            assert list(map(repr, taken.answers)) == list(map(repr, told.answers))
            assert taken.frame == queued.next_run(room_bytes).frame
            straight.drain(room_bytes)
            queued.drain(room_bytes)
        assert straight.all_that_is_held() == queued.all_that_is_held()
        for half in (straight, queued):
            half.store.close()


def test_what_does_not_fit_waits_in_its_order(half: Half) -> None:
    """A short message that slipped past a long one would be read before what it answers."""
    sizes = [300, 300, 70_000, 10]
    some = [message(f"m{n}", "x" * size) for n, size in enumerate(sizes)]
    taken = half.accept(some, half.way(100_000))
    assert taken.frame is not None
    assert (len(taken.frame.entries), taken.record.queued) == (2, 2)
    half.drain(100_000)
    found = half.store.read(lambda reader: reader.page(Side.OWN, line=half.line, most=9))
    numbers = {view.id: view.number or 0 for view in found}
    assert numbers["m0"] < numbers["m1"] < numbers["m2"] < numbers["m3"]


@pytest.mark.parametrize(("less", "goes"), [(0, 3), (1, 2)])
def test_as_much_goes_as_there_is_room_for(half: Half, less: int, goes: int) -> None:
    """To the byte, with what a frame puts before each: the peer counts that too."""
    some = [message(f"m{n}", "x" * 100) for n in range(4)]
    room_bytes = sum(len(one.content) + ENTRY_HEADER for one in some[:3]) - less
    taken = half.accept(some, half.way(room_bytes))
    assert taken.frame is not None
    assert len(taken.frame.entries) == goes


def test_no_frame_holds_more_than_it_may(half: Half) -> None:
    """A frame of one entry too many ends the session over there, and is sent again in the next."""
    for size, count in ((0, limits.ENTRIES_PER_FRAME), (8_000, 16)):
        some = [message(f"{size}-{n}", "x" * size) for n in range(count + 1)]
        taken = half.accept(some, half.way(10**9))
        assert taken.frame is not None
        assert len(taken.frame.entries) == count
        assert taken.record.queued == 1
        assert frames.decode(*frames.encode(taken.frame)) == taken.frame
        half.drain(10**9)


def test_what_waits_goes_first(half: Half) -> None:
    """The line thought that nothing waits; the store knows better."""
    half.accept([message("waits", precedence=FLASH)])
    taken = half.accept([message("later")], half.way(10_000))
    assert (taken.frame, taken.record.queued, taken.record.own.number) == (None, 2, 0)


def test_it_goes_on_where_the_log_ends(half: Half) -> None:
    """A courier file may have numbered what the line has not been told of yet."""
    way = half.way(10_000)
    half.accept([message("packed")])
    half.drain(10_000)
    taken = half.accept([message("later")], way)
    assert (taken.frame, taken.record.queued, taken.record.own.number) == (None, 1, 1)


def test_without_the_keys_it_waits(half: Half, monkeypatch: pytest.MonkeyPatch) -> None:
    """Accepting needs no signature: the operator is not refused for what the line lacks."""

    def sign_head(*_: object) -> bytes:
        raise ProtocolError("the keys are not here")

    monkeypatch.setattr(Pairing, "sign_head", sign_head)
    taken = half.accept([message("m1")], half.way(10_000))
    assert taken.answers == [Accepted("m1", repeated=False)]
    assert (taken.frame, taken.record.queued, taken.record.own.number) == (None, 1, 0)


def test_what_has_expired_meanwhile_is_left_to_the_queue(half: Half) -> None:
    """An order whose time has run out before it left is not to arrive."""
    late = message("late")._replace(expires_ns=NOW_NS)
    taken = half.accept([message("m1"), late, message("m2")], half.way(10_000))
    assert (taken.record.sealed, taken.record.queued) == (1, 2)
    assert half.next_run(10_000).expired == ["late"]


def test_a_store_that_fails_is_not_taken_for_missing_keys(
    half: Half, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it was asked would be committed by a store that has just said that it cannot."""

    def key_changes(*_: object) -> None:
        raise StoreError("the disk is gone")

    monkeypatch.setattr(SqliteTransaction, "key_changes", key_changes)
    with pytest.raises(StoreError):
        half.accept([message("m1")], half.way(10_000))


def test_the_bounds_of_the_queue_are_for_what_waits(half: Half) -> None:
    """What goes at once takes no room there; the rest is accepted up to the bound, and told."""
    some = [message(f"m{n}", "x" * 1000) for n in range(4)]
    way, bounds = half.way(2_500), QueueLimits(messages=1)
    taken = half.do(lambda tx: accepting.accept(tx, half.line, some, bounds, way))
    kinds = [isinstance(answer, RefusedError) for answer in taken.answers]
    assert (kinds, taken.record.sealed, taken.record.queued) == ([False] * 3 + [True], 2, 1)


# --- in a line ---


def test_a_flash_of_a_request_goes_first(world: LineWorld) -> None:
    """Whatever stands before it in the request, the urgent one is read first."""
    north, south = world.stations
    world.checks = False  # it knows what ``send`` has asked for
    world.run(SOON_S)
    some = [message("m1"), message("m2"), message("urgent", precedence=FLASH)]
    north.accept(some, lambda answers: answers)
    world.until(lambda: len(south.inbox()) == 3)
    assert south.view("urgent", Side.PEER).number == 1


def test_one_fsync_accepts_and_seals(world: LineWorld) -> None:
    """An idle line that paid two would take twice as long for each message."""
    north, _ = world.stations
    world.run(SOON_S)
    before = north.waiting_commits
    reply = north.send("m1")
    assert north.waiting_commits == before + 1
    world.until(lambda: reply.value is not None)
    assert (north.record.sealed, north.record.queued) == (1, 0)


def test_a_repeated_one_costs_one_fsync_too(world: LineWorld) -> None:
    """There is nothing new to be sent, and nothing to be looked for."""
    north, south = world.stations
    world.run(SOON_S)
    north.send("m1")
    world.until(lambda: south.inbox() == ["m1"])
    world.run(SOON_S)
    reply = north.send("m1")
    assert north.waiting_commits == 1
    world.until(lambda: reply.value is not None)
    assert reply.value == Accepted("m1", repeated=True)
    assert north.waiting_commits == 0


@pytest.mark.parametrize("before", ["a message", "an answer"])
def test_a_flash_is_urgent_though_something_is_queued_in_the_same_moment(
    world: LineWorld, before: str
) -> None:
    """It finds the queue taken, and must not wait for room as what took it does."""
    north, south = world.stations
    south.send("order")
    world.until(lambda: north.inbox() == ["order"])
    world.run(1)
    world.delay_s = 5.0  # a receipt takes ten seconds
    north.send("fills-the-window", "x" * 3500)
    world.run(SOON_S)
    assert north.view("fills-the-window").state is State.SENT
    if before == "a message":
        north.send("m1")
    else:
        north.answer("order", Decision.WILCO)
    north.send("urgent", precedence=FLASH)
    world.run(0.2)
    assert north.view("urgent").state is State.SENT


def test_what_follows_a_flash_is_not_urgent(world: LineWorld) -> None:
    """What goes beyond a full window stands in the next FLASH's way."""
    north, _ = world.stations
    world.run(1)
    world.delay_s = 5.0
    north.send("fills-the-window", "x" * 3500)
    world.run(SOON_S)
    north.send("urgent", precedence=FLASH)
    world.run(SOON_S)
    north.send("m1")
    world.run(SOON_S)
    states = [north.view(one).state for one in ("fills-the-window", "urgent", "m1")]
    assert states == [State.SENT, State.SENT, State.QUEUED]


def test_what_an_earlier_life_sealed_counts_as_sent(world: LineWorld) -> None:
    """Nobody knows whether it was on the wire; that it was is likely, and it goes once more."""
    north, _ = world.stations
    world.run(SOON_S)
    world.delay_s = 5.0
    north.send("m1")
    world.run(SOON_S)
    north.crash()
    world.delay_s = 0.001
    north.start()
    world.until(lambda: north.view("m1").state is State.DELIVERED)
    assert north.view("m1").attempts == 2


def test_one_fsync_accepts_and_seals_the_first_parts_of_a_long_one(world: LineWorld) -> None:
    """It does not go straight, and need not wait for that."""
    north, _ = world.stations
    world.run(SOON_S)
    reply = north.send("m1", "x" * 3 * limits.ENTRY_BYTES)
    world.until(lambda: reply.value is not None)
    assert north.record.own.number > 0


def test_who_finds_the_queue_taken_is_sent_all_the_same(world: LineWorld) -> None:
    """What was queued in the moment before is sent, and what should have gone straight behind it."""
    north, south = world.stations
    world.checks = False  # it knows what ``send`` has asked for
    world.run(SOON_S)
    before = message("before")
    north.ask(
        lambda tx, n: accepting.accept(tx, n, [before], QueueLimits()), lambda outcome: outcome
    )
    north.send("m1")
    world.until(lambda: south.inbox() == ["before", "m1"])
    world.until(lambda: north.view("m1").state is State.DELIVERED)


def test_a_full_disk_refuses_it_and_the_next_goes(world: LineWorld) -> None:
    """The place that the refused one held in the line must not be held for ever."""
    north, south = world.stations
    world.run(SOON_S)
    north.full = True
    refused = north.send("m1")
    world.until(lambda: refused.value is not None)
    assert isinstance(refused.value, StoreFullError)
    north.full = False
    north.send("m2")
    world.until(lambda: south.inbox() == ["m2"])


def test_what_was_sealed_for_a_session_that_is_gone_goes_with_the_next(world: LineWorld) -> None:
    """Between the fsync and the wire the line may be cut: it is in the log, and must get there."""
    north, south = world.stations
    world.commit_s = (0.5, 0.5)
    reply = north.send("m1")
    world.run(0.1)
    assert world.cut()
    world.commit_s = (0.001, 0.001)
    world.until(lambda: south.inbox() == ["m1"])
    world.until(lambda: north.view("m1").state is State.DELIVERED)
    assert reply.value == Accepted("m1", repeated=False)
    assert north.view("m1").attempts == 1, "what was sealed was not on the wire"


def test_a_station_that_stops_seals_nothing_more(world: LineWorld) -> None:
    """What comes while it says goodbye is kept, and goes when it is back."""
    north, _ = world.stations
    world.run(SOON_S)
    north.send("m1")
    world.until(lambda: north.record.delivered == 1)
    north.do(lambda line, at: line.stop(at))
    assert world.sessions == 1, "its last checkpoint is still to be signed"
    reply = north.send("m2")
    world.until(lambda: reply.value is not None)
    assert (north.record.queued, north.record.sealed) == (1, 1)


@pytest.mark.parametrize("refused", ["", "ack.1", "key-change.1", "a/b"])
def test_messages_are_composed_at_once_as_each_is(refused: str) -> None:
    """Batches go by a short cut; where one may not be sent, all are left to who says which and why."""
    ids, bodies = ["m1", refused or "m2"], ["b", "ü"]
    all_of_them = accepting.compose_all(ids, [ROUTINE] * 2, [""] * 2, bodies, "watch", NOW_NS)
    each = [message("m1", "b"), message("m2", "ü")]
    assert all_of_them == (None if refused else each)


_requests = st.lists(
    st.tuples(st.integers(0, 20), st.sampled_from([0, 600, 5_000]), st.integers(0, 3)), min_size=1
)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(_requests, min_size=1, max_size=3),
    st.sampled_from([0, 3, 1000, 1000]),
    st.sampled_from([3000, 9999, 10**6, 10**6]),
)
def test_what_is_queued_all_at_once_is_queued_as_one_by_one(
    asked: list[list[tuple[int, int, int]]], most: int, most_bytes: int
) -> None:
    """A request of which nothing is known is not looked at message by message: nothing else differs."""
    bounds = QueueLimits(most, most_bytes)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        at_once, each = Half(Path(one)), Half(Path(other))
        for request in asked:
            some = [message(f"m{n}", "x" * size, is_test=not odd) for n, size, odd in request]
            taken = at_once.accept(some, bounds=bounds)
            with mock.patch.object(accepting, "_take_all", return_value=None):
                told = each.accept(some, bounds=bounds)
            assert repr(taken) == repr(told)
        assert at_once.all_that_is_held() == each.all_that_is_held()
        for half in (at_once, each):
            half.store.close()


@pytest.mark.parametrize(
    ("first", "between", "room_bytes"),
    [(Precedence.FLASH, 2, 14_000), (Precedence.PRIORITY, 4, 22_000)],
)
def test_what_lies_between_two_of_a_run_is_none_of_it(
    half: Half, first: Precedence, between: int, room_bytes: int
) -> None:
    """A long message has as many numbers as parts: they must not be taken for rows that follow."""
    less_urgent = [message(f"b{n}", "x") for n in range(between)]
    long = message("c", "x" * (4000 * (between + 1) - 500), first)
    # What the run has no room for ends it before anything less urgent.
    half.accept([message("a", "x", first), *less_urgent, long, message("d", "x" * 4000, first)])
    run = half.next_run(room_bytes)
    assert run.frame is not None
    assert run.record.queued == between + 1
    half.drain(room_bytes)
    _, log, shown = half.all_that_is_held()
    numbers = {view.id: view.number for view in shown}
    assert (numbers["a"], numbers["c"]) == (1, between + 2)
    assert sorted(numbers.values()) == [1, *range(between + 2, len(log) + 1)]
