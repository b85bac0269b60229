"""Checking a whole line in its store: every hash, head, signature, receipt and checkpoint.

The logs are walked from the first entry on, a batch of rows at a time, each in a read transaction of
its own: memory stays flat however long they are, and a daemon at work is not held up.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha512
from typing import TYPE_CHECKING, Final

from hotline.errors import EvidenceError
from hotline.evidence.lines import LogOf, check_checkpoint
from hotline.limits import MIB
from hotline.model import LineRecord, Position, Side

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol, TypeVar

    from hotline.evidence.signers import Signers
    from hotline.model import Checkpoint, LogEntry, Receipt
    from hotline.store.interface import Reader

    T = TypeVar("T")

    class Readable(Protocol):
        """A store, or an archive of one."""

        def read(self, work: Callable[[Reader], T]) -> T:
            """Run work over one moment of the store."""


_BATCH_ENTRIES: Final = 2048
_BATCH_BYTES: Final = 4 * MIB
_CHECKPOINTS: Final = 64


@dataclass
class Audit:
    """What was checked of one line so far; counts by whose log, or whose signature, it is."""

    own_entries: int = 0
    peer_entries: int = 0
    own_signatures: int = 0
    peer_signatures: int = 0
    receipts: int = 0
    own_checkpoints: int = 0
    peer_checkpoints: int = 0
    size_bytes: int = 0


class Auditor:
    """Walks through one line; ``audit`` holds what has been found good so far."""

    def __init__(self, store: Readable, record: LineRecord, own: Signers, peer: Signers) -> None:
        """Check the line as record tells of it, which is what the store showed a moment ago."""
        self.audit = Audit()
        self._store = store
        self._record = record
        self._logs = {Side.OWN: LogOf(own, peer), Side.PEER: LogOf(peer, own)}

    @property
    def total(self) -> int:
        """How many entries there are to be checked."""
        return self._record.own.number + self._record.peer.number

    @property
    def done(self) -> int:
        """How many of them have been checked."""
        return self.audit.own_entries + self.audit.peer_entries

    def run(self, progress: Callable[[], None]) -> Audit:
        """Check everything; raises EvidenceError that names the first thing that is not right."""
        if self._record.peer_id != self._logs[Side.PEER].writer.founding.id:
            raise EvidenceError(f"line {self._record.name} belongs to another card than the peer's")
        for side, end in ((Side.OWN, self._record.own), (Side.PEER, self._record.peer)):
            self._walk(side, end, progress)
        self._newest_receipt()
        for signer in Side:
            self._checkpoints(signer)
        return self.audit

    def _walk(self, side: Side, end: Position, progress: Callable[[], None]) -> None:
        place = Position(0, self._logs[side].zero)
        signed = 0
        while place.number < end.number:
            first = place.number + 1
            rows, signatures, receipts = self._batch(side, first, end.number)
            heads = self._chain(side, place, rows)
            place = Position(rows[-1].number, heads[-1])
            for number, signature in signatures:
                self._signature(side, Position(number, heads[number - first]), signature)
                signed = number
            for receipt in receipts:
                self._receipt(receipt, heads[receipt.number - first])
            progress()
        if place.head != end.head:
            raise EvidenceError(f"{_whose(side)} ends in another head than the line has noted")
        if signed != end.number:
            raise EvidenceError(
                f"entry {signed + 1} of {_whose(side)} and what follows carry no signature"
            )

    def _batch(
        self, side: Side, first: int, end: int
    ) -> tuple[list[LogEntry], list[tuple[int, bytes]], list[Receipt]]:
        """Read the next rows and all signatures and receipts over their heads."""
        line, most = self._record.line, min(_BATCH_ENTRIES, end - first + 1)

        def read(
            reader: Reader,
        ) -> tuple[list[LogEntry], list[tuple[int, bytes]], list[Receipt]]:
            history = reader.history()
            rows = history.entries(line, side, first, most, _BATCH_BYTES)
            if not rows or rows[0].number != first:
                raise EvidenceError(f"entry {first} of {_whose(side)} is missing")
            last = rows[-1].number
            signatures = history.signatures(line, side, first, last, most)
            receipts = history.receipts(line, first, last, most) if side is Side.OWN else []
            return rows, signatures, receipts

        return self._store.read(read)

    def _chain(self, side: Side, place: Position, rows: list[LogEntry]) -> list[bytes]:
        """Give the head after each row, which must be the one stored with it."""
        # A log may have millions of entries: this loop is all that each of them costs.
        number, head = place.number, place.head
        heads: list[bytes] = []
        for row in rows:
            number += 1
            if row.number != number:
                raise EvidenceError(f"entry {number} of {_whose(side)} is missing")
            head = sha512(head + sha512(row.data).digest()).digest()
            if head != row.head:
                raise EvidenceError(
                    f"entry {number} of {_whose(side)} does not match the head stored with it"
                )
            heads.append(head)
        if side is Side.OWN:
            self.audit.own_entries += len(rows)
        else:
            self.audit.peer_entries += len(rows)
        self.audit.size_bytes += sum(len(row.data) for row in rows)
        return heads

    def _signature(self, side: Side, place: Position, signature: bytes) -> None:
        self._logs[side].check_head(place, signature)
        if side is Side.OWN:
            self.audit.own_signatures += 1
        else:
            self.audit.peer_signatures += 1

    def _receipt(self, receipt: Receipt, head: bytes) -> None:
        if receipt.head != head:
            raise EvidenceError(
                f"the receipt for entry {receipt.number} is for another head than our log has"
            )
        place = Position(receipt.number, receipt.head)
        self._logs[Side.OWN].check_receipt(place, receipt.time_ns, receipt.signature)
        self.audit.receipts += 1

    def _newest_receipt(self) -> None:
        """Check the receipt by which the line calls messages delivered."""
        receipt = self._record.receipt
        if receipt is None:
            return
        self._receipt(receipt, self._head(Side.OWN, receipt.number))
        self.audit.receipts -= 1  # it stands among the others too

    def _checkpoints(self, signer: Side) -> None:
        other = Side.PEER if signer is Side.OWN else Side.OWN
        line, cursor = self._record.line, 0
        while True:
            after = cursor
            found = self._store.read(
                lambda reader, after=after: reader.history().checkpoints(  # type: ignore[misc]
                    line, signer, after, _CHECKPOINTS
                )
            )
            if not found:
                return
            for cursor, checkpoint in found:  # noqa: B007 - the last one's is used
                self._checkpoint(signer, other, checkpoint)

    def _checkpoint(self, signer: Side, other: Side, checkpoint: Checkpoint) -> None:
        check_checkpoint(self._logs[signer], self._logs[other], checkpoint)
        places = {signer: checkpoint.own, other: checkpoint.peer}
        ends = {Side.OWN: self._record.own.number, Side.PEER: self._record.peer.number}
        if any(place.number > ends[side] for side, place in places.items()):
            self._made_meanwhile(signer, places)
            return
        for side, place in places.items():
            if self._head(side, place.number) != place.head:
                raise EvidenceError(
                    f"a checkpoint of {_signer(signer)} has another head at entry"
                    f" {place.number} of {_whose(side)}"
                )
        if signer is Side.OWN:
            self.audit.own_checkpoints += 1
        else:
            self.audit.peer_checkpoints += 1

    def _made_meanwhile(self, signer: Side, places: dict[Side, Position]) -> None:
        """A daemon at work has gone on since we began; but no further than its logs have."""
        number = self._record.line
        now = self._store.read(
            lambda reader: next(one for one in reader.lines() if one.line == number)
        )
        ends = {Side.OWN: now.own.number, Side.PEER: now.peer.number}
        for side, place in places.items():
            if place.number > ends[side]:
                raise EvidenceError(
                    f"a checkpoint of {_signer(signer)} reaches to entry {place.number} of"
                    f" {_whose(side)}, which ends at {ends[side]}"
                )

    def _head(self, side: Side, number: int) -> bytes:
        """Give a head of a log that has been walked through already; of nothing, the first one."""
        if number == 0:
            return self._logs[side].zero
        line = self._record.line
        return self._store.read(lambda reader: reader.history().head(line, side, number)) or b""


def _whose(side: Side) -> str:
    return "our own log" if side is Side.OWN else "the peer's log"


def _signer(side: Side) -> str:
    return "this station" if side is Side.OWN else "the peer"
