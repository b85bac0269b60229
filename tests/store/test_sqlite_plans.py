"""What a question costs: seeks and short walks, whatever the length of logs and queue."""

from __future__ import annotations

import re
import tracemalloc
from typing import TYPE_CHECKING, Any

import apsw
import pytest
from store import acts
from store.acts import OWN_ID, PEER_ID, do, outgoing

from hotline.limits import MIB
from hotline.model import Acknowledged, Decision, Partial, Precedence, Queueing, Side
from hotline.store.connection import READER_CACHE_BYTES, WRITER_CACHE_BYTES
from hotline.store.reader import SqliteReader
from hotline.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hotline.store.interface import Transaction


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore.open(tmp_path / "station.db", station_id=OWN_ID)
    assert store.add_line("south", PEER_ID) == 1
    yield store
    store.close()


def everything(store: SqliteStore) -> None:
    """Ask and do all that the interface knows."""
    acts.enqueue(store, 1, outgoing("a", expires_ns=1), outgoing("b"), outgoing("c", "x" * 9000))
    acts.seal(store, 1, most=2)
    acts.seal_part(store, 1)
    acts.receive(store, 1, "d")
    acts.take_receipt(store, 1, 1)
    acts.enqueue(store, 1, outgoing("e", expires_ns=1))

    def work(tx: Transaction) -> None:
        tx.digests(1, ["a"])
        tx.known_incoming(1, ["d"])
        tx.entries(1, Side.OWN, 1, 9, 9)
        tx.put_partial(1, Partial(Precedence.ROUTINE, "p", 9000, (1,), 1))
        tx.partials(1)
        tx.put_resumption(1, 0, 2)
        tx.find(1, Side.OWN, "c")
        tx.standing(1, Side.OWN, "c")
        tx.acknowledge(1, Side.OWN, "b", Acknowledged("x", Decision.READ, "", 1))
        assert tx.waiting(1, "e")
        tx.set_queueing([row.row for row in tx.due(1, 9, 9)], Queueing.EXPIRED)

    do(store, work)
    reader = SqliteReader(store._database)
    for side in Side:
        for open_only in (False, True):
            reader.page(side, line=1, after=0, open_only=open_only)
            reader.page(side, line=1, before=9, open_only=open_only)
    reader.show("a")


def bindings(statement: str) -> int:
    """Count the values that a statement takes, with or without numbers."""
    marks = re.findall(r"\?(\d*)", statement)
    return max(len(marks) if not mark else int(mark) for mark in marks) if marks else 0


def plans(store: SqliteStore) -> dict[str, str]:
    """Give the query plan of each statement that everything() runs."""
    statements: dict[str, None] = {}

    def note(_cursor: apsw.Cursor, statement: str, _bindings: Any) -> bool:
        statements[statement] = None
        return True

    store._database.set_exec_trace(note)
    everything(store)
    store._database.set_exec_trace(None)
    return {
        statement: "; ".join(
            row[3]
            for row in store._database.execute(
                f"EXPLAIN QUERY PLAN {statement}", (None,) * bindings(statement)
            )
        )
        for statement in statements
        if statement.split()[0] in {"SELECT", "INSERT", "UPDATE", "DELETE"}
    }


def test_no_statement_walks_through_a_table(store: SqliteStore) -> None:
    """At a million messages each of them would stop the line for a second.

    The exceptions: the few lines, the ids that were asked for, the rows that a statement lists
    itself, and a look at a table's end.
    """
    found = plans(store)
    assert len(found) > 25
    allowed = ("SCAN line", "SCAN j VIRTUAL TABLE", "SCAN CONSTANT ROW")
    walks = {
        statement: plan
        for statement, plan in found.items()
        for step in plan.split("; ")
        if step.startswith("SCAN") and not step.startswith(allowed)
    }
    assert walks == {}


def test_what_changes_a_message_finds_it_by_its_row_or_id(store: SqliteStore) -> None:
    """By its line alone it would be looked for among all of the line's messages, for each run."""
    changes = {s: p for s, p in plans(store).items() if s.split()[0] in ("UPDATE", "DELETE")}
    assert len(changes) > 8
    for statement, plan in changes.items():
        assert re.match(r"SEARCH \w+ USING .*(rowid|row=|id=|key[>=])", plan), (statement, plan)


def test_nothing_but_show_sorts(store: SqliteStore) -> None:
    """A sort needs all rows before it gives the first; only the same id on many lines is few."""
    sorts = [statement for statement, plan in plans(store).items() if "TEMP B-TREE" in plan]
    assert all("id = ?" in statement for statement in sorts)


def test_pages_use_their_indexes(store: SqliteStore) -> None:
    """Three open messages among a million would be searched for by hand."""
    pages = {s: p for s, p in plans(store).items() if s.startswith("SELECT row FROM message WHERE")}
    by_index = {s: p for s, p in pages.items() if "kind = 1" in s}
    assert len(by_index) == 4
    for statement, plan in by_index.items():
        index = "message_open" if "acknowledged_ns" in statement else "message_shown"
        assert index in plan, plan


def test_memory_does_not_grow_with_the_queue(store: SqliteStore) -> None:
    """A queue of days, at the end of a long outage, must not be what stops the daemon."""
    for number in range(60):
        acts.enqueue(store, 1, outgoing(f"m{number}", "x" * (MIB - 1)))
    tracemalloc.start()
    try:
        rows = acts.queued(store, 1, most=1000)
        page = store.read(lambda r: r.page(Side.OWN, most=1000))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert rows[0].id == "m0"
    assert page[-1].id == "m59"
    assert peak < 20 * MIB
    assert apsw.memory_used() < WRITER_CACHE_BYTES + READER_CACHE_BYTES + 4 * MIB
