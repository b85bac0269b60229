"""What must not keep a daemon from its store: a disk that is full, somebody who looks at it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import apsw
import pytest
from store import acts
from store.acts import OWN_ID, PEER_ID, outgoing
from store.faulty_disk import FaultyDisk, full

from hotline.errors import StoreFullError
from hotline.model import Side
from hotline.store import connection
from hotline.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def disk() -> Iterator[FaultyDisk]:
    disk = FaultyDisk("starting")
    yield disk
    disk.unregister()


@pytest.fixture
def path(tmp_path: Path, disk: FaultyDisk) -> Path:
    """Give a store that was left with all in its write-ahead log, as a kill leaves it."""
    path = tmp_path / "station.db"
    store = SqliteStore.open(path, station_id=OWN_ID, vfs=disk.name)
    acts.enqueue(store, store.add_line("south", PEER_ID), outgoing("a", "x" * 20_000))
    disk.on_write = no_room_to_grow
    store.close()
    disk.heal()
    assert path.with_name("station.db-wal").stat().st_size > 20_000
    return path


def no_room_to_grow(name: str) -> None:
    """Refuse what makes the database larger; its log has been as long before."""
    if name.endswith(".db"):
        full(name)


def test_a_daemon_starts_and_stops_on_a_full_disk(path: Path, disk: FaultyDisk) -> None:
    """Its line would be down, and a good stop told as a failure, where only new entries must wait."""
    disk.on_write = no_room_to_grow
    for _ in range(2):
        store = SqliteStore.open(path, station_id=OWN_ID, vfs=disk.name)
        disk.on_write = full
        assert store.add_line("south", PEER_ID) == 1
        assert [view.id for view in store.read(lambda r: r.page(Side.OWN))] == ["a"]
        with pytest.raises(StoreFullError):
            acts.enqueue(store, 1, outgoing("refused"))
        disk.on_write = no_room_to_grow
        store.close()
    disk.heal()
    store = SqliteStore.open(path, station_id=OWN_ID, vfs=disk.name)
    assert path.with_name("station.db-wal").stat().st_size == 0
    assert [row.id for row in acts.queued(store, 1)] == ["a"]
    store.close()


class SlowLog(apsw.VFS):
    """A disk on which the write-ahead log is read so slowly that others meet whoever recovers it."""

    def __init__(self) -> None:
        super().__init__("slow", base="")
        self.reads = threading.Event()

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        text = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        return _SlowFile(self.reads if text.endswith("-wal") else None, name, flags)


class _SlowFile(apsw.VFSFile):
    def __init__(
        self,
        reads: threading.Event | None,
        name: str | apsw.URIFilename | None,
        flags: list[int],
    ) -> None:
        super().__init__("", name or "", flags)
        self._reads = reads
        self._wait = threading.Event()

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        if self._reads is not None:
            self._reads.set()
            self._wait.wait(0.05)
        return super().xRead(amount, offset)


def test_a_daemon_starts_while_somebody_looks_at_its_store(path: Path) -> None:
    """After a power cut `log verify` may come first: it recovers the log's index, and holds it."""
    slow = SlowLog()

    def look() -> None:
        database = connection.connect(path, "slow")
        connection.make_reader(database)
        database.pragma("schema_version")
        database.close(True)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        assert slow.reads.wait(5)
        store = SqliteStore.open(path, station_id=OWN_ID)
        assert [row.id for row in acts.queued(store, 1)] == ["a"]
        store.close()
    finally:
        looking.join()
        slow.unregister()
