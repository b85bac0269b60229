"""Messages that go straight to the log: the step that accepts them seals them, and they never wait.

Whatever waits is written for the queue, read from there, changed, and taken out of it again: what need
not wait costs a quarter less. It is the same log in the same order, for only those go straight that
would be the next to be taken from the queue, where nothing waits in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hotline.errors import HotlineError
from hotline.limits import ENTRY_BYTES
from hotline.line.new_run import NewRun
from hotline.model import Kind, Side

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


class Straight(NewRun):
    """One run being gathered from what operators ask for."""

    def __init__(self, way: Way, record: LineRecord) -> None:
        super().__init__(record, way.room_bytes)
        self._way = way
        self._messages_in: list[tuple[int, Outgoing]] = []
        self._is_over = False
        self.frame: Entries | None = None

    def takes(self, message: Outgoing) -> bool:
        """Take message in if it may go now; after one that may not, none."""
        size_bytes = len(message.content)
        self._is_over = (
            self._is_over
            or not self.fits(size_bytes)
            or size_bytes > ENTRY_BYTES
            or (message.expires_ns is not None and message.expires_ns <= self._way.wall_ns)
        )
        if not self._is_over:
            is_message = message.kind is Kind.MESSAGE
            number = self.append(message.content, completes_message=is_message)
            self._messages_in.append((number, message))
        return not self._is_over

    def sign(self, tx: Transaction) -> bool:
        """Make the frame that carries the run to the peer; tells whether the keys for it are here."""
        if self.entries:
            changes = tx.key_changes(self._begun.line, Side.OWN)
            try:
                self.frame = self.signed(self._way.pairing, changes)
            except HotlineError:
                return False
        return True

    def store(self, tx: Transaction) -> None:
        """Store the signed run, if there is one, and its messages; not the line's numbers."""
        if self.frame is not None:
            self.put(tx, self.frame, self._way.wall_ns)
            tx.add_sealed(self._begun.line, self._messages_in)
