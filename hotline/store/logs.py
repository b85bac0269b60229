"""The logs as they are read: every entry is checked against the head beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotline.errors import StoreDamagedError
from hotline.model import LogEntry, Side
from hotline.store.keys import NUMBER_MASK, log_key
from hotline.store.statements import ENTRIES
from hotline.wire.heads import head_zero, next_head

if TYPE_CHECKING:
    import apsw


class Logs:
    """Both logs of every line, as one connection sees them."""

    def __init__(self, database: apsw.Connection) -> None:
        self._database = database

    def last(self, line: int, side: Side) -> int:
        """Give the number of a log's last entry, or 0."""
        key = self._database.execute(
            "SELECT max(key) FROM entry WHERE key BETWEEN ? AND ?",
            (log_key(line, side, 1), log_key(line, side, NUMBER_MASK)),
        ).get
        return 0 if key is None else key & NUMBER_MASK

    def head(self, line: int, side: Side, number: int) -> bytes | None:
        """Give the head after entry number, or None if the log is shorter."""
        if (
            not 0 < number <= NUMBER_MASK
        ):  # a peer may claim any number; it must not reach its neighbour
            return None
        head: bytes | None = self._database.execute(
            "SELECT head FROM entry WHERE key = ?", (log_key(line, side, number),)
        ).get
        return head

    def entries(
        self, line: int, side: Side, first: int, most: int, most_bytes: int
    ) -> list[LogEntry]:
        """Give checked entries from number first on, as the interface says."""
        found: list[LogEntry] = []
        if not 0 < first <= NUMBER_MASK or most < 1:
            return found
        head = self._head_before(line, side, first)
        size = 0
        rows = self._database.execute(
            ENTRIES,
            (log_key(line, side, first), log_key(line, side, NUMBER_MASK), most),
        )
        for expected, (key, stored, data, messages) in enumerate(rows, start=first):
            size += len(data)
            if found and size > most_bytes:
                break
            if head is None:
                raise self._damaged(line, side, expected - 1, "is missing")
            if key & NUMBER_MASK != expected:
                raise self._damaged(line, side, expected, "is missing")
            head = next_head(head, data)
            if head != stored:
                raise self._damaged(line, side, expected, "does not match the head stored with it")
            found.append(LogEntry(expected, stored, data, messages))
        rows.close()
        return found

    def one(self, line: int, side: Side, number: int) -> bytes:
        """Give one checked entry that a message stands on, so that it has to be there."""
        found = self.entries(line, side, number, 1, 0)
        if not found:
            raise self._damaged(line, side, number, "is missing")
        return found[0].data

    def _head_before(self, line: int, side: Side, number: int) -> bytes | None:
        if number > 1:
            return self.head(line, side, number - 1)
        ids: tuple[bytes, bytes] | None = self._database.execute(
            "SELECT own_id, peer_id FROM line WHERE line = ?", (line,)
        ).fetchone()
        if ids is None:
            return None
        return head_zero(*ids) if side is Side.OWN else head_zero(*reversed(ids))

    def _damaged(self, line: int, side: Side, number: int, fault: str) -> StoreDamagedError:
        name = self._database.execute("SELECT name FROM line WHERE line = ?", (line,)).get
        whose = "our own log" if side is Side.OWN else "the peer's log"
        return StoreDamagedError(
            f"{self._database.filename}: entry {number} of {whose} of line {name} {fault}"
        )
