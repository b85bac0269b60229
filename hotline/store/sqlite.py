"""The store on SQLite: one connection that writes, a few that read, and no second chances.

After any failure but a full disk, and a damaged row that only a question met, this object refuses
everything. A disk that has failed once may
have dropped what it was given while saying that all is well (a failed fsync marks the pages clean),
so nothing that this process believes about the file can be trusted; the next start reads it anew.
"""

from __future__ import annotations

import os
from collections import deque
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import apsw

from hotline.errors import (
    HotlineError,
    RefusedError,
    StoreDamagedError,
    StoreError,
    StoreFullError,
)
from hotline.limits import MIB
from hotline.store import connection, files, lines, schema
from hotline.store.faults import DAMAGED_HINT, translated
from hotline.store.migrations import steps
from hotline.store.reader import SqliteReader
from hotline.store.transaction import SqliteTransaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from hotline.store.interface import Reader, Transaction

T = TypeVar("T")

WAL_BYTES: Final = 4 * MIB
"""The write-ahead log is moved from here on: long enough that a page changed often moves once, and
short enough that a commit which must wait for the move waits for a few milliseconds."""

TRUNCATE_BYTES: Final = 64 * MIB
"""A log this long has outlived its reason; it is cut back, for which no reader may be looking."""

IDLE_READERS: Final = 4
"""Reading connections kept for the next question."""

_FRAME_HEADER_BYTES: Final = 24


class SqliteStore:
    """The interface's Store. ``transact`` and ``move_wal`` belong to one thread at a time."""

    def __init__(self, path: Path, station_id: bytes, vfs: str | None, lock: int) -> None:
        self._path = path
        self._station_id = station_id
        self._vfs = vfs
        self._lock: int | None = lock
        self._failure: str | None = None
        self._wal_pages = 0
        self._readers: deque[apsw.Connection] = deque()  # its pop and append need no lock
        connection.settle_log(path, vfs)
        self._database = connection.connect(path, vfs)
        try:
            self._prepare()
        except BaseException:
            self._database.close(True)
            raise
        self._page_bytes: int = self._database.pragma("page_size") + _FRAME_HEADER_BYTES
        self._database.set_wal_hook(self._note_wal)
        self._transaction = SqliteTransaction(self._database)

    @classmethod
    def open(cls, path: str | Path, *, station_id: bytes, vfs: str | None = None) -> SqliteStore:
        """Open the store of station_id at path, making or migrating it.

        Raises StoreInUseError if another process (or this one) holds it, and StoreError if it is
        no store, of a newer schema, another station's, or damaged. ``vfs`` names an apsw VFS.
        """
        path = Path(path).absolute()
        lock = files.hold(path)
        try:
            files.create(path)
            with translated(path):
                return cls(path, station_id, vfs, lock)
        except BaseException:
            os.close(lock)
            raise

    def _prepare(self) -> None:
        taken = steps()
        schema.inspect(self._database, self._path, len(taken))
        connection.make_writer(self._database)
        schema.migrate(self._database, taken)
        schema.claim(self._database, self._path, self._station_id)
        with suppress(apsw.FullError):  # the log holds it all: a later commit has it moved
            self._checkpoint_wal(apsw.SQLITE_CHECKPOINT_TRUNCATE)

    # --- writing ---

    def add_line(self, name: str, peer_id: bytes, own_id: bytes | None = None) -> int:
        """Give the number of the line to peer_id, making it if it is new; its name may change."""
        with self._guarded(), self._committed():
            return lines.add(self._database, name, peer_id, own_id or self._station_id)

    def transact(self, works: Sequence[Callable[[Transaction], T]]) -> list[T | Exception]:
        """Run works in one transaction and make it durable; a result or a HotlineError for each."""
        with self._guarded(), self._committed():
            return [self._result(work) for work in works]

    def _result(self, work: Callable[[Transaction], T]) -> T | Exception:
        """Run one work so that it can be undone alone."""
        self._database.execute("SAVEPOINT work")
        result: T | Exception
        try:
            result = work(self._transaction)
        except StoreError:
            raise  # not this work's fault, and not its alone
        except HotlineError as error:
            self._database.execute("ROLLBACK TO work")
            result = error
        self._database.execute("RELEASE work")
        return result

    @contextmanager
    def _committed(self) -> Iterator[None]:
        """Commit what is done inside, or roll it back."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:  # after some errors SQLite has rolled back by itself
                self._database.execute("ROLLBACK")
            raise

    def _note_wal(self, _database: apsw.Connection, _name: str, pages: int) -> int:
        """Keep how long the write-ahead log is: SQLite tells after each commit."""
        self._wal_pages = pages
        return apsw.SQLITE_OK

    def move_wal(self) -> None:
        """Move the write-ahead log into the database if it has grown; cheap if it has not."""
        if self._wal_bytes < WAL_BYTES:
            return
        truncate = self._wal_bytes >= TRUNCATE_BYTES
        mode = apsw.SQLITE_CHECKPOINT_TRUNCATE if truncate else apsw.SQLITE_CHECKPOINT_PASSIVE
        with self._guarded():
            self._checkpoint_wal(mode)

    @property
    def _wal_bytes(self) -> int:
        return self._wal_pages * self._page_bytes

    def _checkpoint_wal(self, mode: int) -> None:
        try:
            pages, moved = self._database.wal_checkpoint(mode=mode)
        except apsw.BusyError:
            return  # a reader is looking at the log; what could be moved was, the rest waits
        if pages == moved:
            self._wal_pages = 0

    # --- reading ---

    def read(self, work: Callable[[Reader], T]) -> T:
        """Run work over what is committed; may be called from any thread."""
        with self._guarded(asking=True), self._reading() as database:
            return work(SqliteReader(database))

    def _another_reader(self) -> apsw.Connection:
        """Open one more; that this process has no descriptor left for it is no fault of the disk."""
        database = None
        try:
            database = connection.connect(self._path, self._vfs)
            connection.make_reader(database)
            database.pragma("schema_version")  # opens the log and its index too
        except apsw.CantOpenError:
            if database is not None:
                database.close(True)
            files.check_reachable(self._path)
            raise RefusedError(
                "busy",
                f"{self._path}: no further reader can be opened now",
                hint="try again; if this goes on, let the daemon have more descriptors",
            ) from None
        return database

    @contextmanager
    def _reading(self) -> Iterator[apsw.Connection]:
        """Lend a connection in a read transaction, which never outlives one question.

        One that stayed open would keep the write-ahead log from being moved.
        """
        try:
            database = self._readers.pop()
        except IndexError:
            database = self._another_reader()
        try:
            database.execute("BEGIN")
            yield database
            database.execute("COMMIT")
        except BaseException:
            database.close(True)
            raise
        if self._lock is None or len(self._readers) >= IDLE_READERS:
            database.close()
        else:
            self._readers.append(database)

    def is_crowded(self) -> bool:
        """Tell whether reads keep the write-ahead log from being cut back.

        That takes a moment without any; where one begins before the last has ended, it only grows.
        """
        return self._wal_bytes >= TRUNCATE_BYTES

    # --- the whole ---

    def free_bytes(self) -> int:
        """Give the free disk where the store lies."""
        return files.free_bytes(self._path)

    def close(self) -> None:
        """Release everything; the store is as durable as it was before."""
        if self._lock is None:
            return
        try:
            if self._failure is None:
                with suppress(StoreFullError), self._guarded():
                    self._checkpoint_wal(apsw.SQLITE_CHECKPOINT_TRUNCATE)
        finally:
            lock, self._lock = self._lock, None
            self._database.close(True)
            while self._readers:
                self._readers.pop().close(True)
            os.close(lock)

    @contextmanager
    def _guarded(self, *, asking: bool = False) -> Iterator[None]:
        """Refuse after a failure, and remember one; a damaged row is none to who is only asking."""
        if self._lock is None:
            raise StoreError(f"{self._path}: the store is closed")
        if self._failure is not None:
            raise StoreError(
                f"{self._path}: refused since an earlier failure: {self._failure}",
                hint="start the daemon again",
            )
        try:
            with translated(self._path):
                yield
        except StoreFullError:
            raise
        except StoreDamagedError as error:
            if asking:
                raise
            self._failure = str(error)
            raise StoreError(self._failure, hint=DAMAGED_HINT) from error
        except StoreError as error:
            self._failure = str(error)
            raise
