"""What every store must hold: the laws of hotline/store/interface.py, as tests.

A store's own tests inherit StoreConformance and say how the store is opened; see
test_sqlite_conformance.py. Nothing here knows how anything is kept.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from store import acts
from store.acts import OWN_ID, PEER_ID, do, outgoing

from hotline.errors import LocalMisuseError, RefusedError, StoreError, StoreInUseError
from hotline.limits import CHECKPOINT_KEPT_ENTRIES, MIB
from hotline.model import (
    Acknowledged,
    Checkpoint,
    Decision,
    Halt,
    Incoming,
    KeyChange,
    Kind,
    LogEntry,
    Mark,
    Outgoing,
    Partial,
    Position,
    Precedence,
    Queueing,
    Receipt,
    Side,
    Standing,
    State,
)
from hotline.wire.entries import Acknowledgement, Test, encode
from hotline.wire.heads import head_zero, next_head

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hotline.store.interface import Store, Transaction

ANSWER = Acknowledged("lt kovac", Decision.WILCO, "at once", 7000)

# Commits pairs of messages for ever and names each pair once it is said to be durable.
ENDLESS_WRITER = """
import sys
from itertools import count
from pathlib import Path
from store.acts import PEER_ID, OWN_ID, enqueue, outgoing
path, station_id = Path(sys.argv[1]), OWN_ID
{open}
line = store.add_line("south", PEER_ID)
for number in count():
    enqueue(store, line, outgoing(f"a{{number}}"), outgoing(f"b{{number}}"))
    print(number, flush=True)
"""


def ids(views: Any) -> list[str]:
    """Give the ids of anything that has them."""
    return [view.id for view in views]


class StoreConformance:
    """Inherit, name the class Test..., and fill in these two."""

    OPEN: ClassVar[str]
    """Python that sets ``store``, given ``path`` and ``station_id``: for another process."""

    def open(self, path: Path) -> Store:
        """Open the store of station OWN_ID at path."""
        raise NotImplementedError

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "station.db"

    @pytest.fixture
    def store(self, path: Path) -> Iterator[Store]:
        store = self.open(path)
        yield store
        store.close()

    @pytest.fixture
    def line(self, store: Store) -> int:
        return store.add_line("south", PEER_ID)

    # --- transactions ---

    def test_a_refused_work_is_undone_alone(self, store: Store, line: int) -> None:
        """One operator's mistake would undo, or keep, what others asked in the same moment."""

        def refused(tx: Transaction) -> None:
            tx.enqueue(line, [outgoing("half-done")])
            raise RefusedError("queue-full", "no room")

        def accepted(identifier: str) -> Callable[[Transaction], None]:
            return lambda tx: tx.enqueue(line, [outgoing(identifier)])

        results = store.transact([accepted("one"), refused, accepted("two")])
        assert [type(result) for result in results] == [type(None), RefusedError, type(None)]
        assert ids(acts.queued(store, line)) == ["one", "two"]

    def test_what_goes_straight_to_the_log_never_waits(self, store: Store, line: int) -> None:
        """It would be sent a second time, or refused when its operator asks again."""
        acts.enqueue(store, line, outgoing("waits"))
        acts.send(store, line, outgoing("a", "one"), outgoing("b", "two", expires_ns=1))
        assert ids(acts.queued(store, line)) == ["waits"]
        views = store.read(lambda r: r.page(Side.OWN))
        found = {view.id: (view.state, view.number, view.body, view.sent_ns) for view in views}
        assert found["a"] == (State.SENT, 1, "one", 3000)
        assert found["b"] == (State.SENT, 2, "two", 3000)
        assert acts.do(store, lambda tx: ids(tx.due(line, 9, 9))) == []
        assert acts.do(store, lambda tx: tx.waiting(line, "a")) is None
        assert acts.do(store, lambda tx: tx.digests(line, ["a", "b", "c"])).keys() == {"a", "b"}

    def test_works_see_what_works_before_them_did(self, store: Store, line: int) -> None:
        """Two requests in one batch could both take the last place in the queue."""

        def put_and_look(identifier: str) -> Callable[[Transaction], list[str]]:
            def work(tx: Transaction) -> list[str]:
                tx.enqueue(line, [outgoing(identifier)])
                return ids(tx.queued(line, 9, MIB))

            return work

        assert store.transact([put_and_look("a"), put_and_look("b")]) == [["a"], ["a", "b"]]

    def test_only_what_is_sealed_is_sealed(self, store: Store, line: int) -> None:
        """Rows are numbered by stretches: what lies between two of a run is none of it."""
        flash, priority = Precedence.FLASH, Precedence.PRIORITY
        asked = [
            outgoing("a", precedence=flash),
            outgoing("b"),
            outgoing("c", precedence=priority),
            outgoing("d"),
            outgoing("e", precedence=flash),
        ]
        acts.enqueue(store, line, *asked)
        # Of rows 1, 5, 3 the last is as far from the first as there are others, and 2 is not sealed.
        assert acts.seal(store, line, most=3) == ["a", "e", "c"]
        assert ids(acts.queued(store, line)) == ["b", "d"]
        numbers = {view.id: view.number for view in store.read(lambda r: r.page(Side.OWN))}
        assert numbers == {"a": 1, "b": None, "c": 3, "d": None, "e": 2}

    def test_a_gap_in_the_numbers_is_none_in_the_rows(self, store: Store, line: int) -> None:
        """A long message takes a number for each part, and may stand as far from the row before it."""
        flash = Precedence.FLASH
        asked = [outgoing("a", precedence=flash), outgoing("b"), outgoing("c", "x" * 5000, flash)]
        acts.enqueue(store, line, *asked)
        do(store, lambda tx: tx.seal(line, [(1, 1), (3, 3)], [3]))
        assert ids(acts.queued(store, line)) == ["b"]

    @pytest.mark.parametrize("rows", [[(2, 1)], [(1, 1), (3, 2)], [(1, 1), (2, 2), (3, 3)]])
    def test_what_is_not_next_in_the_queue_is_not_sealed(
        self, store: Store, line: int, rows: list[tuple[int, int]]
    ) -> None:
        """A message taken from the queue and not put in the log would never go."""
        acts.enqueue(store, line, outgoing("a"), outgoing("b"))
        with pytest.raises(LocalMisuseError):
            store.transact([lambda tx: tx.seal(line, rows)])
        assert ids(acts.queued(store, line)) == ["a", "b"]

    def test_a_bug_undoes_everything(self, store: Store, line: int) -> None:
        """What a broken program wrote in part would be committed by its next transaction."""

        def broken(tx: Transaction) -> None:
            tx.enqueue(line, [outgoing("a")])
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            store.transact([broken])
        assert acts.queued(store, line) == []

    def test_what_was_committed_is_there_after_reopening(self, store: Store, path: Path) -> None:
        """Accepted means durable."""
        line = store.add_line("south", PEER_ID)
        acts.enqueue(store, line, outgoing("a"), outgoing("b"))
        acts.seal(store, line, most=1)
        acts.receive(store, line, "c")
        before = store.read(lambda r: (r.lines(), r.page(Side.OWN), r.page(Side.PEER)))
        store.close()
        again = self.open(path)
        assert again.read(lambda r: (r.lines(), r.page(Side.OWN), r.page(Side.PEER))) == before
        assert ids(acts.queued(again, line)) == ["b"]
        again.close()

    def test_kill_9_loses_nothing_that_was_acknowledged(self, path: Path) -> None:
        """A power cut in mid-commit would lose a message, or keep half of a transaction."""
        with subprocess.Popen(
            [sys.executable, "-c", ENDLESS_WRITER.format(open=self.OPEN), str(path)],
            env={"PYTHONPATH": ":".join(sys.path)},
            stdout=subprocess.PIPE,
            text=True,
        ) as child:
            assert child.stdout is not None
            done = [int(child.stdout.readline()) for _ in range(200)]
            child.send_signal(signal.SIGKILL)
            done += [int(text) for text in child.stdout.read().split("\n")[:-1]]
        store = self.open(path)
        found = ids(store.read(lambda r: r.page(Side.OWN, after=0, most=1_000_000)))
        store.close()
        pairs = len(found) // 2
        assert found == [f"{half}{number}" for number in range(pairs) for half in "ab"]
        # The one whose answer never came may have become durable; no other may.
        assert pairs - len(done) in (0, 1)

    def test_a_second_opener_is_refused(self, store: Store, path: Path) -> None:
        """Two daemons on one store would sign two histories."""
        assert store.read(lambda r: r.lines()) == []
        with pytest.raises(StoreInUseError, match=path.name):
            self.open(path)

    def test_another_process_is_refused(self, store: Store, path: Path) -> None:
        """A lock that only this process honours keeps out nobody who matters."""
        assert store.read(lambda r: r.lines()) == []
        done = subprocess.run(
            [sys.executable, "-c", ENDLESS_WRITER.format(open=self.OPEN), str(path)],
            env={"PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "StoreInUseError" in done.stderr

    def test_a_closed_store_refuses(self, path: Path) -> None:
        """A late caller would write through a connection that nobody checks any more."""
        store = self.open(path)
        store.close()
        store.close()
        with pytest.raises(StoreError, match="closed"):
            store.transact([])

    def test_a_move_of_the_log_changes_nothing(self, store: Store, line: int) -> None:
        """What moves from one file to the other must be the same in both."""
        acts.enqueue(store, line, *(outgoing(f"m{n}", "x" * 1000) for n in range(100)))
        before = store.read(lambda r: r.page(Side.OWN))
        store.move_wal()
        assert store.read(lambda r: r.page(Side.OWN)) == before
        assert store.free_bytes() > 0

    # --- reading beside writing ---

    def test_a_reader_sees_only_what_is_committed(self, store: Store, line: int) -> None:
        """An operator would be told of a message that a failing disk then takes back."""
        acts.enqueue(store, line, outgoing("old"))
        with ThreadPoolExecutor(1) as thread:

            def work(tx: Transaction) -> list[str]:
                tx.enqueue(line, [outgoing("new")])
                looked = thread.submit(lambda: store.read(lambda r: ids(r.page(Side.OWN))))
                return looked.result(timeout=30)  # reading does not wait for the end of this work

            assert do(store, work) == ["old"]
        assert store.read(lambda r: ids(r.page(Side.OWN))) == ["old", "new"]

    def test_one_read_is_one_moment(self, store: Store, line: int) -> None:
        """Counts and pages of two moments in one answer would contradict each other."""
        with ThreadPoolExecutor(1) as thread:

            def work(reader: Any) -> tuple[list[str], list[str]]:
                before = ids(reader.page(Side.OWN))
                thread.submit(acts.enqueue, store, line, outgoing("late")).result(timeout=30)
                return before, ids(reader.page(Side.OWN))

            assert store.read(work) == ([], [])
        assert store.read(lambda r: ids(r.page(Side.OWN))) == ["late"]

    def test_many_threads_may_read(self, store: Store, line: int) -> None:
        """Connections handed from thread to thread must not be shared by two at a time."""
        acts.enqueue(store, line, *(outgoing(f"m{n}") for n in range(20)))
        with ThreadPoolExecutor(8) as threads:
            look = [threads.submit(store.read, lambda r: len(r.page(Side.OWN))) for _ in range(200)]
            assert {future.result(timeout=60) for future in look} == {20}

    # --- lines ---

    def test_a_line_is_its_peer(self, store: Store, line: int) -> None:
        """Renaming a line in the configuration would begin a second history with one peer."""
        assert store.add_line("renamed", PEER_ID) == line
        other = store.add_line("west", b"\x07" * 32)
        assert other != line
        assert [r.name for r in store.read(lambda r: r.lines())] == ["renamed", "west"]

    def test_a_line_s_numbers_come_back(self, store: Store, line: int) -> None:
        """Status, receipts and halts are told from this one row, also times of a hostile peer."""
        record = replace(
            do(store, lambda tx: tx.line(line)),
            own=Position(7, b"o" * 64),
            peer=Position(8, b"p" * 64),
            receipt=Receipt(5, b"r" * 64, 2**64 - 1, b"s" * 64),
            halt=Halt("fork", "two histories", 99),
            queued=1,
            queued_bytes=2**40,
            sealed=3,
            delivered=4,
            acknowledged=5,
            received=6,
            acknowledged_here=7,
        )
        do(store, lambda tx: tx.put_line(record))
        assert do(store, lambda tx: tx.line(line)) == record
        assert store.read(lambda r: r.lines()) == [record]

    def test_a_comparison_belongs_to_two_cards(self, store: Store, path: Path) -> None:
        """A mark that outlived its card would vouch for whoever comes under the same name."""
        other = b"\x09" * 32
        assert store.read(lambda r: r.verification(OWN_ID, PEER_ID)) is None
        for mark in (Mark("anna", 5), Mark("bela", 7)):
            do(store, lambda tx, one=mark: tx.put_verification(OWN_ID, PEER_ID, one))  # type: ignore[misc]
        store.close()
        again = self.open(path)
        assert again.read(lambda r: r.verification(OWN_ID, PEER_ID)) == Mark("bela", 7)
        for pair in ((OWN_ID, other), (other, PEER_ID), (PEER_ID, OWN_ID)):
            assert again.read(lambda r, ids=pair: r.verification(*ids)) is None  # type: ignore[misc]
        again.close()

    def test_a_revocation_is_for_good(self, store: Store, path: Path) -> None:
        """A card that came back after a restart, or whose day could be moved, was never revoked."""
        assert store.read(lambda r: r.revocation(PEER_ID)) is None
        for mark in (Mark("anna", 5), Mark("bela", 7)):
            do(store, lambda tx, one=mark: tx.put_revocation(PEER_ID, one))  # type: ignore[misc]
        store.close()
        again = self.open(path)
        assert do(again, lambda tx: tx.revocation(PEER_ID)) == Mark("anna", 5)
        assert again.read(lambda r: r.revocation(PEER_ID)) == Mark("anna", 5)
        assert again.read(lambda r: r.revocation(OWN_ID)) is None
        again.close()

    def test_key_changes_stay_with_their_log(self, store: Store, line: int, path: Path) -> None:
        """A change that was lost, or moved to another log, would have a log signed by nobody."""
        other = store.add_line("east", b"e" * 32)
        changes = [KeyChange(n, bytes([n]) * 32, b"succession %d" % n) for n in (3, 8)]
        for change in changes:
            do(store, lambda tx, one=change: tx.put_key_change(line, Side.PEER, one))  # type: ignore[misc]
        assert do(store, lambda tx: tx.key_changes(line, Side.PEER)) == changes
        do(store, lambda tx: tx.end_card_before(line, Side.PEER, changes[0].id))
        do(store, lambda tx: tx.end_card_before(line, Side.OWN, changes[1].id))
        store.close()
        again = self.open(path)
        kept = again.read(lambda r: r.key_changes(line, Side.PEER))
        assert kept == [replace(changes[0], ended=True), changes[1]]
        assert again.read(lambda r: r.key_changes(line, Side.OWN)) == []
        assert again.read(lambda r: r.key_changes(other, Side.PEER)) == []
        with pytest.raises(LocalMisuseError):
            do(again, lambda tx: tx.put_key_change(line, Side.PEER, changes[0]))
        again.close()

    def test_a_line_is_founded_once(self, store: Store, line: int) -> None:
        """Under another card of ours its empty heads would be others, and its first entry damaged."""
        later = b"\x07" * 32
        east = store.add_line("east", b"e" * 32, later)
        assert store.add_line("east", b"e" * 32, later) == east
        do(store, lambda tx: acts.append(tx, line, Side.OWN, [b"one"]))
        heads = {one.line: (one.own.head, one.peer.head) for one in store.read(lambda r: r.lines())}
        assert heads[east] == (head_zero(later, b"e" * 32), head_zero(b"e" * 32, later))
        [entry] = do(store, lambda tx: tx.entries(line, Side.OWN, 1, 1, 100))
        assert entry.head == next_head(head_zero(OWN_ID, PEER_ID), b"one")

    def test_a_partial_is_dropped(self, store: Store, line: int) -> None:
        """What was no message must not count among those that are half received."""
        partial = Partial(Precedence.FLASH, "key-change.1", 9000, (4,), 4000)
        do(store, lambda tx: tx.put_partial(line, partial))
        do(store, lambda tx: tx.drop_partial(line, "another"))
        assert do(store, lambda tx: tx.partials(line)) == [partial]
        do(store, lambda tx: tx.drop_partial(line, partial.id))
        assert do(store, lambda tx: tx.partials(line)) == []

    def test_a_courier_key_belongs_to_a_line(self, store: Store, line: int, path: Path) -> None:
        """Sealed to another line's key, a courier file would be read by another peer."""
        other = store.add_line("east", b"e" * 32)
        assert do(store, lambda tx: tx.courier_key(line)) is None
        for key in (b"first", b"second"):
            do(store, lambda tx, key=key: tx.put_courier_key(line, key))  # type: ignore[misc]
            assert do(store, lambda tx: tx.courier_key(line)) == key
        assert do(store, lambda tx: tx.courier_key(other)) is None
        store.close()
        again = self.open(path)
        try:
            assert do(again, lambda tx: tx.courier_key(line)) == b"second"
        finally:
            again.close()

    def test_an_unknown_line_is_a_bug(self, store: Store, line: int) -> None:
        """A row written for no line would never be seen again."""
        record = do(store, lambda tx: tx.line(line))
        with pytest.raises(LocalMisuseError):
            do(store, lambda tx: tx.line(line + 1))
        with pytest.raises(LocalMisuseError):
            do(store, lambda tx: tx.put_line(replace(record, line=line + 1)))

    # --- the queue ---

    def test_the_queue_goes_by_precedence_then_by_age(self, store: Store, line: int) -> None:
        """A FLASH behind bulk traffic, or two orders in the wrong order."""
        for number, precedence in enumerate([3, 0, 2, 0, 3, 1]):
            acts.enqueue(store, line, outgoing(f"m{number}", "x", Precedence(precedence)))
        found = acts.queued(store, line)
        assert ids(found) == ["m1", "m3", "m5", "m2", "m0", "m4"]
        assert found[0].precedence is Precedence.FLASH
        assert found[0].kind is Kind.MESSAGE
        assert found[0].content == acts.content("m1", "x", Precedence.FLASH)
        assert ids(acts.queued(store, line, most=2)) == ["m1", "m3"]

    def test_of_the_queue_is_read_what_has_room_but_one_at_least(
        self, store: Store, line: int
    ) -> None:
        """A run of a few entries had hundreds read for it, and a queue of long messages megabytes."""
        for identifier in "abcd":
            acts.enqueue(store, line, outgoing(identifier))
        size_bytes = [len(acts.content(identifier)) for identifier in "abcd"]
        for room_bytes, found in (
            (0, "a"),
            (size_bytes[0], "a"),
            (size_bytes[0] + 1, "ab"),
            (sum(size_bytes[:3]), "abc"),
            (MIB, "abcd"),
        ):
            assert ids(acts.queued(store, line, 9, room_bytes)) == list(found)

    def test_queues_of_two_lines_are_apart(self, store: Store, line: int) -> None:
        """A message would go to the wrong station."""
        other = store.add_line("west", b"\x07" * 32)
        acts.enqueue(store, line, outgoing("same"))
        acts.enqueue(store, other, outgoing("same", precedence=Precedence.FLASH))
        acts.seal(store, line)
        assert acts.queued(store, line) == []
        assert ids(acts.queued(store, other)) == ["same"]
        assert [v.line for v in store.read(lambda r: r.show("same"))] == ["south", "west"]

    def test_digests_tell_known_ids(self, store: Store, line: int) -> None:
        """A repeated send would be a second message, or a clash would pass for a repetition."""
        acts.enqueue(store, line, outgoing("a"))
        acts.receive(store, line, "b")
        assert do(store, lambda tx: tx.digests(line, ["a", "b", "c"])) == {"a": b"digest"}
        assert do(store, lambda tx: tx.digests(line, [])) == {}
        assert do(store, lambda tx: tx.known_incoming(line, ["a", "b", "c"])) == {"b"}

    def test_an_id_used_twice_is_a_bug(self, store: Store, line: int) -> None:
        """Whoever asks for one message would be shown another."""
        acts.enqueue(store, line, outgoing("a"))
        with pytest.raises(LocalMisuseError):
            acts.enqueue(store, line, outgoing("b"), outgoing("a"))
        assert ids(acts.queued(store, line)) == ["a"]

    def test_expiry_finds_what_is_due_and_wholly_queued(self, store: Store, line: int) -> None:
        """An order would leave after its time, or one half sent would be cut off."""
        long = "x" * 9000
        acts.enqueue(
            store,
            line,
            outgoing("never"),
            outgoing("later", expires_ns=300),
            outgoing("now", expires_ns=200),
            outgoing("before", expires_ns=100),
            outgoing("begun", long, Precedence.FLASH, expires_ns=100),
        )
        acts.seal_part(store, line)
        due = do(store, lambda tx: tx.due(line, 200, 10))
        assert ids(due) == ["before", "now"]
        assert due[0].expires_ns == 100
        assert ids(do(store, lambda tx: tx.due(line, 200, 1))) == ["before"]
        do(store, lambda tx: tx.set_queueing([row.row for row in due], Queueing.EXPIRED))
        assert do(store, lambda tx: tx.due(line, 200, 10)) == []
        assert ids(acts.queued(store, line)) == ["begun", "never", "later"]
        view = acts.find(store, line, Side.OWN, "now")
        assert (view.state, view.body, view.expires_ns) == (State.EXPIRED, "hello", 200)

    def test_a_cancelled_message_stays_visible(self, store: Store, line: int) -> None:
        """Never lost: whoever sent it must see what became of it."""
        acts.enqueue(store, line, outgoing("a", "do not"))
        row = do(store, lambda tx: tx.waiting(line, "a"))
        assert row is not None
        assert row.content == acts.content("a", "do not")
        do(store, lambda tx: tx.set_queueing([row.row], Queueing.CANCELLED))
        view = acts.find(store, line, Side.OWN, "a")
        assert (view.state, view.body, view.number) == (State.CANCELLED, "do not", None)
        assert do(store, lambda tx: tx.waiting(line, "a")) is None
        assert store.read(lambda r: r.page(Side.OWN)) == [view]

    @pytest.mark.parametrize("queueing", [Queueing.EXPIRED, Queueing.CANCELLED])
    def test_what_is_sealed_cannot_be_withdrawn(
        self, store: Store, line: int, queueing: Queueing
    ) -> None:
        """A state would go backwards: "cancelled" here, and carried out over there."""
        acts.enqueue(store, line, outgoing("a"), outgoing("b", "x" * 9000))
        [a, b] = acts.queued(store, line)
        acts.seal(store, line, most=1)
        acts.seal_part(store, line)
        for row in (a, b):
            with pytest.raises(LocalMisuseError):
                acts.withdraw(store, queueing, row.row)
            assert acts.find(store, line, Side.OWN, row.id).state is State.SENT
            assert not acts.is_waiting(store, line, row.id)

    def test_what_is_withdrawn_cannot_be_sealed(self, store: Store, line: int) -> None:
        """A cancelled message would be sent after all."""
        acts.enqueue(store, line, outgoing("a"))
        [row] = acts.queued(store, line)
        do(store, lambda tx: tx.set_queueing([row.row], Queueing.CANCELLED))
        with pytest.raises(LocalMisuseError):
            do(store, lambda tx: tx.seal(line, [(row.row, 1)]))
        with pytest.raises(LocalMisuseError):
            do(store, lambda tx: tx.set_queueing([row.row], Queueing.SEALED))

    # --- the logs ---

    def test_entries_come_back_as_they_went_in(self, store: Store, line: int) -> None:
        """Bytes that were signed must be the bytes that are sent and shown to a third person."""
        data = [bytes([n]) * (n + 1) for n in range(10)]
        do(store, lambda tx: acts.append(tx, line, Side.OWN, data[:4]))
        do(store, lambda tx: acts.append(tx, line, Side.PEER, [b"theirs"]))
        do(store, lambda tx: acts.append(tx, line, Side.OWN, data[4:]))

        def run(first: int, most: int = 99, most_bytes: int = 9999) -> list[bytes]:
            found = do(store, lambda tx: tx.entries(line, Side.OWN, first, most, most_bytes))
            assert [e.number for e in found] == list(range(first, first + len(found)))
            return [e.data for e in found]

        assert run(1) == data
        assert run(5) == data[4:]
        assert run(5, most=2) == data[4:6]
        assert run(5, most_bytes=11) == data[4:6]
        assert run(5, most_bytes=1) == data[4:5]
        assert run(11) == []
        assert run(2**41) == []

    def test_heads_and_counts(self, store: Store, line: int) -> None:
        """A fork is seen by heads only; a peer may ask for a number that is not there."""
        do(store, lambda tx: acts.append(tx, line, Side.OWN, [b"a", b"b"]))
        do(store, lambda tx: acts.append(tx, line, Side.PEER, [b"c"]))
        record = do(store, lambda tx: tx.line(line))
        assert do(store, lambda tx: tx.head(line, Side.OWN, 2)) == record.own.head
        assert do(store, lambda tx: tx.head(line, Side.PEER, 1)) == record.peer.head
        beyond = (3, 2**40 - 1, 2**40 + 1, 2**63)
        assert not any(do(store, lambda tx: [tx.head(line, Side.OWN, n) for n in beyond]))
        assert do(store, lambda tx: [tx.messages_until(line, Side.OWN, n) for n in range(3)]) == [
            0,
            1,
            2,
        ]

    @pytest.mark.parametrize("number", [1, 3])
    def test_a_hole_or_a_second_entry_is_a_bug(self, store: Store, line: int, number: int) -> None:
        """Numbers have no holes, and none is given twice."""
        do(store, lambda tx: acts.append(tx, line, Side.OWN, [b"a"]))
        entry = LogEntry(number, b"h" * 64, b"b", 2)
        with pytest.raises(LocalMisuseError):
            do(store, lambda tx: tx.append(line, Side.OWN, [entry]))

    # --- what proves ---

    def test_history_is_what_was_stored(self, store: Store, line: int) -> None:
        """Whoever checks must see the very bytes, with nothing put right on the way."""
        do(store, lambda tx: acts.append(tx, line, Side.OWN, [b"a", b"b", b"c"]))
        do(store, lambda tx: tx.append(line, Side.PEER, [LogEntry(1, b"h" * 64, b"false", 1)]))
        for number in (1, 3):
            acts_signature = bytes([number]) * 64
            do(
                store,
                lambda tx, n=number, s=acts_signature: tx.put_signature(line, Side.OWN, n, n, s, 5),  # type: ignore[misc]
            )
        receipt = Receipt(2, b"h" * 64, 2**64 - 1, b"r" * 64)
        do(store, lambda tx: tx.put_receipt(line, receipt, 9))

        def look(work: Callable[[Any], Any]) -> Any:
            return store.read(lambda reader: work(reader.history()))

        own = look(lambda h: h.entries(line, Side.OWN, 1, 9, 999))
        assert [(row.number, row.data) for row in own] == [(1, b"a"), (2, b"b"), (3, b"c")]
        assert look(lambda h: h.entries(line, Side.OWN, 2, 9, 1)) == own[1:2]
        assert [row.data for row in look(lambda h: h.entries(line, Side.PEER, 1, 9, 999))] == [
            b"false"
        ]
        assert look(lambda h: h.head(line, Side.OWN, 2)) == own[1].head
        assert look(lambda h: h.head(line, Side.OWN, 4)) is None
        assert look(lambda h: h.signatures(line, Side.OWN, 1, 99, 9)) == [
            (1, b"\1" * 64),
            (3, b"\3" * 64),
        ]
        assert look(lambda h: h.signatures(line, Side.OWN, 2, 99, 1)) == [(3, b"\3" * 64)]
        assert look(lambda h: h.signatures(line, Side.PEER, 1, 99, 9)) == []
        assert look(lambda h: h.receipts(line, 1, 99, 9)) == [receipt]
        assert look(lambda h: h.receipts(line, 3, 99, 9)) == []

    def test_entries_that_carry_and_that_answer(self, store: Store, line: int) -> None:
        """Evidence needs every part of a message, and every answer to it."""
        acts.enqueue(store, line, outgoing("a"), outgoing("long", "x" * 9000))
        acts.seal(store, line, most=1)
        while not acts.seal_part(store, line):
            pass
        answer = encode(Acknowledgement("ack.1.read", "a", 1, Decision.READ, 5, "lt kovac", ""))
        do(store, lambda tx: acts.append(tx, line, Side.PEER, [encode(Test("a", 1, "x")), answer]))
        acts.enqueue(store, line, outgoing("waits"))
        found = [
            store.read(lambda r, name=name: r.history().carriers(line, Side.OWN, name))  # type: ignore[misc]
            for name in ("a", "long", "waits", "unknown")
        ]
        assert found == [[1], [2, 3, 4], [], []]
        assert store.read(lambda r: r.history().answers(line, Side.PEER, "a")) == [2]
        assert store.read(lambda r: r.history().answers(line, Side.PEER, "long")) == []
        assert store.read(lambda r: r.history().answers(line, Side.OWN, "a")) == []

    def test_checkpoints_are_thinned_out_behind_the_newest(self, store: Store, line: int) -> None:
        """All of them would outgrow the logs; the newest alone would lie too far from old entries."""

        def checkpoint(own: int, peer: int) -> Checkpoint:
            first, second = (Position(n, bytes([n % 251]) * 64) for n in (own, peer))
            return Checkpoint(first, second, 2**64 - 1, bytes(4627))

        made = [checkpoint(7 * n, 3 * n) for n in range(1, 1000)]

        def put(tx: Transaction) -> None:
            for one in made:
                tx.put_checkpoint(line, Side.PEER, one, 5)
            tx.put_checkpoint(line, Side.OWN, checkpoint(1, 0), 5)

        do(store, put)
        assert do(store, lambda tx: tx.newest_checkpoint(line, Side.PEER)) == made[-1]
        assert do(store, lambda tx: tx.newest_checkpoint(line, Side.OWN)) == checkpoint(1, 0)
        kept = store.read(lambda r: r.history().checkpoints(line, Side.PEER, 0, 9999))
        assert [one for _, one in kept] == [one for one in made if one in [k for _, k in kept]]
        assert len(kept) <= 9990 // (CHECKPOINT_KEPT_ENTRIES // 2) + 2
        paged = store.read(lambda r: r.history().checkpoints(line, Side.PEER, kept[2][0], 2))
        assert paged == kept[3:5]
        for number in range(1, 6993, 100):
            found = store.read(
                lambda r, n=number: r.history().covering(line, Side.PEER, n, 0)  # type: ignore[misc]
            )
            assert found is not None
            assert number <= found.own.number <= number + CHECKPOINT_KEPT_ENTRIES
        assert store.read(lambda r: r.history().covering(line, Side.PEER, 1, 2998)) is None

    # --- what becomes of a message ---

    def test_a_message_s_way(self, store: Store, line: int) -> None:
        """Each state is told from what is durable, and only in this order."""
        acts.enqueue(store, line, outgoing("a"), outgoing("b"))

        def now() -> tuple[State, int | None, int | None, int | None, int]:
            view = acts.find(store, line, Side.OWN, "b")
            assert [view] == store.read(lambda r: r.show("b"))
            return view.state, view.number, view.sent_ns, view.delivered_ns, view.attempts

        assert now() == (State.QUEUED, None, None, None, 0)
        acts.seal(store, line, at_ns=3000)
        assert now() == (State.SENT, 2, 3000, None, 1)
        acts.take_receipt(store, line, 1, at_ns=5000)
        assert now() == (State.SENT, 2, 3000, None, 1)
        acts.take_receipt(store, line, 2, at_ns=5001)
        assert now() == (State.DELIVERED, 2, 3000, 5001, 1)
        do(store, lambda tx: tx.acknowledge(line, Side.OWN, "b", ANSWER))
        assert now() == (State.ACKNOWLEDGED, 2, 3000, 5001, 1)
        view = acts.find(store, line, Side.OWN, "b")
        assert (view.acknowledged_by, view.decision) == ("lt kovac", Decision.WILCO)
        assert (view.note, view.acknowledged_ns) == ("at once", 7000)
        assert (view.author, view.body, view.composed_ns) == ("watch", "hello", 1000)

    def test_times_are_the_first_that_covered_a_message(self, store: Store, line: int) -> None:
        """A run signed anew, or a late receipt, would move the time of delivery."""
        for at_ns, number in ((10, 1), (20, 2), (30, 3)):
            acts.enqueue(store, line, outgoing(f"m{number}"))
            acts.seal(store, line, at_ns=at_ns)
        for number, at_ns in ((2, 50), (3, 60), (2, 70), (1, 80)):
            acts.take_receipt(store, line, number, at_ns=at_ns)
            acts.sign(store, line, number, at_ns=at_ns)
        acts.take_receipt(store, line, 3, at_ns=90)
        views = store.read(lambda r: r.page(Side.OWN))
        assert [view.sent_ns for view in views] == [10, 20, 30]
        assert [view.delivered_ns for view in views] == [50, 50, 60]

    def test_a_signature_in_the_midst_of_a_run_moves_no_time(self, store: Store, line: int) -> None:
        """What goes once more may be cut elsewhere: it was sent when it was sent first."""
        acts.enqueue(store, line, *(outgoing(f"m{n}") for n in range(1, 4)))
        acts.seal(store, line, at_ns=10)
        for number, at_ns in ((2, 20), (1, 30)):
            acts.sign(store, line, number, at_ns=at_ns)
        views = store.read(lambda r: r.page(Side.OWN))
        assert [view.sent_ns for view in views] == [10, 10, 10]

    def test_attempts_count_resumptions(self, store: Store, line: int) -> None:
        """How often a message went out tells an operator whether the link or the peer is at fault."""
        acts.enqueue(store, line, *(outgoing(f"m{n}") for n in range(1, 5)))
        acts.seal(store, line, most=3)
        for after, upto in ((0, 2), (1, 3), (2, 3)):
            acts.resume(store, line, after, upto)
        views = store.read(lambda r: r.page(Side.OWN))
        assert [view.attempts for view in views] == [2, 3, 3, 0]

    def test_an_incoming_message(self, store: Store, line: int) -> None:
        """The inbox shows what came, and what one of us has answered."""
        acts.receive(store, line, "a")
        view = acts.find(store, line, Side.PEER, "a")
        assert (view.state, view.number, view.received_ns) == (State.DELIVERED, 1, 4000)
        assert (view.sent_ns, view.delivered_ns, view.attempts) == (None, None, 0)
        assert view.body == "hello"
        do(store, lambda tx: tx.acknowledge(line, Side.PEER, "a", ANSWER))
        later = replace(ANSWER, decision=Decision.CANNOT, at_ns=2**64 - 1)
        do(store, lambda tx: tx.acknowledge(line, Side.PEER, "a", later))
        view = acts.find(store, line, Side.PEER, "a")
        assert (view.state, view.decision) == (State.ACKNOWLEDGED, Decision.CANNOT)
        assert view.acknowledged_ns == 2**64 - 1  # a peer may claim any time

    def test_where_a_message_stands(self, store: Store, line: int) -> None:
        """An answer is held against it, and asks nothing else of the message."""
        acts.enqueue(store, line, outgoing("a"))
        acts.receive(store, line, "b")

        def now() -> list[Standing | None]:
            asked = ((Side.OWN, "a"), (Side.PEER, "b"), (Side.PEER, "a"))
            return do(store, lambda tx: [tx.standing(line, *one) for one in asked])

        queued, received = Standing(Kind.MESSAGE, None, None), Standing(Kind.MESSAGE, 1, None)
        assert now() == [queued, received, None]
        acts.seal(store, line)
        do(store, lambda tx: tx.acknowledge(line, Side.OWN, "a", ANSWER))
        assert now() == [Standing(Kind.MESSAGE, 1, Decision.WILCO), received, None]

    def test_nobody_acknowledges_what_is_not_there(self, store: Store, line: int) -> None:
        """An acknowledgement that goes nowhere would be lost without a word."""
        acts.receive(store, line, "a")
        with pytest.raises(LocalMisuseError):
            do(store, lambda tx: tx.acknowledge(line, Side.OWN, "a", ANSWER))

    # --- long messages ---

    def test_a_long_message_goes_out_in_parts(self, store: Store, line: int) -> None:
        """An interrupted transfer goes on where it stopped, and nothing half sent is delivered."""
        body = "".join(chr(0x41 + n % 26) for n in range(9000))
        acts.enqueue(store, line, outgoing("long", body))
        assert not acts.seal_part(store, line)
        [row] = acts.queued(store, line)
        assert row.sealed_bytes == acts.CHUNK_BYTES
        acts.take_receipt(store, line, 1)
        view = acts.find(store, line, Side.OWN, "long")
        assert (view.state, view.number, view.body) == (State.SENT, None, body)
        assert (view.delivered_ns, view.attempts) == (None, 1)
        acts.enqueue(store, line, outgoing("flash", precedence=Precedence.FLASH))
        assert acts.seal(store, line, most=1) == ["flash"]
        assert not acts.seal_part(store, line)
        assert acts.seal_part(store, line)
        assert acts.queued(store, line) == []
        view = acts.find(store, line, Side.OWN, "long")
        assert (view.state, view.number, view.body) == (State.SENT, 4, body)
        acts.take_receipt(store, line, 4)
        assert acts.find(store, line, Side.OWN, "long").state is State.DELIVERED

    def test_what_was_begun_is_begun_anew(self, store: Store, line: int) -> None:
        """A station that lost where it stood would go on in the midst of a message."""
        acts.enqueue(store, line, outgoing("long", "x" * 20_000), outgoing("short"))
        acts.seal_part(store, line)
        acts.seal_part(store, line)
        [begun, short] = acts.queued(store, line)
        assert begun.sealed_bytes > 0
        assert do(store, lambda tx: tx.begin_anew(line)) == begun.sealed_bytes
        assert acts.queued(store, line) == [begun._replace(sealed_bytes=0), short]
        assert acts.find(store, line, Side.OWN, "long").state is State.SENT
        assert do(store, lambda tx: tx.begin_anew(line)) == 0
        while not acts.seal_part(store, line):
            pass
        assert acts.find(store, line, Side.OWN, "long").body == "x" * 20_000

    def test_partials(self, store: Store, line: int) -> None:
        """After a restart the rest of a long message must find what came before."""
        partial = Partial(Precedence.ROUTINE, "long", 9000, (1,), 4096)
        do(store, lambda tx: tx.put_partial(line, partial))
        more = replace(partial, numbers=(1, 2**40 - 1), have_bytes=8192)
        do(store, lambda tx: tx.put_partial(line, more))
        assert do(store, lambda tx: tx.partials(line)) == [more]
        assert do(store, lambda tx: tx.partials(line + 1)) == []

    def test_a_long_message_comes_in(self, store: Store, line: int) -> None:
        """The message shown must be the one whose parts were signed."""
        body = "x" * 9000
        acts.enqueue(store, line, outgoing("long", body))
        [row] = acts.queued(store, line)
        parts = [encode(part) for part in acts.pieces(row)]

        def work(tx: Transaction) -> None:
            acts.append(tx, line, Side.PEER, parts, messages=0)
            tx.put_partial(line, Partial(Precedence.ROUTINE, "long", 9000, (1, 2), 8192))
            tx.receive(
                line,
                [Incoming("long", Kind.MESSAGE, Precedence.ROUTINE, len(parts), 1, (1, 2, 3))],
            )

        do(store, work)
        assert do(store, lambda tx: tx.partials(line)) == []
        assert acts.find(store, line, Side.PEER, "long").body == body

    # --- pages ---

    def test_pages(self, store: Store, line: int) -> None:
        """A cursor that skips or repeats would lose a message in an operator's listing."""
        acts.receive(store, line, *(f"m{n}" for n in range(10)))
        every = store.read(lambda r: r.page(Side.PEER))
        assert ids(every) == [f"m{n}" for n in range(10)]
        rows = [view.row for view in every]
        page = store.read(lambda r: r.page(Side.PEER, most=3))
        assert ids(page) == ["m7", "m8", "m9"]
        page = store.read(lambda r: r.page(Side.PEER, before=rows[7], most=3))
        assert ids(page) == ["m4", "m5", "m6"]
        page = store.read(lambda r: r.page(Side.PEER, after=rows[1], most=3))
        assert ids(page) == ["m2", "m3", "m4"]
        assert store.read(lambda r: r.page(Side.PEER, after=rows[-1])) == []
        assert store.read(lambda r: r.page(Side.PEER, before=rows[0])) == []

    def test_pages_over_lines(self, store: Store, line: int) -> None:
        """An inbox of all lines is one, in the order in which messages came."""
        other = store.add_line("west", b"\x07" * 32)
        for number in range(6):
            acts.receive(store, other if number % 2 else line, f"m{number}")
        newest = store.read(lambda r: r.page(Side.PEER, most=3))
        assert ids(newest) == ["m3", "m4", "m5"]
        older = store.read(lambda r: r.page(Side.PEER, before=newest[0].row))
        assert ids(older) == ["m0", "m1", "m2"]
        assert ids(store.read(lambda r: r.page(Side.PEER, after=older[0].row, most=3))) == [
            "m1",
            "m2",
            "m3",
        ]
        assert ids(store.read(lambda r: r.page(Side.PEER, line=other))) == ["m1", "m3", "m5"]

    def test_open_pages(self, store: Store, line: int) -> None:
        """What still waits for somebody would hide among thousands that do not."""
        acts.enqueue(store, line, *(outgoing(f"m{n}") for n in range(5)))
        rows = [row.row for row in acts.queued(store, line)]
        do(store, lambda tx: tx.set_queueing(rows[:1], Queueing.EXPIRED))
        do(store, lambda tx: tx.set_queueing(rows[1:2], Queueing.CANCELLED))
        acts.seal(store, line, most=2)
        do(store, lambda tx: tx.acknowledge(line, Side.OWN, "m2", ANSWER))
        acts.receive(store, line, "a", "b")
        do(store, lambda tx: tx.acknowledge(line, Side.PEER, "a", ANSWER))
        assert ids(store.read(lambda r: r.page(Side.OWN, open_only=True))) == ["m3", "m4"]
        assert ids(store.read(lambda r: r.page(Side.PEER, open_only=True))) == ["b"]

    def test_a_page_ends_when_it_grows_large(self, store: Store, line: int) -> None:
        """A hundred messages of a mebibyte in one answer would exhaust whoever reads it."""
        body = "x" * 1_000_000
        for number in range(8):
            acts.enqueue(store, line, outgoing(f"m{number}", body))
        newest = store.read(lambda r: r.page(Side.OWN))
        assert 1 <= len(newest) < 8
        assert newest[-1].id == "m7"
        oldest = store.read(lambda r: r.page(Side.OWN, after=0))
        assert 1 <= len(oldest) < 8
        assert oldest[0].id == "m0"

    def test_tests_and_acknowledgements_are_no_messages(self, store: Store, line: int) -> None:
        """An operator would be shown the line's own housekeeping; a line test still has a state."""
        data = encode(Test("t1", 77, "watch"))
        test = Outgoing("t1", Kind.TEST, Precedence.FLASH, data, b"d", 1)
        acts.enqueue(store, line, test, outgoing("a"))
        acts.seal(store, line)
        assert ids(store.read(lambda r: r.page(Side.OWN))) == ["a"]
        [shown] = store.read(lambda r: r.show("t1"))
        assert (shown.kind, shown.subject, shown.body) == (Kind.TEST, "line test", "")
        view = acts.find(store, line, Side.OWN, "t1")
        assert (view.kind, view.state, view.author) == (Kind.TEST, State.SENT, "watch")
        assert (view.composed_ns, view.number) == (77, 1)

    def test_one_id_in_both_directions(self, store: Store, line: int) -> None:
        """Both stations choose ids freely: the same one twice is two messages."""
        acts.enqueue(store, line, outgoing("a", "ours"))
        acts.receive(store, line, "a", body="theirs")
        assert [v.body for v in store.read(lambda r: r.show("a"))] == ["ours", "theirs"]
        assert store.read(lambda r: r.show("b")) == []
        assert do(store, lambda tx: tx.find(line, Side.OWN, "b")) is None
