"""The key changes that stand in the logs: what reader and transaction of a store do with them.

A log has few, so each question reads them all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotline.errors import LocalMisuseError
from hotline.model import KeyChange, Side
from hotline.store.keys import NUMBER_MASK, log_key

if TYPE_CHECKING:
    import apsw


class ReadsKeyChanges:
    """The part of the interface's Reader."""

    _database: apsw.Connection

    def key_changes(self, line: int, side: Side) -> list[KeyChange]:
        """Give the key changes that stand in a log, in order."""
        rows = self._database.execute(
            "SELECT key, id, succession, ended FROM key_change WHERE key BETWEEN ? AND ?"
            " ORDER BY key",
            (log_key(line, side, 0), log_key(line, side, NUMBER_MASK)),
        )
        return [
            KeyChange(key & NUMBER_MASK, station_id, succession, bool(ended))
            for key, station_id, succession, ended in rows
        ]


class WritesKeyChanges(ReadsKeyChanges):
    """The part of the interface's Transaction."""

    def put_key_change(self, line: int, side: Side, change: KeyChange) -> None:
        """Say that a key change stands in a log, behind those that do already."""
        before = self.key_changes(line, side)
        if before and change.number <= before[-1].number:
            raise LocalMisuseError(
                f"a key change at {change.number} comes after {before[-1].number}"
            )
        self._database.execute(
            "INSERT INTO key_change (key, ended, id, succession) VALUES (?, ?, ?, ?)",
            (log_key(line, side, change.number), change.ended, change.id, change.succession),
        )

    def end_card_before(self, line: int, side: Side, station_id: bytes) -> None:
        """Say that what was in force before the card of station_id is refused from now on."""
        self._database.execute(
            "UPDATE key_change SET ended = 1 WHERE key BETWEEN ? AND ? AND id = ?",
            (log_key(line, side, 0), log_key(line, side, NUMBER_MASK), station_id),
        )
