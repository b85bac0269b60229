"""How connections are set, and how many there are: what a planted file may run, what stays open."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import apsw
import pytest
from store import acts
from store.acts import OWN_ID, PEER_ID, outgoing

from hotline.errors import StoreError
from hotline.store import connection, migrations, schema, sqlite
from hotline.store.archive import SqliteArchive
from hotline.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hotline.store.interface import Reader


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "station.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore.open(path, station_id=OWN_ID)
    acts.enqueue(store, store.add_line("south", PEER_ID), outgoing("a"))
    yield store
    store.close()


def connections(path: Path) -> int:
    """Count this process's connections to a database."""
    return sum(one.filename == str(path) for one in apsw.connections())


def test_a_reader_can_only_look(store: SqliteStore, path: Path) -> None:
    """What answers a question runs beside the one thread that may write: two writers lose entries."""

    def write(reader: Reader) -> None:
        reader._database.execute("DELETE FROM message")  # type: ignore[attr-defined]

    archive = SqliteArchive.open(path, station_id=OWN_ID)
    with closing(archive), pytest.raises(StoreError, match="readonly"):
        archive.read(write)
    with pytest.raises(StoreError, match="readonly"):
        store.read(write)


def test_every_connection_distrusts_the_file(store: SqliteStore, path: Path) -> None:
    """A damaged page is found when it is met, and what SQLite needs for a moment touches no disk."""
    assert store.read(lambda reader: len(reader.lines())) == 1
    with closing(connection.connect(path, None)) as database:
        settings = {
            name: database.pragma(name) for name in ("cell_size_check", "mmap_size", "temp_store")
        }
        assert settings == {"cell_size_check": 1, "mmap_size": 0, "temp_store": 2}
        for option in (
            apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA,
            apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER,
            apsw.SQLITE_DBCONFIG_ENABLE_VIEW,
            apsw.SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION,
        ):
            assert database.config(option, -1) == 0
        assert database.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, -1) == 1


def test_the_writer_syncs_and_moves_the_log_when_it_is_told_to(path: Path) -> None:
    """What SQLite does by itself after a commit fails without a word, and is then tried again."""
    path.touch(mode=0o600)
    with closing(connection.connect(path, None)) as database:
        connection.make_writer(database)
        settings = {name: database.pragma(name) for name in ("synchronous", "wal_autocheckpoint")}
        assert settings == {"synchronous": 2, "wal_autocheckpoint": 0}


def test_a_trigger_that_somebody_planted_does_not_run(path: Path) -> None:
    """It could take from the queue what was just promised, or answer in an operator's name."""
    SqliteStore.open(path, station_id=OWN_ID).close()
    with closing(apsw.Connection(str(path))) as database:
        database.execute(
            "CREATE TRIGGER planted AFTER INSERT ON queue BEGIN DELETE FROM queue; END"
        )
    store = SqliteStore.open(path, station_id=OWN_ID)
    line = store.add_line("south", PEER_ID)
    acts.enqueue(store, line, outgoing("a"))
    assert [row.id for row in acts.queued(store, line)] == ["a"]
    store.close()


def test_readers_that_were_many_at_once_do_not_all_stay(store: SqliteStore, path: Path) -> None:
    """Each keeps a cache of its own: one busy minute would cost memory for good."""

    def nested(depth: int) -> int:
        if depth == 0:
            return connections(path)
        return store.read(lambda _: nested(depth - 1))

    idle = connections(path)
    assert nested(3 * sqlite.IDLE_READERS) == idle + 3 * sqlite.IDLE_READERS
    assert connections(path) == idle + sqlite.IDLE_READERS


def test_a_question_that_outlasts_the_store_leaves_nothing_open(
    store: SqliteStore, path: Path
) -> None:
    """A daemon stops while somebody still looks, and its next start is not to meet what was left."""

    def close_and_look(reader: Reader) -> int:
        store.close()
        return len(reader.lines())

    assert store.read(close_and_look) == 1
    assert connections(path) == 0


def test_an_archive_of_another_station(store: SqliteStore, path: Path) -> None:
    """A record that is checked by the wrong cards would be called forged, or the wrong one good."""
    assert store.read(lambda reader: len(reader.lines())) == 1
    with pytest.raises(StoreError, match=r"station\.db: the store belongs to another station"):
        SqliteArchive.open(path, station_id=PEER_ID)


def test_who_only_looks_is_told_how_an_older_store_is_brought_up_to_date(path: Path) -> None:
    """After an upgrade the older daemon still runs: to start one more would be refused."""
    path.touch(mode=0o600)
    database = connection.connect(path, None)
    schema.migrate(database, migrations.steps()[:-1])
    schema.claim(database, path, OWN_ID)
    database.close()
    known = len(migrations.steps())
    with pytest.raises(StoreError, match=f"has schema {known - 1}, not {known}") as refused:
        SqliteArchive.open(path, station_id=OWN_ID)
    assert "restart the one that runs" in refused.value.hint
