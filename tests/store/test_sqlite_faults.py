"""A disk that is full, that fails, and that lies: what the store says, and what it keeps."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import apsw
import pytest
from store import acts
from store.acts import OWN_ID, PEER_ID, do, outgoing
from store.faulty_disk import FaultyDisk, broken, closed_to, full

from hotline.errors import RefusedError, StoreDamagedError, StoreError, StoreFullError
from hotline.model import Side
from hotline.store import sqlite
from hotline.store.sqlite import SqliteStore
from hotline.store.views import Damaged
from support.processes import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hotline.store.interface import Transaction


@pytest.fixture
def disk() -> Iterator[FaultyDisk]:
    disk = FaultyDisk("faulty")
    yield disk
    disk.unregister()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "station.db"


@pytest.fixture
def store(path: Path, disk: FaultyDisk) -> Iterator[SqliteStore]:
    store = SqliteStore.open(path, station_id=OWN_ID, vfs=disk.name)
    line = store.add_line("south", PEER_ID)
    assert line == 1
    acts.enqueue(store, line, outgoing("before"))
    yield store
    disk.heal()
    store.close()


def ids(store: SqliteStore) -> list[str]:
    return [view.id for view in store.read(lambda r: r.page(Side.OWN))]


def test_every_commit_syncs_the_write_ahead_log(store: SqliteStore, disk: FaultyDisk) -> None:
    """Without it "queued" would be said of a message that a power cut takes away."""
    for number in range(3):
        disk.synced.clear()
        acts.enqueue(store, 1, outgoing(f"m{number}"))
        assert [name.rpartition("-")[2] for name in disk.synced] == ["wal"]


def test_a_move_of_the_log_syncs_both_files(
    store: SqliteStore, disk: FaultyDisk, path: Path
) -> None:
    """A log cut back before the database is on disk would lose what both of them held."""
    disk.synced.clear()
    store.close()
    wal = f"{path}-wal"
    assert disk.synced[:2] == [wal, str(path)]


def test_a_full_disk_refuses_and_may_be_tried_again(store: SqliteStore, disk: FaultyDisk) -> None:
    """A full disk is no damage: when there is room again the same daemon goes on."""
    disk.on_write = full
    with pytest.raises(StoreFullError, match=r"station\.db: the disk is full"):
        acts.enqueue(store, 1, outgoing("refused"))
    assert ids(store) == ["before"]
    disk.heal()
    acts.enqueue(store, 1, outgoing("refused"))
    assert ids(store) == ["before", "refused"]


def test_a_disk_that_fills_up_within_a_work(store: SqliteStore) -> None:
    """SQLite rolls back by itself then; the savepoint is gone, and a work's own error with it."""
    pages = store._database.pragma("page_count")
    store._database.pragma("max_page_count", pages + 20)
    seen: list[str] = []

    def grow(tx: Transaction) -> None:
        seen.append("grow")
        tx.enqueue(1, [outgoing("large", "x" * 1_000_000)])

    def refused(_tx: Transaction) -> None:
        seen.append("refused")
        raise RefusedError("queue-full", "no room")

    with pytest.raises(StoreFullError):
        store.transact([refused, grow, refused])
    assert seen == ["refused", "grow"]
    assert ids(store) == ["before"]
    store._database.pragma("max_page_count", 1_000_000)
    do(store, grow)
    assert ids(store) == ["before", "large"]


def test_a_full_disk_does_not_break_a_move_of_the_log(
    store: SqliteStore, disk: FaultyDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log stays as it is, and is moved once there is room."""
    monkeypatch.setattr(sqlite, "WAL_BYTES", 1)
    disk.on_write = full
    with pytest.raises(StoreFullError):
        store.move_wal()
    disk.heal()
    store.move_wal()
    assert ids(store) == ["before"]


def test_a_failed_fsync_is_never_tried_again(
    store: SqliteStore, disk: FaultyDisk, path: Path
) -> None:
    """After a failed fsync the kernel calls the pages clean: a second one "succeeds" and lies."""
    disk.on_sync = broken
    with pytest.raises(StoreError, match=r"station\.db: the store failed") as caught:
        acts.enqueue(store, 1, outgoing("doubtful"))
    assert not isinstance(caught.value, StoreFullError)
    disk.heal()
    disk.synced.clear()
    disk.written.clear()
    for attempt in (
        lambda: acts.enqueue(store, 1, outgoing("late")),
        lambda: ids(store),
        lambda: store.add_line("west", b"\x07" * 32),
        lambda: acts.queued(store, 1),
    ):
        with pytest.raises(StoreError, match="refused since an earlier failure"):
            attempt()
    store.close()
    assert (disk.synced, disk.written) == ([], [])
    again = SqliteStore.open(path, station_id=OWN_ID)
    assert [row.id for row in acts.queued(again, 1)] in (["before"], ["before", "doubtful"])
    again.close()


def test_the_log_is_written_and_synced_once_more_before_anything_reads_it(
    store: SqliteStore, disk: FaultyDisk, path: Path
) -> None:
    """What a failed fsync left in memory only would be trusted by the next start, and then lost."""
    disk.on_sync = broken
    with pytest.raises(StoreError):
        acts.enqueue(store, 1, outgoing("doubtful"))
    store.close()
    disk.heal()
    disk.synced.clear()
    disk.written.clear()
    wal = f"{path}-wal"
    before: list[tuple[set[str], list[str]]] = []

    def note(name: str) -> None:
        if name == str(path):
            before.append((set(disk.written), list(disk.synced)))

    disk.on_open = note
    SqliteStore.open(path, station_id=OWN_ID, vfs=disk.name).close()
    assert before[0] == ({wal}, [wal])


def test_a_failed_read_stops_the_store_too(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that cannot be read is no disk to promise anything on."""

    def fail(*_arguments: object) -> None:
        raise apsw.CorruptError("malformed")

    with pytest.raises(StoreError, match="damaged") as caught:
        store.read(fail)
    assert "restore no older one" in caught.value.hint, "who restores one signs a second history"
    monkeypatch.undo()
    with pytest.raises(StoreError, match="refused since"):
        acts.queued(store, 1)


def spoil(path: Path, statement: str) -> None:
    """Change the file behind the store's back."""
    database = apsw.Connection(str(path))
    database.execute(statement)
    database.close()


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE content SET content = x'00' WHERE row = 2", "does not match"),
        ("DELETE FROM content WHERE row = 2", "does not match"),
        ("UPDATE entry SET row = 3 WHERE key & 255 = 2", "does not match"),
        ("UPDATE entry SET row = NULL WHERE key & 255 = 2", "does not match"),
        ("UPDATE entry SET head = zeroblob(64) WHERE key & 255 = 2", "does not match"),
        ("DELETE FROM entry WHERE key & 255 = 2", "is missing"),
    ],
)
def test_a_changed_entry_is_found_when_it_is_read(path: Path, statement: str, fault: str) -> None:
    """Bytes that rotted on the disk would be sent, or shown to a third person, as signed."""
    store = SqliteStore.open(path, station_id=OWN_ID)
    line = store.add_line("south", PEER_ID)
    acts.enqueue(store, line, *(outgoing(f"m{n}") for n in range(3)))
    acts.seal(store, line)
    spoil(path, statement)
    message = f"station.db: entry 2 of our own log of line south {fault}"
    with pytest.raises(StoreError, match=message) as caught:
        do(store, lambda tx: tx.entries(line, Side.OWN, 1, 10, 9999))
    assert "restore no older one" in caught.value.hint
    with pytest.raises(StoreError, match="refused since"):
        store.read(lambda r: r.lines())
    store.close()
    store = SqliteStore.open(path, station_id=OWN_ID)
    with pytest.raises(StoreError, match=message):
        store.read(lambda r: r.page(Side.OWN, after=0))
    store.close()


def test_a_hole_right_before_what_is_read_is_found(path: Path) -> None:
    """What follows a lost entry can be checked against nothing, and would be sent as it stands."""
    store = SqliteStore.open(path, station_id=OWN_ID)
    line = store.add_line("south", PEER_ID)
    acts.enqueue(store, line, *(outgoing(f"m{n}") for n in range(3)))
    acts.seal(store, line)
    spoil(path, "DELETE FROM entry WHERE key & 255 = 1")
    with pytest.raises(StoreError, match=r"station\.db: entry 1 of our own log .* is missing"):
        do(store, lambda tx: tx.entries(line, Side.OWN, 2, 10, 9999))
    store.close()


def test_lost_content_is_found(path: Path) -> None:
    """A queued message without its words would be sent empty."""
    store = SqliteStore.open(path, station_id=OWN_ID)
    line = store.add_line("south", PEER_ID)
    acts.enqueue(store, line, outgoing("a"))
    spoil(path, "DELETE FROM content")
    with pytest.raises(StoreError, match="message a of line south has lost its content"):
        store.read(lambda r: r.page(Side.OWN))
    with pytest.raises(StoreError, match="message a waits, but has lost its content"):
        acts.queued(store, line)
    store.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE content SET content = x'00' WHERE row = 2",
        "UPDATE message SET queueing = 99 WHERE id = 'm1'",
        "UPDATE message SET decision = 99 WHERE id = 'm1'",
        "UPDATE message SET acknowledged_by = CAST(x'ff' AS TEXT) WHERE id = 'm1'",
    ],
)
def test_a_damaged_row_is_no_end_to_a_store_that_was_only_asked(path: Path, statement: str) -> None:
    """All lines of a station would stop whenever somebody looks at one old message."""
    store = SqliteStore.open(path, station_id=OWN_ID)
    line = store.add_line("south", PEER_ID)
    acts.enqueue(store, line, *(outgoing(f"m{n}") for n in range(3)))
    acts.seal(store, line)
    spoil(path, statement)
    for _ in range(2):
        with pytest.raises(StoreDamagedError, match=r"station\.db: "):
            store.read(lambda r: r.page(Side.OWN))
    assert [view.id for view in store.read(lambda r: r.page(Side.OWN, most=1))] == ["m2"]
    acts.enqueue(store, line, outgoing("after"))
    assert [row.id for row in acts.queued(store, line)] == ["after"]
    store.close()


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("UPDATE content SET content = x'00' WHERE row = 2", "m1"),
        ("UPDATE message SET precedence = 99 WHERE id = 'm1'", "m1"),
        ("UPDATE message SET acknowledged_by = CAST(x'ff' AS TEXT) WHERE id = 'm1'", "m1"),
        ("UPDATE message SET id = CAST(x'6dff' AS TEXT) WHERE id = 'm1'", "m\ufffd"),
    ],
)
def test_a_page_goes_round_a_damaged_row_for_who_wants_to_know(
    path: Path, statement: str, name: str
) -> None:
    """One old message would hide every one beside it; and one left out in silence would be lost."""
    store = SqliteStore.open(path, station_id=OWN_ID)
    line = store.add_line("south", PEER_ID)
    acts.enqueue(store, line, *(outgoing(f"m{n}") for n in range(3)))
    acts.seal(store, line)
    spoil(path, statement)
    for cursor, order in (
        ({}, ["m0", "m2"]),
        ({"after": 0}, ["m0", "m2"]),
        ({"before": 3}, ["m0"]),
    ):
        passed: list[Damaged] = []
        page = store.read(lambda r, c=cursor, p=passed: r.page(Side.OWN, **c, passed=p.append))  # type: ignore[misc]
        assert [view.id for view in page] == order
        assert [(one.row, one.id, one.line, one.side) for one in passed] == [
            (2, name, "south", Side.OWN)
        ]
        assert "station.db: " in str(passed[0].error)
    passed = []
    assert store.read(lambda r: r.page(Side.OWN, before=3, most=1, passed=passed.append)) == []
    assert [one.row for one in passed] == [2]
    if name == "m1":
        assert store.read(lambda r: r.show("m1", passed.append)) == []
        assert [one.row for one in passed] == [2, 2]
    store.close()


def test_what_is_known_of_a_damaged_message_may_be_nothing(path: Path) -> None:
    """To tell of a damage must not fail over it."""
    store = SqliteStore.open(path, station_id=OWN_ID)
    acts.enqueue(store, store.add_line("south", PEER_ID), outgoing("a"))
    spoil(path, "UPDATE message SET line = 77, side = 9")
    fault = StoreDamagedError("damaged")
    for row, identifier in ((1, "a"), (2, None)):
        found = store.read(lambda r, row=row: r._messages.damaged(row, fault))  # type: ignore[misc]
        assert found == Damaged(row, identifier, None, None, fault)
    store.close()


@pytest.mark.parametrize("end", [".db", ".db-wal"])
def test_a_reader_that_cannot_be_opened_is_no_fault_of_the_disk(
    store: SqliteStore, disk: FaultyDisk, end: str
) -> None:
    """A station with many callers would stop all its lines for want of one descriptor."""
    disk.on_open = closed_to(end)
    for number in range(2):
        with pytest.raises(RefusedError, match=r"station\.db: no further reader") as caught:
            ids(store)
        assert caught.value.code == "busy"
        assert "descriptors" in caught.value.hint
        acts.enqueue(store, 1, outgoing(f"m{number}"))
    disk.heal()
    assert ids(store) == ["before", "m0", "m1"]


WITHOUT_DESCRIPTORS = """
import os, resource, sys
from pathlib import Path
from store import acts
from hotline.errors import RefusedError
from hotline.store.sqlite import SqliteStore

store = SqliteStore.open(Path(sys.argv[1]), station_id=acts.OWN_ID)
line = store.add_line("south", acts.PEER_ID)
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (min(64, hard), hard))
held = []
try:
    while True:
        held.append(os.open(os.devnull, os.O_RDONLY))
except OSError:
    pass
for number in range(10):
    acts.enqueue(store, line, acts.outgoing(f"m{number}"))
    try:
        print("read", len(store.read(lambda reader: reader.page(acts.Side.OWN))))
        break
    except RefusedError as error:
        print(error.code)
    os.close(held.pop())
store.close()
"""


def test_descriptors_that_run_out_are_waited_for(path: Path) -> None:
    """For each file that a reader opens: the store is not condemned, writes on, and reads later."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_DESCRIPTORS, str(path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join((f"{ROOT}/tests", str(ROOT)))},
        capture_output=True,
        text=True,
        check=False,
    )
    # One for the database, one for its log; what the log's index needs is open already.
    assert (done.stdout.split("\n"), done.stderr) == (["busy", "busy", "read 3", ""], "")


def test_a_store_that_was_taken_away_is_told_and_ends_it(store: SqliteStore, path: Path) -> None:
    """What is written on would be gone with this process; to "try again" would only hide that."""
    path.rename(path.with_name("elsewhere.db"))
    with pytest.raises(StoreError, match=r"station\.db: the store was taken away") as caught:
        ids(store)
    assert "put it back" in caught.value.hint
    with pytest.raises(StoreError, match="refused since an earlier failure"):
        acts.enqueue(store, 1, outgoing("nowhere"))
    store.close()
    for _ in range(2):  # a supervisor starts it again before anybody has looked
        with pytest.raises(
            StoreError, match=r"station\.db: the store is gone, but its log"
        ) as caught:
            SqliteStore.open(path, station_id=OWN_ID)
        assert "put it back" in caught.value.hint
    path.with_name("elsewhere.db").rename(path)
    again = SqliteStore.open(path, station_id=OWN_ID)
    assert ids(again) == ["before"]
    again.close()


@pytest.mark.parametrize("end", [".db", ".db-wal"])
def test_a_file_that_may_not_be_opened_any_more_is_named(
    store: SqliteStore, disk: FaultyDisk, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is told to try again does so for ever; what is open already is as good as before."""
    disk.on_open = closed_to(end)
    monkeypatch.setattr(os, "access", lambda file, *_, **__: not str(file).endswith(end))
    with pytest.raises(RefusedError, match=f"station\\{end}: permission denied") as caught:
        ids(store)
    assert (caught.value.code, bool(caught.value.hint)) == ("failed", True)
    acts.enqueue(store, 1, outgoing("after"))
    monkeypatch.undo()
    disk.heal()
    assert ids(store) == ["before", "after"]


def test_a_folder_that_may_not_be_entered_is_told(
    store: SqliteStore, disk: FaultyDisk, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A system that refuses to look is not one where the file is gone, nor a disk that fails."""
    disk.on_open = closed_to(".db")

    def refuse(_self: Path) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(type(path), "stat", refuse)
    with pytest.raises(RefusedError, match="permission denied"):
        ids(store)
    monkeypatch.undo()
    disk.heal()
    assert ids(store) == ["before"]


def test_a_disk_that_does_not_even_tell_is_one_that_fails(
    store: SqliteStore, disk: FaultyDisk, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same question answered by an error of the disk's must not pass for want of a descriptor."""
    disk.on_open = closed_to(".db")

    def fail(_self: Path) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(type(path), "stat", fail)
    with pytest.raises(StoreError, match="input/output error"):
        ids(store)
    monkeypatch.undo()
    with pytest.raises(StoreError, match="refused since"):
        ids(store)
