"""What operators ask, on a connection that can only look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hotline.errors import StoreDamagedError
from hotline.limits import MIB
from hotline.store import lines, marks
from hotline.store.history import SqliteHistory
from hotline.store.key_changes import ReadsKeyChanges
from hotline.store.logs import Logs
from hotline.store.messages import Messages

if TYPE_CHECKING:
    import apsw

    from hotline.model import LineRecord, Mark, Side
    from hotline.store.views import MessageView, Pass

PAGE_BYTES: Final = 4 * MIB
"""Bodies in one page: a thousand messages of a mebibyte must not be one answer."""

_ROW_END: Final = 2**62

# The conditions are spelled as in the partial indexes, or SQLite would not take these.
_SHOWN: Final = "line = ? AND side = ? AND kind = 1"
_OPEN: Final = f"{_SHOWN} AND acknowledged_ns IS NULL AND content IS NULL"

_SHOW: Final = """
SELECT row FROM line CROSS JOIN message USING (line)
WHERE side IN (0, 1) AND id = ? AND kind IN (1, 4) ORDER BY row
"""


class SqliteReader(ReadsKeyChanges):
    """The interface's Reader; lives as long as one read transaction."""

    def __init__(self, database: apsw.Connection) -> None:
        self._database = database
        self._messages = Messages(database, Logs(database))

    def lines(self) -> list[LineRecord]:
        """Give all lines' numbers, in the order in which they were added."""
        return lines.every(self._database)

    def page(
        self,
        side: Side,
        *,
        line: int | None = None,
        after: int | None = None,
        before: int | None = None,
        open_only: bool = False,
        most: int = 100,
        passed: Pass | None = None,
    ) -> list[MessageView]:
        """Give messages of one direction, oldest first, as the interface says."""
        condition = _OPEN if open_only else _SHOWN
        wanted = [line] if line is not None else [record.line for record in self.lines()]
        if after is not None:
            select = f"{condition} AND row > ? ORDER BY row"
            return self._views(sorted(self._rows(select, wanted, side, after, most))[:most], passed)
        select = f"{condition} AND row < ? ORDER BY row DESC"
        rows = self._rows(select, wanted, side, _ROW_END if before is None else before, most)
        return self._views(sorted(rows, reverse=True)[:most], passed)[::-1]

    def show(self, identifier: str, passed: Pass | None = None) -> list[MessageView]:
        """Give every message with this id: of any line, in either direction."""
        rows = [row for (row,) in self._database.execute(_SHOW, (identifier,))]
        return [view for row in rows if (view := self._view(row, passed)) is not None]

    def verification(self, own_id: bytes, peer_id: bytes) -> Mark | None:
        """Give when the pair code of these two cards was compared last, and by whom."""
        return marks.verification(self._database, own_id, peer_id)

    def revocation(self, peer_id: bytes) -> Mark | None:
        """Give when a card was refused for good, and by whom."""
        return marks.revocation(self._database, peer_id)

    def history(self) -> SqliteHistory:
        """Give what proves, as it is stored."""
        return SqliteHistory(self._database)

    def _rows(
        self, select: str, wanted: list[int], side: Side, cursor: int, most: int
    ) -> list[int]:
        """Give candidates of each line: a station has few, and one index serves both questions."""
        statement = f"SELECT row FROM message WHERE {select} LIMIT ?"  # noqa: S608 - constants only
        return [
            row
            for line in wanted
            for (row,) in self._database.execute(statement, (line, side, cursor, most))
        ]

    def _view(self, row: int, passed: Pass | None) -> MessageView | None:
        """Load a row; None if it is damaged, and that was told to passed."""
        try:
            return self._messages.view(row)
        except StoreDamagedError as error:
            if passed is None:
                raise
            passed(self._messages.damaged(row, error))
            return None

    def _views(self, rows: list[int], passed: Pass | None) -> list[MessageView]:
        """Load rows in this order until their bodies reach PAGE_BYTES."""
        views: list[MessageView] = []
        size = 0
        for row in rows:
            view = self._view(row, passed)
            if view is None:
                continue
            size += len(view.body)
            if views and size > PAGE_BYTES:
                break
            views.append(view)
        return views
