"""Our log: numbering what is queued, and giving runs of it to be sent. Each in one transaction.

A message gets its number when it is sealed for sending, not when it is queued, so that what is more
urgent goes first until the last moment.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from hotline.errors import HaltError
from hotline.limits import ENTRIES_PER_FRAME, ENTRY_BYTES, FRAME_BYTES
from hotline.line.accepting import unqueued
from hotline.line.agreement import own_log_lost
from hotline.line.key_changes import own_change
from hotline.line.new_run import ENTRY_HEADER, RUN_BYTES, NewRun, signed
from hotline.model import (
    KeyChange,
    Kind,
    LineRecord,
    Precedence,
    Queued,
    Queueing,
    Receipt,
    Side,
)
from hotline.wire import entries
from hotline.wire.frames import Entries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hotline.line.pairing import Pairing
    from hotline.store.interface import Transaction

_ROWS_A_LOOK: Final = 256
"""Queue rows read at a time: fewer than the entries that a frame may hold."""


@dataclass(frozen=True, slots=True)
class Run:
    """Entries ready to be sent (None: nothing waits), and the line's numbers after it.

    ``change`` is a key change of ours that the run ends with, sealed just now.
    """

    record: LineRecord
    frame: Entries | None
    expired: list[str] = field(default_factory=list)
    change: KeyChange | None = None


def next_run(
    tx: Transaction,
    line: int,
    pairing: Pairing,
    *,
    after: int,
    room_bytes: int,
    chunk_bytes: int,
    wall_ns: int,
) -> Run:
    """Give the entries after number ``after``: sealed ones first, then from the queue.

    At most room_bytes of entries, but one at least; long messages are cut to chunk_bytes. A run ends
    where a key change does: another key signs what follows.
    """
    record, changes = tx.line(line), tx.key_changes(line, Side.OWN)
    if after < record.own.number:
        room_bytes = min(room_bytes, RUN_BYTES)
        # Headers count here too, for a thousand small entries must still fit in one frame.
        most = min(ENTRIES_PER_FRAME, max(room_bytes // 32, 1))
        room_bytes -= min(room_bytes // 2, most * ENTRY_HEADER)
        ends = [change.number - after for change in changes if change.number > after]
        sealed = tx.entries(line, Side.OWN, after + 1, min([most, *ends]), room_bytes)
        return Run(record, signed(pairing, sealed, changes))
    batch = _Batch(record, room_bytes)
    _fill(tx, line, batch, chunk_bytes, wall_ns)
    if batch.expired:
        tx.set_queueing([row.row for row in batch.expired], Queueing.EXPIRED)
    frame = None
    if batch.entries:
        frame = batch.signed(pairing, changes)
        batch.put(tx, frame, wall_ns, batch.rows)
        tx.seal(line, batch.sealed, batch.parted)
    change = None
    if batch.key_change is not None:
        change = own_change(pairing, batch.key_change, batch.entries[-1].number)
        tx.put_key_change(line, Side.OWN, change)
    after_it = batch.record
    if after_it is not record:
        tx.put_line(after_it)
    return Run(after_it, frame, [row.id for row in batch.expired], change)


class _Batch(NewRun):
    """A run of what was queued, and what has expired there."""

    def __init__(self, record: LineRecord, room_bytes: int) -> None:
        super().__init__(record, room_bytes)
        self.sealed: list[tuple[int, int]] = []
        self.rows: dict[int, int] = {}
        self.parted: list[int] = []
        self.expired: list[Queued] = []
        self.key_change: entries.KeyChange | None = None
        self._unqueued = 0
        self._unqueued_bytes = 0

    @property
    def record(self) -> LineRecord:
        """The line's numbers after what was sealed and what has expired."""
        record = super().record
        if self.entries:
            record = replace(
                record,
                queued=record.queued - self._unqueued,
                queued_bytes=record.queued_bytes - self._unqueued_bytes,
            )
        return unqueued(record, self.expired) if self.expired else record

    def fits(self, size_bytes: int) -> bool:
        """Tell whether one more entry may go: none after a key change."""
        return super().fits(size_bytes) and self.key_change is None

    def add_plain(self, rows: Sequence[Queued]) -> int:
        """Append the first of rows, as many as are plain and fit; gives how many.

        Nearly all are: messages of one precedence that never expire and need no parts. All at once,
        they cost half of what ``add`` takes for each.
        """
        room_bytes, count = self.room_bytes, 0
        for row in rows:
            size_bytes = len(row.content)
            room_bytes -= size_bytes + ENTRY_HEADER
            if (
                room_bytes < 0
                or size_bytes > ENTRY_BYTES
                or row.kind is not Kind.MESSAGE
                or row.expires_ns is not None
                or row.precedence is not rows[0].precedence
            ):
                break
            count += 1
        if count:
            contents = [row.content for row in rows[:count]]
            numbers = self.extend(contents)
            ids = [row.row for row in rows[:count]]
            self.sealed += zip(ids, numbers, strict=True)
            self.rows.update(zip(numbers, ids, strict=True))
            self._unqueued += count
            self._unqueued_bytes += sum(map(len, contents))
        return count

    def add(self, data: bytes, row: Queued, carried_bytes: int, *, completes: bool) -> int:
        """Append one entry that carries so many bytes of row's content; gives its number."""
        is_message = completes and row.kind is Kind.MESSAGE
        number = self.append(data, completes_message=is_message)
        self._unqueued_bytes += carried_bytes
        self._unqueued += is_message
        if completes:
            self.sealed.append((row.row, number))
            if data is row.content:
                self.rows[number] = row.row
            else:
                self.parted.append(row.row)
            if row.kind is Kind.KEY_CHANGE:
                content = entries.decode_long(row.content)
                self.key_change = content if isinstance(content, entries.KeyChange) else None
        return number


def _fill(tx: Transaction, line: int, batch: _Batch, chunk_bytes: int, wall_ns: int) -> None:
    """Take rows from the queue while there is room; FLASHes get a run of their own."""
    # More than there is room for is not even read: each row of it would cost as much as one that goes.
    rows = tx.queued(line, _ROWS_A_LOOK, batch.room_bytes)
    if rows and all(_has_expired(row, wall_ns) for row in rows):
        rows = tx.queued(line, _ROWS_A_LOOK, FRAME_BYTES)  # such need no room
    plain = batch.add_plain(rows)
    flashes = plain > 0 and rows[0].precedence is Precedence.FLASH
    for row in rows[plain:]:
        if _has_expired(row, wall_ns):
            batch.expired.append(row)
            continue
        if flashes and row.precedence is not Precedence.FLASH:
            break  # a run of its own is at the disk over there before what follows it
        flashes = row.precedence is Precedence.FLASH
        size_bytes = len(row.content)
        if size_bytes <= ENTRY_BYTES:
            if not batch.fits(size_bytes):
                break
            batch.add(row.content, row, size_bytes, completes=True)
        elif not _cut(tx, line, batch, row, chunk_bytes):
            break


def _has_expired(row: Queued, wall_ns: int) -> bool:
    return row.sealed_bytes == 0 and row.expires_ns is not None and row.expires_ns <= wall_ns


def _cut(tx: Transaction, line: int, batch: _Batch, row: Queued, chunk_bytes: int) -> bool:
    """Seal parts of a long message; tells whether it is complete."""
    offset, total_bytes = row.sealed_bytes, len(row.content)
    while offset < total_bytes:
        chunk = row.content[offset : offset + chunk_bytes]
        data = entries.encode(entries.Part(row.id, row.precedence, offset, total_bytes, chunk))
        if not batch.fits(len(data)):
            break
        offset += len(chunk)
        number = batch.add(data, row, len(chunk), completes=offset == total_bytes)
        tx.seal_part(line, row.row, number, offset)
    return offset == total_bytes


def take_receipt(
    tx: Transaction, line: int, pairing: Pairing, receipt: Receipt, wall_ns: int
) -> LineRecord:
    """Keep the peer's receipt over our log; raises ProtocolError if it is not its signature.

    Raises HaltError if it is, over another history than ours.
    """
    record = tx.line(line)
    if record.receipt is not None and receipt.number <= record.receipt.number:
        return record  # older than what we hold: a session has been replaced
    pairing.verify_receipt(receipt)
    head = tx.head(line, Side.OWN, receipt.number)
    if head is None:
        raise own_log_lost(receipt.number, record.own.number)
    if head != receipt.head:
        raise HaltError(
            "fork", f"the peer signed a receipt for another entry {receipt.number} than ours"
        )
    tx.put_receipt(line, receipt, wall_ns)
    delivered = tx.messages_until(line, Side.OWN, receipt.number)
    record = replace(record, receipt=receipt, delivered=delivered)
    tx.put_line(record)
    return record
