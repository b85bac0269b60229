"""What a message of ours says is stored once, and let go of when the log holds it in other pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import apsw
import pytest
from store import acts
from store.acts import OWN_ID, PEER_ID, do, outgoing

from hotline.errors import LocalMisuseError
from hotline.model import Kind, Precedence, Queueing, Side, State, TakenBack
from hotline.store import connection, migrations, schema
from hotline.store.keys import log_key, queue_key
from hotline.store.sqlite import SqliteStore
from hotline.wire.heads import head_zero, next_head

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "station.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore.open(path, station_id=OWN_ID)
    yield store
    store.close()


def kept(path: Path) -> list[int]:
    """Give the rows of what is said outside of the logs."""
    database = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    rows = [row for (row,) in database.execute("SELECT row FROM content ORDER BY row")]
    database.close()
    return rows


def test_an_entry_that_is_a_message_is_not_written_again(store: SqliteStore, path: Path) -> None:
    """Every message would be written twice, and the pages of the queue once more to empty them."""
    line = store.add_line("south", PEER_ID)
    acts.enqueue(store, line, outgoing("a"), outgoing("b"))
    said = [row.content for row in acts.queued(store, line)]
    acts.seal(store, line)
    assert kept(path) == [1, 2]
    database = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    assert database.execute("SELECT sum(length(data)) FROM entry").get == 0
    database.close()
    entries = do(store, lambda tx: tx.entries(line, Side.OWN, 1, 9, 10**6))
    assert [entry.data for entry in entries] == said
    assert [view.body for view in store.read(lambda r: r.page(Side.OWN))] == ["hello", "hello"]


def test_what_stands_in_parts_is_let_go_when_all_of_it_does(store: SqliteStore, path: Path) -> None:
    """A long message would lie on the disk twice for ever; let go too early it could not be sent."""
    line = store.add_line("south", PEER_ID)
    acts.enqueue(store, line, outgoing("long", "x" * 20_000), outgoing("short"))
    while not acts.seal_part(store, line):
        assert kept(path) == [1, 2]
    assert kept(path) == [2]
    acts.seal(store, line)
    assert kept(path) == [2]
    [long, short] = store.read(lambda r: r.page(Side.OWN))
    assert (short.body, long.body) == ("hello", "x" * 20_000)


@pytest.mark.parametrize("queueing", [Queueing.CANCELLED, Queueing.EXPIRED])
def test_what_is_withdrawn_stays_readable_in_one_place(
    store: SqliteStore, path: Path, queueing: Queueing
) -> None:
    """An operator who took an order back must still be able to read which."""
    line = store.add_line("south", PEER_ID)
    acts.enqueue(store, line, outgoing("a"), outgoing("b", "kept"))
    do(store, lambda tx: tx.set_queueing([1], queueing))
    assert kept(path) == [2]
    assert [view.body for view in store.read(lambda r: r.page(Side.OWN))] == ["hello", "kept"]


def test_what_came_back_in_the_log_is_let_go(store: SqliteStore, path: Path) -> None:
    """What a lost store had sent is in the log that the peer gave back, with all that it says."""
    line = store.add_line("south", PEER_ID)
    acts.enqueue(store, line, outgoing("a"))
    [queued] = acts.queued(store, line)
    do(store, lambda tx: acts.append(tx, line, Side.OWN, [queued.content]))
    found = TakenBack("a", Kind.MESSAGE, Precedence.ROUTINE, 1, b"d" * 16, ())
    do(store, lambda tx: tx.take_back(line, [found], 5))
    assert kept(path) == []
    [view] = store.read(lambda r: r.page(Side.OWN))
    assert (view.body, view.state) == ("hello", State.SENT)


def test_what_has_its_place_in_the_log_is_not_found_at_another(store: SqliteStore) -> None:
    """One message under two numbers would be delivered twice, or shown where it does not stand."""
    line = store.add_line("south", PEER_ID)
    acts.enqueue(store, line, outgoing("a"))
    [queued] = acts.queued(store, line)
    acts.seal(store, line)
    do(store, lambda tx: acts.append(tx, line, Side.OWN, [queued.content]))
    found = TakenBack("a", Kind.MESSAGE, Precedence.ROUTINE, 2, b"d" * 16, ())
    with pytest.raises(LocalMisuseError, match="not as it was thought"):
        do(store, lambda tx: tx.take_back(line, [found], 5))
    assert [view.number for view in store.read(lambda r: r.page(Side.OWN))] == [1]


def test_a_store_of_before_is_brought_over(path: Path) -> None:
    """What waited for years must still be sent as it was said, and what was sent stay provable."""
    with path.open("wb"):
        path.chmod(0o600)
    database = connection.connect(path, None)
    connection.make_writer(database)
    schema.migrate(database, migrations.steps()[:5])
    schema.claim(database, path, OWN_ID)
    sent, waits = acts.content("sent"), acts.content("waits", "a while", Precedence.FLASH)
    head = next_head(head_zero(OWN_ID, PEER_ID), sent)
    database.execute(
        "INSERT INTO line (name, peer_id, own_id, own_number, own_head, peer_number, peer_head)"
        " VALUES ('south', ?, ?, 1, ?, 0, ?)",
        (PEER_ID, OWN_ID, head, head_zero(PEER_ID, OWN_ID)),
    )
    database.execute("INSERT INTO entry VALUES (?, 1, ?, ?)", (log_key(1, Side.OWN, 1), head, sent))
    for row, queueing, number, identifier in ((1, 2, 1, "sent"), (7, 0, None, "waits")):
        database.execute(
            "INSERT INTO message (row, line, side, kind, precedence, queueing, number, at_ns, id)"
            " VALUES (?, 1, 0, 1, 0, ?, ?, 5, ?)",
            (row, queueing, number, identifier),
        )
    database.execute("INSERT INTO queue VALUES (?, ?)", (queue_key(1, Precedence.FLASH, 7), waits))
    database.close()
    store = SqliteStore.open(path, station_id=OWN_ID)
    [entry] = do(store, lambda tx: tx.entries(1, Side.OWN, 1, 9, 10**6))
    assert entry.data == sent
    [queued] = acts.queued(store, 1)
    assert (queued.row, queued.id, queued.content) == (7, "waits", waits)
    acts.seal(store, 1)
    assert kept(path) == [7]
    assert [view.id for view in store.read(lambda r: r.page(Side.OWN))] == ["sent", "waits"]
    store.close()
