"""Which files the store opens, which it refuses, and what it leaves on the disk."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apsw
import pytest
from store import acts
from store.acts import OWN_ID, PEER_ID, outgoing

from hotline.errors import ConfigError, StoreError
from hotline.model import Side
from hotline.store import connection, migrations, schema, sqlite
from hotline.store.sqlite import SqliteStore
from hotline.wire.heads import head_zero, next_head

if TYPE_CHECKING:
    from collections.abc import Sequence


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "station.db"


def open_store(path: Path) -> SqliteStore:
    return SqliteStore.open(path, station_id=OWN_ID)


def test_only_the_owner_may_read_the_files(path: Path) -> None:
    """Every message of the line stands in them."""
    store = open_store(path)
    acts.enqueue(store, store.add_line("south", PEER_ID), outgoing("a"))
    assert store.read(lambda r: len(r.page(Side.OWN))) == 1
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == dict.fromkeys(
        ["station.db", "station.db-wal", "station.db-shm", "station.db.lock"], 0o600
    )
    store.close()


def test_a_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    """Who may write beside the store could have any file of the owner's written over."""
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match=r"station\.db: too many levels of symbolic links"):
        open_store(path)
    assert not (tmp_path / "elsewhere").exists()


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """An operator must be told which path to make."""
    with pytest.raises(StoreError, match="no such file or directory") as caught:
        open_store(tmp_path / "none" / "station.db")
    assert caught.value.hint


def test_a_file_that_is_no_database(path: Path) -> None:
    """A wrong path in the configuration must not cost whatever lies there."""
    path.write_bytes(b"minutes of the meeting\n" * 100)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"station\.db"):
        open_store(path)
    assert path.read_bytes() == before


def test_another_program_s_database(path: Path) -> None:
    """Our tables in another program's database would damage both; not a byte is changed."""
    database = apsw.Connection(str(path))
    database.execute("CREATE TABLE music (song)")
    database.close()
    path.chmod(0o600)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"station\.db: this file is not a hotline store"):
        open_store(path)
    assert path.read_bytes() == before


def test_a_file_that_others_may_open(path: Path) -> None:
    """A store that anyone may write proves nothing, and SQLite would make its side files as open."""
    path.touch(mode=0o600)
    path.chmod(0o640)
    with pytest.raises(StoreError, match="others than this user") as caught:
        open_store(path)
    assert caught.value.hint == f"chmod 600 {path}"


def test_a_newer_schema(path: Path) -> None:
    """An older program that writes what it does not understand would break a newer one's store."""
    open_store(path).close()
    database = apsw.Connection(str(path))
    newer = len(migrations.steps()) + 1
    database.pragma("user_version", newer)
    database.close()
    message = f"schema {newer}, this hotline knows up to {newer - 1}"
    with pytest.raises(StoreError, match=message) as caught:
        open_store(path)
    assert "newer" in caught.value.hint


def test_another_station_s_store(path: Path) -> None:
    """A copied store under a new key would go on with numbers that the other station signs too."""
    open_store(path).close()
    with pytest.raises(StoreError, match="belongs to another station, 0001020304050607"):
        SqliteStore.open(path, station_id=PEER_ID)
    open_store(path).close()


def test_the_name_of_the_file_is_synced_before_anything_is_in_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a power cut the file could be gone, with messages in it that were called queued."""
    synced: list[tuple[Path, int]] = []

    def record(descriptor: int) -> None:
        synced.append((Path(f"/proc/self/fd/{descriptor}").readlink(), path.stat().st_size))

    monkeypatch.setattr(os, "fsync", record)
    open_store(path).close()
    assert synced == [(path.parent, 0)]


def test_a_refused_store_is_let_go(path: Path) -> None:
    """A failed start must not leave the lock behind for the next one to stumble over."""
    open_store(path).close()
    for _ in range(2):
        with pytest.raises(StoreError, match="another station"):
            SqliteStore.open(path, station_id=PEER_ID)


def test_a_crash_while_the_file_is_made(path: Path) -> None:
    """An empty file is all that a crash at the wrong moment leaves; the next start goes on."""
    path.touch(mode=0o600)
    store = open_store(path)
    assert store.read(lambda r: r.lines()) == []
    store.close()


def schema_of(path: Path) -> tuple[Any, Any, list[Any]]:
    """Give everything that makes two schemas one."""
    database = apsw.Connection(str(path))
    tables: list[Any] = database.execute(
        "SELECT name, sql FROM sqlite_schema ORDER BY name"
    ).fetchall()
    found = (database.pragma("application_id"), database.pragma("user_version"), tables)
    database.close()
    return found


def make(path: Path, steps: Sequence[str]) -> None:
    """Make a store that has taken only these steps."""
    path.touch()
    database = connection.connect(path, None)
    schema.migrate(database, steps)
    database.close()
    path.chmod(0o600)


@pytest.mark.parametrize("taken", range(1, len(migrations.steps()) + 1))
def test_migrations_reach_the_fresh_schema(tmp_path: Path, taken: int) -> None:
    """A store of years ago must become the same as one made today."""
    old, fresh = tmp_path / "old.db", tmp_path / "fresh.db"
    make(old, migrations.steps()[:taken])
    open_store(old).close()
    open_store(fresh).close()
    assert schema_of(old) == schema_of(fresh)
    assert schema_of(old)[1] == len(migrations.steps())


def test_a_migration_keeps_what_is_stored(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The step that does not exist yet: the machinery must work on the day it is needed."""
    store = open_store(path)
    acts.enqueue(store, store.add_line("south", PEER_ID), outgoing("a"))
    store.close()
    step = "ALTER TABLE message ADD COLUMN colour TEXT; CREATE TABLE more (x INTEGER) STRICT;"
    monkeypatch.setattr(sqlite, "steps", lambda: [*migrations.steps(), step])
    for _ in range(2):  # the second time there is nothing left to do
        store = open_store(path)
        assert [row.id for row in acts.queued(store, 1)] == ["a"]
        store.close()
    assert schema_of(path)[1] == len(migrations.steps()) + 1


def test_old_lines_stay_founded_under_the_store_s_card(path: Path) -> None:
    """A line of before there were key changes: its first entry follows the head of these two cards."""
    make(path, migrations.steps()[:1])
    database = connection.connect(path, None)
    schema.claim(database, path, OWN_ID)
    own, peer = head_zero(OWN_ID, PEER_ID), head_zero(PEER_ID, OWN_ID)
    database.execute(
        "INSERT INTO line (name, peer_id, own_number, own_head, peer_number, peer_head)"
        " VALUES ('south', ?, 0, ?, 0, ?)",
        (PEER_ID, own, peer),
    )
    database.close()
    store = open_store(path)
    line = store.add_line("south", PEER_ID)
    acts.do(store, lambda tx: acts.append(tx, line, Side.OWN, [b"one"]))
    [entry] = acts.do(store, lambda tx: tx.entries(line, Side.OWN, 1, 1, 100))
    assert entry.head == next_head(own, b"one")
    with pytest.raises(ConfigError, match="was founded under the card"):
        store.add_line("south", PEER_ID, b"\x07" * 32)
    assert store.add_line("north", PEER_ID) == line, (
        "a slip in a configuration is no fault of the store"
    )
    store.close()


def test_a_migration_that_fails_changes_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a migration would be a schema that no version of the program knows."""
    open_store(path).close()
    before = schema_of(path)
    step = "CREATE TABLE more (x INTEGER) STRICT; CREATE TABLE more (x INTEGER) STRICT;"
    monkeypatch.setattr(sqlite, "steps", lambda: [*migrations.steps(), step])
    with pytest.raises(StoreError, match="already exists"):
        open_store(path)
    assert schema_of(path) == before


def test_the_write_ahead_log_is_cut_back(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that only grows fills the disk, and every start has to read it."""
    monkeypatch.setattr(sqlite, "WAL_BYTES", 200_000)
    monkeypatch.setattr(sqlite, "TRUNCATE_BYTES", 1_000_000)
    store = open_store(path)
    line = store.add_line("south", PEER_ID)
    wal = path.with_name("station.db-wal")
    sizes = []
    for number in range(100):
        acts.enqueue(store, line, outgoing(f"m{number}", "x" * 20_000))
        store.move_wal()
        sizes.append(wal.stat().st_size)
    assert max(sizes) < 400_000
    acts.enqueue(store, line, outgoing("large", "x" * 1_000_000))
    assert wal.stat().st_size > 1_000_000
    store.move_wal()
    assert wal.stat().st_size == 0
    store.close()


def test_a_reader_does_not_make_a_move_of_the_log_fail(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator's question at the wrong moment must not stop the line."""
    monkeypatch.setattr(sqlite, "WAL_BYTES", 1)
    monkeypatch.setattr(sqlite, "TRUNCATE_BYTES", 1)
    store = open_store(path)
    line = store.add_line("south", PEER_ID)

    def look(reader: object) -> None:
        reader.lines()  # type: ignore[attr-defined]
        acts.enqueue(store, line, outgoing("a"))
        store.move_wal()

    store.read(look)
    assert [row.id for row in acts.queued(store, line)] == ["a"]
    store.close()
