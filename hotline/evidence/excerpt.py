"""A piece of a log: some entries shown whole, and the chain from before them to signed heads.

Of the entries that are not shown only the hash stands here, which is all that the heads need: nobody
learns what else was said.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha512
from typing import TYPE_CHECKING, Final

from hotline.errors import DecodeError, EvidenceError
from hotline.limits import (
    CHAIN_ENTRIES,
    ED25519_SIGNATURE_BYTES,
    ENTRY_BYTES,
    HASH_BYTES,
    MESSAGE_ENCODED_BYTES,
    PART_BYTES,
)
from hotline.model import Position
from hotline.strict import Shape, blob, run, uint
from hotline.wire.frames import NUMBER_MAX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hotline.evidence.lines import LogOf
    from hotline.identity import Card

SHOWN_ENTRIES: Final = MESSAGE_ENCODED_BYTES // PART_BYTES + 1
"""The most parts that a message can have: all but the last carry PART_BYTES at least."""

MAX_BYTES: Final = (CHAIN_ENTRIES * HASH_BYTES) + 2 * MESSAGE_ENCODED_BYTES

_SHAPE: Final = Shape(
    "excerpt",
    uint("first", NUMBER_MAX, low=1),
    blob("head before", HASH_BYTES),
    blob("hashes", CHAIN_ENTRIES * HASH_BYTES, low=HASH_BYTES),
    run("numbers", uint("number", NUMBER_MAX, low=1), SHOWN_ENTRIES, low=1),
    run("entries", blob("entry", ENTRY_BYTES, low=1), SHOWN_ENTRIES, low=1),
    uint("signed", NUMBER_MAX, low=1),
    blob("signature", ED25519_SIGNATURE_BYTES),
    uint("receipted", NUMBER_MAX, low=1, optional=True),
    uint("receipt time_ns", optional=True),
    blob("receipt signature", ED25519_SIGNATURE_BYTES, optional=True),
    max_bytes=MAX_BYTES,
)


@dataclass(frozen=True, slots=True)
class ReceiptOver:
    """A receipt over the head after number; which head, the chain says."""

    number: int
    time_ns: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Entries ``numbers`` shown; ``hashes`` are SHA-512 of every entry from ``first`` on."""

    first: int
    before: bytes
    hashes: bytes
    numbers: tuple[int, ...]
    entries: tuple[bytes, ...]
    signed: int
    signature: bytes
    receipt: ReceiptOver | None

    @property
    def interrupted(self) -> bool:
        """Whether other entries stand between those that are shown."""
        return self.numbers[-1] - self.numbers[0] + 1 != len(self.numbers)

    def encode(self) -> bytes:
        """Give the excerpt's bytes."""
        receipt = self.receipt
        return _SHAPE.pack(
            *(self.first, self.before, self.hashes, self.numbers, self.entries),
            *(self.signed, self.signature),
            *((receipt.number, receipt.time_ns, receipt.signature) if receipt else (None,) * 3),
        )

    @classmethod
    def decode(cls, data: bytes) -> Excerpt:
        """Give the excerpt that data spells; raises DecodeError."""
        values = _SHAPE.unpack(data)
        first, before, hashes, numbers, shown, signed, signature, *receipt = values
        if any(one is None for one in receipt) and any(one is not None for one in receipt):
            raise DecodeError("excerpt has a part of a receipt")
        taken = None if receipt[0] is None else ReceiptOver(*receipt)
        return cls(first, before, hashes, numbers, shown, signed, signature, taken)


class Checked:
    """An excerpt whose every byte is accounted for by a signature; made by ``check`` alone."""

    def __init__(self, excerpt: Excerpt, heads: list[bytes], receipt_by: Card | None) -> None:
        self.excerpt = excerpt
        self.receipt_by = receipt_by
        self._heads = heads

    @property
    def last_shown(self) -> int:
        """The number of the last entry shown."""
        return self.excerpt.numbers[-1]

    def covers(self, place: Position) -> bool:
        """Tell whether a signature over place covers what is shown; raises EvidenceError for a fork.

        What lies outside of the chain cannot be told.
        """
        offset = place.number - self.excerpt.first + 1
        if not 0 <= offset < len(self._heads):
            return False
        if self._heads[offset] != place.head:
            raise EvidenceError(f"a checkpoint has another head at entry {place.number}")
        return place.number >= self.last_shown


def check(excerpt: Excerpt, log: LogOf, others: Sequence[Position]) -> Checked:
    """Check every byte of an excerpt of log; others are heads of it that checkpoints sign.

    Raises EvidenceError.
    """
    heads = _chain(excerpt, log)
    last = excerpt.first + len(heads) - 2
    _check_shown(excerpt, last)
    _check_place(excerpt, last, excerpt.signed)
    at = excerpt.signed
    log.check_head(Position(at, heads[at - excerpt.first + 1]), excerpt.signature)
    reach = at
    receipt, receipt_by = excerpt.receipt, None
    if receipt is not None:
        _check_place(excerpt, last, receipt.number)
        place = Position(receipt.number, heads[receipt.number - excerpt.first + 1])
        receipt_by = log.check_receipt(place, receipt.time_ns, receipt.signature)
        reach = max(reach, receipt.number)
    checked = Checked(excerpt, heads, receipt_by)
    reach = max([reach, *(place.number for place in others if checked.covers(place))])
    if reach != last:
        raise EvidenceError(f"the chain goes on to entry {last}, but nobody has signed it there")
    return checked


def _chain(excerpt: Excerpt, log: LogOf) -> list[bytes]:
    if len(excerpt.hashes) % HASH_BYTES:
        raise EvidenceError("the chain is not made of whole hashes")
    if excerpt.first == 1 and excerpt.before != log.zero:
        raise EvidenceError("the log begins with the head of another line")
    heads = [head := excerpt.before]
    for at in range(0, len(excerpt.hashes), HASH_BYTES):
        head = sha512(head + excerpt.hashes[at : at + HASH_BYTES]).digest()
        heads.append(head)
    return heads


def _check_shown(excerpt: Excerpt, last: int) -> None:
    if len(excerpt.numbers) != len(excerpt.entries):
        raise EvidenceError("not every entry has a number")
    if list(excerpt.numbers) != sorted(set(excerpt.numbers)) or excerpt.numbers[0] != excerpt.first:
        raise EvidenceError("the entries do not stand in their order")
    if excerpt.numbers[-1] > last:
        raise EvidenceError("an entry lies behind the end of the chain")
    for number, entry in zip(excerpt.numbers, excerpt.entries, strict=True):
        at = (number - excerpt.first) * HASH_BYTES
        if sha512(entry).digest() != excerpt.hashes[at : at + HASH_BYTES]:
            raise EvidenceError(f"entry {number} is not the one that was signed")


def _check_place(excerpt: Excerpt, last: int, number: int) -> None:
    if not excerpt.numbers[-1] <= number <= last:
        raise EvidenceError(f"a signature over entry {number} does not cover what is shown")
