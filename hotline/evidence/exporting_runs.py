"""Writing a run of a log out of a store, a batch at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hotline.errors import EvidenceError
from hotline.evidence import runs
from hotline.evidence.lines import LogOf
from hotline.limits import ENTRIES_PER_FRAME, FRAME_BYTES, MIB
from hotline.model import LineRecord, LogEntry, Side
from hotline.wire.frames import NUMBER_MAX
from hotline.wire.heads import next_head

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hotline.evidence.audit import Readable
    from hotline.evidence.signers import Signers
    from hotline.store.interface import History, Reader

_BATCH_ENTRIES: Final = 2048
_BATCH_BYTES: Final = 4 * MIB
_PIECE_BYTES: Final = FRAME_BYTES // 2


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries of a line's log; ``last`` is moved on to the next head that was signed."""

    record: LineRecord
    side: Side
    own: Signers
    peer: Signers
    first: int
    last: int


def export(store: Readable, wanted: Wanted, write: Callable[[bytes], object]) -> Iterator[int]:
    """Write a run piece by piece; gives the number reached, after each batch.

    Raises EvidenceError if the log does not reach so far, or is not as it was signed.
    """
    record, side, first = wanted.record, wanted.side, wanted.first
    end = (record.own if side is Side.OWN else record.peer).number
    if not end:
        raise EvidenceError("the log is empty: nothing has been said there yet")
    if not 1 <= first <= wanted.last <= end:
        raise EvidenceError(f"the log has entries 1 to {end}, not {first} to {wanted.last}")
    writer, reader = (wanted.own, wanted.peer)[:: 1 if side is Side.OWN else -1]
    zero = LogOf(writer, reader).zero
    last, head = store.read(lambda r: _bounds(r.history(), wanted, zero))
    write(runs.MAGIC)
    write(
        runs.piece(
            runs.HEADER,
            *(runs.TAG, writer.founding.encoded, reader.founding.encoded),
            *(writer.successions, reader.successions, first, head),
        )
    )
    number = first - 1
    while number < last:
        after = number
        rows, marks = store.read(
            lambda r, after=after: _batch(r, record.line, side, after, last)  # type: ignore[misc]
        )
        for segment in _segments(rows, marks):
            for row in segment:
                number += 1
                head = next_head(head, row.data)
                if row.number != number or row.head != head:
                    raise EvidenceError(f"entry {number} is damaged", hint="hotline log verify")
            write(runs.piece(runs.ENTRIES, tuple(row.data for row in segment)))
            for mark in marks.get(number, ()):
                write(mark)
        if number == after:
            raise EvidenceError(f"entry {number + 1} of the log is missing")
        yield number
    write(runs.piece(runs.END, last))


def _bounds(history: History, wanted: Wanted, zero: bytes) -> tuple[int, bytes]:
    """Give where the run ends, and the head before its first entry."""
    line, side = wanted.record.line, wanted.side
    signed = history.signatures(line, side, wanted.last, NUMBER_MAX, 1)
    if not signed:
        raise EvidenceError(f"no signature covers entry {wanted.last}")
    before = zero if wanted.first == 1 else history.head(line, side, wanted.first - 1)
    if before is None:
        raise EvidenceError(f"entry {wanted.first - 1} of the log is missing")
    return signed[0][0], before


def _batch(
    reader: Reader, line: int, side: Side, after: int, last: int
) -> tuple[list[LogEntry], dict[int, list[bytes]]]:
    """Give the next entries, and what was signed over heads among them, by number."""
    history = reader.history()
    most = min(_BATCH_ENTRIES, last - after)
    rows = history.entries(line, side, after + 1, most, _BATCH_BYTES)
    marks: dict[int, list[bytes]] = {}
    if not rows:
        return rows, marks
    bounds = after + 1, rows[-1].number
    for number, signature in history.signatures(line, side, *bounds, most):
        marks.setdefault(number, []).append(runs.piece(runs.SIGNATURE, signature))
    if side is Side.OWN:
        for receipt in history.receipts(line, *bounds, most):
            mark = runs.piece(runs.RECEIPT, receipt.time_ns, receipt.signature)
            marks.setdefault(receipt.number, []).append(mark)
    for signer in Side:
        for number, mark in _checkpoints(history, line, signer, side, bounds):
            marks.setdefault(number, []).append(mark)
    return rows, marks


def _checkpoints(
    history: History, line: int, signer: Side, side: Side, bounds: tuple[int, int]
) -> Iterator[tuple[int, bytes]]:
    """Give a signer's checkpoints over heads of side's log within bounds."""
    number, end = bounds
    own = signer is side
    while True:
        found = history.covering(line, signer, number if own else 0, 0 if own else number)
        if found is None:
            return
        place, other = (found.own, found.peer) if own else (found.peer, found.own)
        if place.number > end:
            return
        kind = runs.WRITERS if own else runs.READERS
        yield (
            place.number,
            runs.piece(kind, other.number, other.head, found.time_ns, found.signature),
        )
        number = place.number + 1


def _segments(rows: list[LogEntry], marks: dict[int, list[bytes]]) -> Iterator[list[LogEntry]]:
    """Cut rows where something was signed, and where a piece is full."""
    segment: list[LogEntry] = []
    size = 0
    for row in rows:
        segment.append(row)
        size += len(row.data)
        full = size >= _PIECE_BYTES or len(segment) == ENTRIES_PER_FRAME
        if row.number in marks or full:
            yield segment
            segment, size = [], 0
    if segment:
        yield segment
