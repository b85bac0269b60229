"""Many rows by few statements.

SQLite works through a statement without the interpreter's lock, and takes it back after each: rows one
by one hand the lock to and fro between the writing thread and the event loop, hundreds of times for
what is one step. So rows go in sixty-four at a time, and what remains sixteen, and one at a time.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    import apsw

_AT_ONCE: Final = (64, 16, 1)
"""Rows in one statement. Few sizes, for each is a prepared statement that is kept."""


class Bulk:
    """One statement with a place for many rows: ``{rows}`` is where they are listed."""

    def __init__(self, statement: str, row: str) -> None:
        """Prepare the text for each size; row is one row's text, with a ``?`` for each value."""
        self._texts = [
            (count, statement.format(rows=", ".join([row] * count))) for count in _AT_ONCE
        ]

    def run(self, database: apsw.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Run it for all rows, in order."""
        done = 0
        for count, text in self._texts:
            while len(rows) - done >= count:
                some = rows[done : done + count]
                database.execute(text, tuple(chain.from_iterable(some)))
                done += count
