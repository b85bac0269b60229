"""How the database is opened: what SQLite may do, and what it must not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import apsw

from hotline.errors import StoreError
from hotline.limits import KIB, MIB

if TYPE_CHECKING:
    from pathlib import Path

WRITER_CACHE_BYTES: Final = 8 * MIB
READER_CACHE_BYTES: Final = 2 * MIB
"""Fixed, so that memory does not grow with what is stored."""

_LOG_PIECE_BYTES: Final = 64 * KIB
"""SQLite's own files on Unix take less than 128 KiB in one write."""

BUSY_MS: Final = 5000
"""Whoever opens the store may meet the moment in which another one recovers the log's index, and waits
that out: a reader at any time, a writer that starts while somebody looks at the store."""

_CONFIG: Final = (
    (apsw.SQLITE_DBCONFIG_DEFENSIVE, 1),
    (apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0),
    (apsw.SQLITE_DBCONFIG_ENABLE_FKEY, 0),
    (apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0),
    (apsw.SQLITE_DBCONFIG_ENABLE_VIEW, 0),
    (apsw.SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0),
    (apsw.SQLITE_DBCONFIG_DQS_DDL, 0),
    (apsw.SQLITE_DBCONFIG_DQS_DML, 0),
    # A close that moves the log by itself would swallow its errors, and would touch a disk again
    # that has just failed.
    (apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1),
)
"""The schema is ours and plain; whatever a planted file could make SQLite run is off."""


def settle_log(path: Path, vfs: str | None) -> None:
    """Write the write-ahead log once more, as it is read, and sync it, before it is used.

    After a failed fsync the log may be in memory only, and marked clean there: a new process reads
    all of it, and no later sync writes it. Were such a log moved into the database, a power loss
    could bring back what really is on the disk of it, an older part, and replay that over newer
    pages. So memory and disk are made one first. Raises apsw errors.
    """
    log = path.with_name(path.name + "-wal")
    if not log.exists():
        return
    flags = [apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_READWRITE, 0]
    file = apsw.VFSFile(vfs or apsw.vfs_names()[0], str(log), flags)
    try:
        size = file.xFileSize()
        for offset in range(0, size, _LOG_PIECE_BYTES):
            piece = file.xRead(min(_LOG_PIECE_BYTES, size - offset), offset)
            file.xWrite(piece, offset)
        if size:
            file.xSync(apsw.SQLITE_SYNC_FULL)
    finally:
        file.xClose()


def connect(path: Path, vfs: str | None) -> apsw.Connection:
    """Open the existing file at path without changing a byte of it."""
    database = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE, vfs=vfs)
    database.set_busy_timeout(BUSY_MS)
    for option, value in _CONFIG:
        database.config(option, value)
    _set(database, "cell_size_check", 1)
    _set(database, "mmap_size", 0)  # a bad sector must be an error code, not a SIGBUS
    # What SQLite needs for a moment stays in memory: no plain text in a folder of others.
    database.pragma("temp_store", 2)
    return database


def make_writer(database: apsw.Connection) -> None:
    """Make a connection the one that writes: in WAL mode, with a real fsync in every commit."""
    if database.pragma("journal_mode", "wal") != "wal":
        raise StoreError(
            f"{database.filename}: this place cannot hold a write-ahead log",
            hint="keep the store on a local disk",
        )
    _set(database, "synchronous", 2)
    database.set_busy_timeout(0)  # nobody else may write: from here on there is nothing to wait for
    database.wal_autocheckpoint(0)
    database.pragma("cache_size", -(WRITER_CACHE_BYTES // KIB))


def make_reader(database: apsw.Connection) -> None:
    """Make a connection one that can only look."""
    database.wal_autocheckpoint(0)
    database.pragma("cache_size", -(READER_CACHE_BYTES // KIB))
    _set(database, "query_only", 1)


def _set(database: apsw.Connection, name: str, value: int) -> None:
    """Set a pragma and make sure that it took: SQLite ignores one that it does not know."""
    database.pragma(name, value)
    if (now := database.pragma(name)) != value:
        raise StoreError(f"{database.filename}: pragma {name} is {now}, not {value}")
