"""Checkpoints as they are kept: the newest of each signer, and of older ones as many as are of use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hotline.limits import CHECKPOINT_KEPT_ENTRIES
from hotline.model import Checkpoint, Position
from hotline.store.keys import signed, unsigned

if TYPE_CHECKING:
    import apsw

    from hotline.model import Side

_COLUMNS: Final = "own_number, own_head, peer_number, peer_head, time_ns, signature"

_PUT: Final = f"""
INSERT INTO checkpoint (line, signer, at_ns, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""  # noqa: S608 - constants only

_NEWEST: Final = f"""
SELECT {_COLUMNS} FROM checkpoint WHERE line = ? AND signer = ?
ORDER BY own_number DESC, peer_number DESC LIMIT 1
"""  # noqa: S608 - constants only

_LAST: Final = """
SELECT checkpoint, own_number + peer_number FROM checkpoint WHERE line = ? AND signer = ?
ORDER BY own_number DESC, peer_number DESC LIMIT 3
"""

_FROM: Final = f"""
SELECT {_COLUMNS}, checkpoint FROM checkpoint WHERE line = ? AND signer = ? AND checkpoint > ?
ORDER BY checkpoint LIMIT ?
"""  # noqa: S608 - constants only

_COVERING: Final = f"""
SELECT {_COLUMNS} FROM checkpoint
WHERE line = ? AND signer = ? AND own_number >= ? AND peer_number >= ?
ORDER BY own_number, peer_number LIMIT 1
"""  # noqa: S608 - constants only


def put(
    database: apsw.Connection, line: int, signer: Side, checkpoint: Checkpoint, at_ns: int
) -> None:
    """Keep checkpoint, and drop the one before it if its neighbours lie close together."""
    database.execute(
        _PUT,
        (
            *(line, signer, at_ns),
            *(checkpoint.own.number, checkpoint.own.head),
            *(checkpoint.peer.number, checkpoint.peer.head),
            *(signed(checkpoint.time_ns), checkpoint.signature),
        ),
    )
    rows: list[tuple[int, int]] = database.execute(_LAST, (line, signer)).fetchall()  # type: ignore[assignment]
    covered = rows[2][1] if len(rows) > 2 else 0  # noqa: PLR2004 - the one before the one before
    if len(rows) > 1 and rows[0][1] - covered <= CHECKPOINT_KEPT_ENTRIES:
        database.execute("DELETE FROM checkpoint WHERE checkpoint = ?", (rows[1][0],))


def newest(database: apsw.Connection, line: int, signer: Side) -> Checkpoint | None:
    """Give the newest checkpoint of signer."""
    return _checkpoint(database.execute(_NEWEST, (line, signer)).fetchone())


def covering(
    database: apsw.Connection, line: int, signer: Side, own: int, peer: int
) -> Checkpoint | None:
    """Give signer's first checkpoint that reaches as far as own in its log and peer in the other."""
    return _checkpoint(database.execute(_COVERING, (line, signer, own, peer)).fetchone())


def after(
    database: apsw.Connection, line: int, signer: Side, cursor: int, most: int
) -> list[tuple[int, Checkpoint]]:
    """Give signer's checkpoints whose row is greater than cursor, each with its row."""
    rows = database.execute(_FROM, (line, signer, cursor, most))
    return [(row, found) for *columns, row in rows if (found := _checkpoint(tuple(columns)))]


def _checkpoint(row: tuple[Any, ...] | None) -> Checkpoint | None:
    if row is None:
        return None
    own, own_head, peer, peer_head, time_ns, signature = row
    return Checkpoint(
        Position(own, own_head), Position(peer, peer_head), unsigned(time_ns), signature
    )
