"""What proves, as it is stored: read for export and for a check, and trusted in neither."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hotline.model import LogEntry, Receipt, Side
from hotline.store import checkpoints
from hotline.store.keys import NUMBER_MASK, log_key, unsigned
from hotline.store.statements import ENTRIES, SAID

if TYPE_CHECKING:
    import apsw

    from hotline.model import Checkpoint

# An entry's kind is its second byte (docs/protocol.md, "Entries"), and its ids stand in it as text.
_ANSWERS: Final = f"""
SELECT key FROM (SELECT key, {SAID} AS said FROM entry WHERE key BETWEEN ? AND ?)
WHERE substr(said, 2, 1) = x'03' AND instr(said, ?) ORDER BY key
"""  # noqa: S608 - constants only


class SqliteHistory:
    """The interface's History; lives as long as one read transaction."""

    def __init__(self, database: apsw.Connection) -> None:
        self._database = database

    def entries(
        self, line: int, side: Side, first: int, most: int, most_bytes: int
    ) -> list[LogEntry]:
        """Give entries from number first on, unchecked."""
        found: list[LogEntry] = []
        size = 0
        bounds = log_key(line, side, first), log_key(line, side, NUMBER_MASK)
        rows = self._database.execute(ENTRIES, (*bounds, most))
        for key, head, data, messages in rows:
            size += len(data)
            if found and size > most_bytes:
                break
            found.append(LogEntry(key & NUMBER_MASK, head, data, messages))
        rows.close()
        return found

    def head(self, line: int, side: Side, number: int) -> bytes | None:
        """Give the head stored after entry number, or None."""
        head: bytes | None = self._database.execute(
            "SELECT head FROM entry WHERE key = ?", (log_key(line, side, number),)
        ).get
        return head

    def signatures(
        self, line: int, side: Side, first: int, last: int, most: int
    ) -> list[tuple[int, bytes]]:
        """Give the writer's signatures over heads from first to last."""
        rows = self._database.execute(
            "SELECT key, signature FROM signature WHERE key BETWEEN ? AND ? ORDER BY key LIMIT ?",
            (log_key(line, side, first), log_key(line, side, last), most),
        )
        return [(key & NUMBER_MASK, signature) for key, signature in rows]

    def receipts(self, line: int, first: int, last: int, most: int) -> list[Receipt]:
        """Give the peer's receipts over heads of our log from first to last."""
        rows = self._database.execute(
            "SELECT key, head, time_ns, signature FROM receipt WHERE key BETWEEN ? AND ?"
            " ORDER BY key LIMIT ?",
            (log_key(line, Side.OWN, first), log_key(line, Side.OWN, last), most),
        )
        return [
            Receipt(key & NUMBER_MASK, head, unsigned(time_ns), signature)
            for key, head, time_ns, signature in rows
        ]

    def checkpoints(
        self, line: int, signer: Side, after: int, most: int
    ) -> list[tuple[int, Checkpoint]]:
        """Give a signer's checkpoints in order, each with its cursor."""
        return checkpoints.after(self._database, line, signer, after, most)

    def covering(self, line: int, signer: Side, own: int, peer: int) -> Checkpoint | None:
        """Give a signer's first checkpoint that reaches as far as own and peer."""
        return checkpoints.covering(self._database, line, signer, own, peer)

    def carriers(self, line: int, side: Side, identifier: str) -> list[int]:
        """Give the numbers of the entries that carry a message."""
        row = self._database.execute(
            "SELECT row, number FROM message WHERE line = ? AND side = ? AND id = ? AND kind = 1",
            (line, side, identifier),
        ).fetchone()
        if row is None or row[1] is None:
            return []
        parts = self._database.execute("SELECT number FROM part WHERE row = ?", (row[0],))
        return sorted({row[1], *(number for (number,) in parts)})

    def answers(self, line: int, side: Side, identifier: str) -> list[int]:
        """Give the numbers of side's entries that may acknowledge a message of the other side."""
        bounds = log_key(line, side, 1), log_key(line, side, NUMBER_MASK)
        rows = self._database.execute(_ANSWERS, (*bounds, identifier.encode()))
        return [key & NUMBER_MASK for (key,) in rows]
