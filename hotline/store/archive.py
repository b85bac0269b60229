"""A store that is only looked at, by a process that does not hold it; its daemon may be at work."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from hotline.errors import StoreError
from hotline.store import connection, schema
from hotline.store.faults import damaged, translated
from hotline.store.migrations import steps
from hotline.store.reader import SqliteReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import apsw

    from hotline.store.interface import Reader

T = TypeVar("T")


class SqliteArchive:
    """One connection that can only read; each ``read`` is one moment of the store."""

    def __init__(self, path: Path, station_id: bytes, database: apsw.Connection) -> None:
        self._path = path
        self._station_id = station_id
        self._database = database

    @classmethod
    def open(cls, path: Path, *, station_id: bytes) -> SqliteArchive:
        """Open the store of station_id at path, of the schema that this version makes.

        Raises StoreError.
        """
        with translated(path):
            database = connection.connect(path, None)
        try:
            with translated(path):
                connection.make_reader(database)
                _inspect(database, path, station_id)
        except BaseException:
            database.close(True)
            raise
        return cls(path, station_id, database)

    def read(self, work: Callable[[Reader], T]) -> T:
        """Run work in one read transaction, which should be short: it holds up the daemon's log."""
        with translated(self._path):
            self._database.execute("BEGIN")
            try:
                return work(SqliteReader(self._database))
            finally:
                self._database.execute("COMMIT")

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """Turn what goes wrong over a value of another kind than its column's into a StoreError.

        Only a damaged file holds one; so the file is asked, and if it is sound the error is ours.
        """
        try:
            yield
        except UnicodeDecodeError as error:
            raise damaged(self._path, "text that is not UTF-8") from error
        except (TypeError, ValueError, OverflowError) as error:
            with translated(self._path):
                found = self._database.execute("PRAGMA quick_check(1)").get
            if found == "ok":
                raise
            raise damaged(self._path, " ".join(str(found).split())) from error

    def close(self) -> None:
        """Let go of the file."""
        self._database.close(True)


def _inspect(database: apsw.Connection, path: Path, station_id: bytes) -> None:
    known = len(steps())
    schema.inspect(database, path, known)
    if (version := database.pragma("user_version")) != known:
        raise StoreError(
            f"{path}: the store has schema {version}, not {known}",
            hint="start the daemon, or restart the one that runs: it brings the store up to date",
        )
    owner = database.execute("SELECT id FROM station").get
    if owner != station_id:
        raise StoreError(f"{path}: the store belongs to another station")
