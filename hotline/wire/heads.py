"""What is hashed and what is signed over a log (docs/protocol.md, "The log").

    head_0 = SHA-512("hotline/1 log" + writer id + reader id)
    head_n = SHA-512(head_(n-1) + SHA-512(entry_n))

Both station ids stand in head_0 and head_0 stands in everything signed, so no entry, signature or
receipt of one line can be replayed into another, or into the other direction of the same one.
"""

from __future__ import annotations

from hashlib import sha512
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hotline.model import Position

LOG_LABEL: Final = b"hotline/1 log"
HEAD_LABEL: Final = b"hotline/1 head"
RECEIPT_LABEL: Final = b"hotline/1 receipt"
CHECKPOINT_CONTEXT: Final = b"hotline/1 checkpoint"


def head_zero(writer_id: bytes, reader_id: bytes) -> bytes:
    """Give the head of the empty log that writer_id keeps for reader_id (32 bytes each)."""
    return sha512(LOG_LABEL + writer_id + reader_id).digest()


def next_head(head: bytes, entry: bytes) -> bytes:
    """Give the head after entry, from the head (64 bytes) before it."""
    return sha512(head + sha512(entry).digest()).digest()


def chain(head: bytes, entries: Iterable[bytes]) -> list[bytes]:
    """Give the head after each of entries, starting from the head before the first."""
    heads = []
    for entry in entries:
        head = sha512(head + sha512(entry).digest()).digest()
        heads.append(head)
    return heads


def head_message(zero: bytes, number: int, head: bytes) -> bytes:
    """Give what the writer signs (Ed25519): all entries up to number, by their head."""
    return HEAD_LABEL + zero + number.to_bytes(8, "big") + head


def receipt_message(zero: bytes, number: int, head: bytes, time_ns: int) -> bytes:
    """Give what the reader signs (Ed25519): "my disk holds all entries up to number"."""
    return RECEIPT_LABEL + zero + number.to_bytes(8, "big") + head + time_ns.to_bytes(8, "big")


def checkpoint_message(
    signer_zero: bytes, signer: Position, other_zero: bytes, other: Position, time_ns: int
) -> bytes:
    """Give what a station signs under CHECKPOINT_CONTEXT: both logs, its own first (280 bytes)."""
    return b"".join(
        (
            signer_zero + signer.number.to_bytes(8, "big") + signer.head,
            other_zero + other.number.to_bytes(8, "big") + other.head,
            time_ns.to_bytes(8, "big"),
        )
    )
