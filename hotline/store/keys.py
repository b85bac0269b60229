"""Composite integer keys: several small numbers packed into the one that SQLite is fastest at.

A log key is (line, side, number), a queue key (line, precedence, row), most significant first, so
that the order of keys is the order in which the rows are wanted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hotline.model import Precedence, Side

NUMBER_BITS: Final = 40
NUMBER_MASK: Final = (1 << NUMBER_BITS) - 1
"""Entry numbers end here by protocol, and rows by the same reckoning."""

LINE_MAX: Final = (1 << 20) - 1
"""With two bits of precedence and 40 of row a queue key stays within SQLite's 63 bits."""


def log_key(line: int, side: Side, number: int) -> int:
    """Give the key of an entry, or of what stands beside it."""
    return ((line << 1 | side) << NUMBER_BITS) | number


def queue_key(line: int, precedence: Precedence, row: int) -> int:
    """Give the key of a row in the queue."""
    return ((line << 2 | precedence) << NUMBER_BITS) | row


QUEUE_KEY_SQL: Final = f"((line << 2 | precedence) << {NUMBER_BITS} | message.row)"
"""The same of a row of message, inside a statement."""


def queue_bounds(line: int) -> tuple[int, int]:
    """Give the least and the greatest key that a line's queue may hold."""
    return (line << 2) << NUMBER_BITS, ((line + 1 << 2) << NUMBER_BITS) - 1


def signed(value: int) -> int:
    """Give the 64-bit integer that SQLite can hold for an unsigned one of the peer's."""
    return value - 2**64 if value >= 2**63 else value


def unsigned(value: int) -> int:
    """Give back what signed() was given."""
    return value + 2**64 if value < 0 else value
