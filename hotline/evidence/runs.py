"""A run of one log in a file: entries, and every signature over heads among them, in their order.

The file is read and written as a stream, so that a log of any length can be taken along. A signature
says nothing of where it stands: its place is where the entries before it have led.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from hotline.errors import DecodeError, EvidenceError, IdentityError
from hotline.evidence.changes import Change
from hotline.evidence.lines import LogOf, check_checkpoint
from hotline.evidence.proof import CARD_BYTES
from hotline.evidence.signers import Signers
from hotline.identity import Card
from hotline.limits import (
    ED25519_SIGNATURE_BYTES,
    ENTRIES_PER_FRAME,
    ENTRY_BYTES,
    FRAME_BYTES,
    HASH_BYTES,
    KEY_CHANGES,
    KIB,
    MLDSA_SIGNATURE_BYTES,
    SUCCESSION_BYTES,
)
from hotline.model import Checkpoint, Position
from hotline.strict import Shape, blob, run, text, uint
from hotline.wire import entries
from hotline.wire.frames import NUMBER_MAX
from hotline.wire.heads import next_head

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, BinaryIO

TAG: Final = "hotline/1 log run"
MAGIC: Final = b"HOTLINE LOG RUN\n"

HEADER, ENTRIES, SIGNATURE, RECEIPT, WRITERS, READERS, END = range(1, 8)

_HEADER_BYTES: Final = 2 * (CARD_BYTES + KEY_CHANGES * SUCCESSION_BYTES) + KIB

SHAPES: Final = {
    HEADER: Shape(
        "header",
        text("tag", len(TAG)),
        blob("writer's card", CARD_BYTES, low=1),
        blob("reader's card", CARD_BYTES, low=1),
        run("writer's successions", blob("succession", SUCCESSION_BYTES, low=1), KEY_CHANGES),
        run("reader's successions", blob("succession", SUCCESSION_BYTES, low=1), KEY_CHANGES),
        uint("first", NUMBER_MAX, low=1),
        blob("head before", HASH_BYTES),
        max_bytes=_HEADER_BYTES,
    ),
    ENTRIES: Shape(
        "run",
        run("entries", blob("entry", ENTRY_BYTES, low=1), ENTRIES_PER_FRAME, low=1),
        max_bytes=FRAME_BYTES,
    ),
    SIGNATURE: Shape("signature", blob("signature", ED25519_SIGNATURE_BYTES), max_bytes=KIB),
    RECEIPT: Shape(
        "receipt", uint("time_ns"), blob("signature", ED25519_SIGNATURE_BYTES), max_bytes=KIB
    ),
    **{
        kind: Shape(
            name,
            uint("other number", NUMBER_MAX),
            blob("other head", HASH_BYTES),
            uint("time_ns"),
            blob("signature", MLDSA_SIGNATURE_BYTES),
            max_bytes=8 * KIB,
        )
        for kind, name in ((WRITERS, "writer's checkpoint"), (READERS, "reader's checkpoint"))
    },
    END: Shape("end", uint("last", NUMBER_MAX, low=1), max_bytes=KIB),
}


def piece(kind: int, *values: Any) -> bytes:
    """Give one piece of the file: type u8, length u24, body."""
    body = SHAPES[kind].pack(*values)
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


class Newest(NamedTuple):
    """The newest receipt or checkpoint: how far it reaches, and its time (UNIX ns)."""

    number: int
    time_ns: int


@dataclass
class Run:
    """What a file was found to hold."""

    writer: Card
    reader: Card
    first: int
    last: int
    signatures: int = 0
    receipt: Newest | None = None
    receipt_by: Card | None = None
    """Of the reader's cards the one that this receipt verifies by."""
    receipt_by_old_keys: bool = False
    """Whether the file names a later card of the reader's than that."""
    writer_checkpoint: Newest | None = None
    reader_checkpoint: Newest | None = None
    changes: list[Change] = field(default_factory=list)
    """Those of the writer's keys that stand in this run."""
    elsewhere: tuple[Card, ...] = ()
    """Later cards of both stations that may have signed here, whose change stands outside of it."""


def check(file: BinaryIO, seen: Callable[[int, bytes], None] = lambda _number, _data: None) -> Run:
    """Check a whole file and give what it proves; raises EvidenceError.

    ``seen`` gets every entry as it goes by, before it is known whether it was signed.
    """
    if file.read(len(MAGIC)) != MAGIC:
        raise EvidenceError("the file is no run of a log")
    pieces = _pieces(file)
    kind, header = next(pieces)
    if kind != HEADER:
        raise EvidenceError("the run does not begin with its header")
    reading = _Reading(header, seen)
    for kind, values in pieces:
        if kind == END:
            return reading.end(values[0])
        reading.take(kind, values)
    raise EvidenceError("the run ends too early")


def _pieces(file: BinaryIO) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """Give every piece; after END the file must end, and nothing may be missing before it."""
    while True:
        start = file.read(4)
        kind = start[0] if start else 0
        shape = SHAPES.get(kind)
        if len(start) != 4 or shape is None:  # noqa: PLR2004 - type and length
            raise EvidenceError("the run is cut off, or not made of its pieces")
        size = int.from_bytes(start[1:], "big")
        if size > shape.max_bytes:
            raise EvidenceError(f"a piece of the run is {size} bytes long")
        body = file.read(size)
        if len(body) != size:
            raise EvidenceError("the run is cut off in the midst of a piece")
        try:
            values = shape.unpack(body)
        except DecodeError as error:
            raise EvidenceError(f"the run is damaged: {error}") from None
        if kind == END and file.read(1):
            raise EvidenceError("something follows the end of the run")
        yield kind, values


class _Reading:
    """Follows the chain through a file."""

    def __init__(self, header: tuple[Any, ...], seen: Callable[[int, bytes], None]) -> None:
        tag, writer, reader, writer_successions, reader_successions, first, before = header
        if tag != TAG:
            raise EvidenceError(f"this is no run of this protocol version ({TAG!r})")
        try:
            signers = (
                Signers(Card.decode(writer, source="the writer's card"), writer_successions),
                Signers(Card.decode(reader, source="the reader's card"), reader_successions),
            )
        except IdentityError as error:
            raise EvidenceError(f"the run is damaged: {error}") from None
        self._log, self._back = LogOf(*signers), LogOf(*reversed(signers))
        if first == 1 and before != self._log.zero:
            raise EvidenceError("the run begins with the head of another line")
        self._place = Position(first - 1, before)
        self._signed = first - 1
        self._seen = seen
        self._run = Run(signers[0].founding, signers[1].founding, first, first - 1)
        self._signers = signers

    def take(self, kind: int, values: tuple[Any, ...]) -> None:
        """Take one piece."""
        place, found = self._place, self._run
        if kind == ENTRIES:
            self._entries(values[0])
        elif kind == SIGNATURE:
            self._log.check_head(place, values[0])
            self._signed = place.number
            found.signatures += 1
        elif kind == RECEIPT:
            found.receipt_by = self._log.check_receipt(place, *values)
            found.receipt_by_old_keys = found.receipt_by != self._signers[1].cards[-1]
            found.receipt = Newest(place.number, values[0])
        elif kind == WRITERS:
            checkpoint = Checkpoint(place, Position(*values[:2]), *values[2:])
            check_checkpoint(self._log, self._back, checkpoint)
            found.writer_checkpoint = Newest(place.number, checkpoint.time_ns)
        elif kind == READERS:
            checkpoint = Checkpoint(Position(*values[:2]), place, *values[2:])
            check_checkpoint(self._back, self._log, checkpoint)
            found.reader_checkpoint = Newest(place.number, checkpoint.time_ns)
        else:
            raise EvidenceError("the run has a second header")

    def _entries(self, run: tuple[bytes, ...]) -> None:
        number, head = self._place.number, self._place.head
        for entry in run:
            number += 1
            head = next_head(head, entry)
            self._seen(number, entry)
            if entries.ends_key_change(entry):
                self._keys_changed(number, entry)
        self._place = Position(number, head)

    def _keys_changed(self, number: int, entry: bytes) -> None:
        """Hold what follows to the new keys: the id of the part that ends a change names their card."""
        writer, part = self._signers[0], entries.decode(entry)
        ids = [entries.key_change_id(card.id) for card in writer.cards]
        index = ids.index(part.id) if part.id in ids else 0
        writer.changed(number, index)
        self._run.changes.append(Change(number, writer.cards[index - 1], writer.cards[index]))

    def end(self, last: int) -> Run:
        """Nothing may stand between the last signature and the end."""
        if not self._run.first <= last == self._signed == self._place.number:
            raise EvidenceError(
                f"the run ends at entry {self._place.number}, but is signed up to {self._signed}"
            )
        self._run.last = last
        here = {change.card for change in self._run.changes}
        later = [card for one in self._signers for card in one.cards[1:]]
        self._run.elsewhere = tuple(card for card in later if card not in here)
        return self._run
