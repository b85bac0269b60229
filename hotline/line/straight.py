"""Messages that go straight to the log: the step that accepts them seals them, and they never wait.

Whatever waits is written for the queue, read from there, changed, and taken out of it again: what need
not wait costs half of that. It is the same log in the same order, for only those go straight that would
be the next to be taken from the queue, where nothing waits in it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from hotline.limits import ENTRIES_PER_FRAME, ENTRY_BYTES
from hotline.line.sealing import ENTRY_HEADER, RUN_BYTES, signed
from hotline.model import Kind, LogEntry, Position, Side
from hotline.wire import heads

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hotline.line.pairing import Pairing
    from hotline.model import LineRecord, Outgoing
    from hotline.store.interface import Transaction
    from hotline.wire.frames import Entries


def may_go(messages: Sequence[Outgoing]) -> bool:
    """Tell whether messages may go straight, in this order, as far as there is room.

    Not where one is more urgent than another, nor where the first goes in parts: the queue sees to
    such.
    """
    first = messages[0]
    return len(first.content) <= ENTRY_BYTES and all(
        message.precedence is first.precedence for message in messages
    )


class Way(NamedTuple):
    """Where the log goes on: behind number ``after``, if it still ends there, with so much room."""

    pairing: Pairing
    after: int
    room_bytes: int
    wall_ns: int

    def open(self, record: LineRecord) -> Straight | None:
        """Begin a run, or give None if anything stands in the way of what comes now."""
        if record.own.number != self.after or record.queued_bytes:
            return None
        return Straight(self, record)


class Straight:
    """One run being gathered; nothing of it is in the store before ``put``."""

    def __init__(self, way: Way, record: LineRecord) -> None:
        self._way = way
        self._record = record
        self._room_bytes = min(way.room_bytes, RUN_BYTES)
        self._messages: list[tuple[int, Outgoing]] = []
        self._entries: list[LogEntry] = []
        self._sealed = record.sealed
        self._number = record.own.number
        self._head = record.own.head
        self._is_full = False

    def takes(self, message: Outgoing) -> bool:
        """Take message in if it fits; after one that does not, none."""
        data = message.content
        room_bytes = self._room_bytes - len(data) - ENTRY_HEADER
        if self._is_full or (self._entries and room_bytes < 0) or len(data) > ENTRY_BYTES:
            self._is_full = True
            return False
        self._room_bytes = room_bytes
        self._number = number = self._number + 1
        self._head = head = heads.next_head(self._head, data)
        self._sealed += message.kind is Kind.MESSAGE
        self._messages.append((number, message))
        self._entries.append(LogEntry(number, head, data, self._sealed))
        self._is_full = len(self._entries) == ENTRIES_PER_FRAME
        return True

    def sign(self, tx: Transaction) -> Entries | None:
        """Give the run as it goes to the peer, or None if it is empty.

        Raises HotlineError if the keys for it are not here.
        """
        if not self._entries:
            return None
        changes = tx.key_changes(self._record.line, Side.OWN)
        return signed(self._way.pairing, self._entries, changes)

    def put(self, tx: Transaction, frame: Entries) -> LineRecord:
        """Store the run that frame carries; gives the line's numbers after it, to be stored too."""
        line = self._record.line
        tx.append(line, Side.OWN, self._entries)
        tx.add_sealed(line, self._messages)
        tx.put_signature(
            line, Side.OWN, frame.first, frame.last, frame.signature, self._way.wall_ns
        )
        end = Position(self._number, self._head)
        return replace(self._record, own=end, sealed=self._sealed)
