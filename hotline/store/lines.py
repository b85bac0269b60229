"""The line table: one row a line, to and from LineRecord."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hotline.errors import ConfigError, LocalMisuseError
from hotline.model import Halt, LineRecord, Position, Receipt
from hotline.store.keys import LINE_MAX, signed, unsigned
from hotline.wire.heads import head_zero

if TYPE_CHECKING:
    import apsw

_COUNTS: Final = (
    "queued, queued_bytes, sealed, delivered, acknowledged, received, acknowledged_here, recovering"
)
_NUMBERS: Final = (
    "own_number, own_head, peer_number, peer_head,"
    " receipt_number, receipt_head, receipt_time_ns, receipt_signature,"
    f" halt_code, halt_text, halt_at_ns, {_COUNTS}"
)
_COLUMNS: Final = f"line, name, peer_id, {_NUMBERS}"
_ONE: Final = f"SELECT {_COLUMNS} FROM line WHERE line = ?"  # noqa: S608 - constants only
_ALL: Final = f"SELECT {_COLUMNS} FROM line ORDER BY line"  # noqa: S608 - constants only
# Not the peer's id, which never changes: its index would be written again with every commit.
_REPLACE: Final = f"""
UPDATE line SET ({_NUMBERS}) = ({", ".join("?" * 19)}) WHERE line = ?
"""  # noqa: S608 - constants only


def get(database: apsw.Connection, line: int) -> LineRecord:
    """Give one line."""
    row = database.execute(_ONE, (line,)).fetchone()
    if row is None:
        raise LocalMisuseError(f"there is no line {line}")
    return _record(row)


def every(database: apsw.Connection) -> list[LineRecord]:
    """Give all lines in the order in which they were added."""
    return [_record(row) for row in database.execute(_ALL)]


def put(database: apsw.Connection, record: LineRecord) -> None:
    """Replace one line's numbers; its name is changed by ``add`` alone."""
    receipt, halt = record.receipt, record.halt
    database.execute(
        _REPLACE,
        (
            record.own.number,
            record.own.head,
            record.peer.number,
            record.peer.head,
            receipt and receipt.number,
            receipt and receipt.head,
            receipt and signed(receipt.time_ns),
            receipt and receipt.signature,
            halt and halt.code,
            halt and halt.text,
            halt and halt.at_ns,
            record.queued,
            record.queued_bytes,
            record.sealed,
            record.delivered,
            record.acknowledged,
            record.received,
            record.acknowledged_here,
            record.recovering,
            record.line,
        ),
    )
    if database.changes() != 1:
        raise LocalMisuseError(f"there is no line {record.line}")


def add(database: apsw.Connection, name: str, peer_id: bytes, own_id: bytes) -> int:
    """Give the number of the line to peer_id, made if it is new, under its present name."""
    row = database.execute("SELECT line, own_id FROM line WHERE peer_id = ?", (peer_id,)).fetchone()
    if row is not None:
        line, founded_as = row
        if founded_as != own_id:
            raise ConfigError(  # the disk has done nothing wrong
                f"line {name} was founded under the card {founded_as.hex()[:16]} of this station, "
                f"not {own_id.hex()[:16]}",
                hint="name the card that this peer was first given as own_card of the line",
            )
        database.execute("UPDATE line SET name = ? WHERE line = ?", (name, line))
        return int(line)
    database.execute(
        "INSERT INTO line (name, peer_id, own_id, own_number, own_head, peer_number, peer_head)"
        " VALUES (?, ?, ?, 0, ?, 0, ?)",
        (name, peer_id, own_id, head_zero(own_id, peer_id), head_zero(peer_id, own_id)),
    )
    line = database.last_insert_rowid()
    if line > LINE_MAX:
        raise LocalMisuseError(f"line {line} does not fit into a key")
    return line


def _record(row: tuple[Any, ...]) -> LineRecord:
    line, name, peer_id, own, own_head, peer, peer_head, *rest = row
    number, head, time_ns, signature, code, text, at_ns, *counts = rest
    counts[-1] = bool(counts[-1])
    return LineRecord(
        line,
        name,
        peer_id,
        Position(own, own_head),
        Position(peer, peer_head),
        None if number is None else Receipt(number, head, unsigned(time_ns), signature),
        None if code is None else Halt(code, text, at_ns),
        *counts,
    )
