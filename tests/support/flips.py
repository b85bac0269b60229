"""Files with one bit changed: at every place where it matters, and at some of those that are alike."""

from __future__ import annotations

import datetime
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING
from unittest.mock import patch

from hotline.evidence import proof
from hotline.identity import Card, latticekeys, publickeys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from hotline.errors import HotlineError


@dataclass(frozen=True, slots=True)
class Walk:
    """How a test goes through bytes that are all alike: those within a long key or signature.

    ``every``: through each of them (``--every-byte``); else in steps, from another place each day.
    """

    every: bool
    day: int

    @classmethod
    def today(cls, *, every: bool) -> Walk:
        """Give the walk of this day, which is the same however often a test is run again."""
        return cls(every, datetime.datetime.now(datetime.UTC).date().toordinal())

    def through(self, start: int, stop: int, step: int) -> range:
        """Give places from start on, below stop."""
        return range(start, stop) if self.every else range(start + self.day % step, stop, step)

    def but(self, size: int, dull: Iterable[tuple[int, int]], step: int) -> list[int]:
        """Give every place below size; within the dull spans (start, stop) those of ``through``."""
        places = set(range(size))
        for start, stop in dull:
            places -= set(range(start, stop)) - set(self.through(start, stop, step))
        return sorted(places)


def flip(data: bytes, at: int) -> bytes:
    """Give data with one bit changed, at one place; which bit goes round."""
    return data[:at] + bytes([data[at] ^ (1 << (at % 8))]) + data[at + 1 :]


def unseen(
    check: Callable[[bytes], object],
    data: bytes,
    places: Iterable[int],
    refusal: type[HotlineError],
) -> list[int]:
    """Give the places at which a changed bit is not found; the check must take data as it is."""
    check(data)
    found = []
    for at in places:
        try:
            check(flip(data, at))
        except refusal:
            continue
        found.append(at)
    return found


@contextmanager
def remembered() -> Iterator[None]:
    """Remember what was found good, keys, cards, signatures and proofs: a flip spoils one of them.

    Nothing that was refused is remembered, and nothing good under other bytes than its own.
    """
    with (
        patch("hotline.identity.card.check_ed25519", cache(publickeys.check_ed25519)),
        patch("hotline.identity.card.check_mldsa87", cache(latticekeys.check_mldsa87)),
        patch("hotline.identity.card.check_x25519", cache(publickeys.check_x25519)),
        patch.object(Card, "verify_ed25519", cache(Card.verify_ed25519)),
        patch.object(Card, "verify_mldsa", cache(Card.verify_mldsa)),
        patch.object(Card, "decode", cache(Card.decode)),
        patch.object(proof, "prove", cache(proof.prove)),
    ):
        yield
