"""The key changes that stand in the logs; a log has few, so each question reads them all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotline.errors import LocalMisuseError
from hotline.model import KeyChange, Side
from hotline.store.keys import NUMBER_MASK, log_key

if TYPE_CHECKING:
    import apsw


def every(database: apsw.Connection, line: int, side: Side) -> list[KeyChange]:
    """Give the key changes of one log, in order."""
    rows = database.execute(
        "SELECT key, id, succession, ended FROM key_change WHERE key BETWEEN ? AND ? ORDER BY key",
        (log_key(line, side, 0), log_key(line, side, NUMBER_MASK)),
    )
    return [
        KeyChange(key & NUMBER_MASK, station_id, succession, bool(ended))
        for key, station_id, succession, ended in rows
    ]


def put(database: apsw.Connection, line: int, side: Side, change: KeyChange) -> None:
    """Note one more, behind those that are there."""
    before = every(database, line, side)
    if before and change.number <= before[-1].number:
        raise LocalMisuseError(f"a key change at {change.number} comes after {before[-1].number}")
    database.execute(
        "INSERT INTO key_change (key, ended, id, succession) VALUES (?, ?, ?, ?)",
        (log_key(line, side, change.number), change.ended, change.id, change.succession),
    )


def end_card_before(database: apsw.Connection, line: int, side: Side, station_id: bytes) -> None:
    """Mark the change to station_id, if it stands in the log."""
    database.execute(
        "UPDATE key_change SET ended = 1 WHERE key BETWEEN ? AND ? AND id = ?",
        (log_key(line, side, 0), log_key(line, side, NUMBER_MASK), station_id),
    )
