"""A run of our log while it is being made: entries put to the log's end, as many as one frame holds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from hotline.limits import ENTRIES_PER_FRAME, FRAME_BYTES
from hotline.model import LogEntry, Position, Side
from hotline.wire import heads
from hotline.wire.frames import Entries

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hotline.line.pairing import Pairing
    from hotline.model import KeyChange, LineRecord
    from hotline.store.interface import Transaction

RUN_BYTES: Final = FRAME_BYTES - 256
"""A run's entries and their headers: an entries frame adds less than that beside them."""

ENTRY_HEADER: Final = 3
"""What msgpack puts before an entry of up to 64 KiB."""


def signed(pairing: Pairing, run: list[LogEntry], changes: list[KeyChange]) -> Entries:
    """Give entries of our log as they go to the peer, with our signature over the last."""
    last = run[-1]
    signature = pairing.sign_head(Position(last.number, last.head), changes)
    return Entries(run[0].number, tuple(entry.data for entry in run), signature)


class NewRun:
    """Entries behind the end of our log; nothing of them is in the store before ``put``.

    The line's numbers are replaced once, at the end: for each entry that would cost more than its
    hashes.
    """

    def __init__(self, record: LineRecord, room_bytes: int) -> None:
        """Go on from record, with so much room for entries and their headers."""
        self.entries: list[LogEntry] = []
        self.room_bytes = min(room_bytes, RUN_BYTES)
        self._begun = record
        self._number = record.own.number
        self._head = record.own.head
        self._messages = record.sealed

    @property
    def record(self) -> LineRecord:
        """The line's numbers after it."""
        if not self.entries:
            return self._begun
        end = Position(self._number, self._head)
        return replace(self._begun, own=end, sealed=self._messages)

    def fits(self, size_bytes: int) -> bool:
        """Tell whether one more entry may go; the first always may."""
        return not self.entries or (
            size_bytes + ENTRY_HEADER <= self.room_bytes and len(self.entries) < ENTRIES_PER_FRAME
        )

    def append(self, data: bytes, *, completes_message: bool) -> int:
        """Add one entry; gives its number."""
        self._number = number = self._number + 1
        self._head = head = heads.next_head(self._head, data)
        self._messages += completes_message
        self.entries.append(LogEntry(number, head, data, self._messages))
        self.room_bytes -= len(data) + ENTRY_HEADER
        return number

    def extend(self, messages: list[bytes]) -> range:
        """Add entries that are a message each, for which there is room; gives their numbers."""
        count = len(messages)
        numbers = range(self._number + 1, self._number + 1 + count)
        counts = range(self._messages + 1, self._messages + 1 + count)
        chained = heads.chain(self._head, messages)
        self.entries += map(LogEntry, numbers, chained, messages, counts)
        self._number += count
        self._messages += count
        self._head = chained[-1]
        self.room_bytes -= sum(map(len, messages)) + count * ENTRY_HEADER
        return numbers

    def signed(self, pairing: Pairing, changes: list[KeyChange]) -> Entries:
        """Give it as it goes to the peer; raises HotlineError if the keys for it are not here."""
        return signed(pairing, self.entries, changes)

    def put(
        self, tx: Transaction, frame: Entries, wall_ns: int, rows: Mapping[int, int] | None = None
    ) -> None:
        """Store the entries and the signature over them; rows as Transaction.append takes them."""
        line = self._begun.line
        tx.append(line, Side.OWN, self.entries, rows or {})
        tx.put_signature(line, Side.OWN, frame.first, frame.last, frame.signature, wall_ns)
