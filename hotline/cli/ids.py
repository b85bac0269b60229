"""Message ids made by the client, so that a message sent again is the same message.

The form is ULID (github.com/ulid/spec) in lower case: 48 bits of UNIX milliseconds and 80 random
bits in Crockford's base 32, whose alphabet has no i, l, o or u to be misheard or misread.
"""

from __future__ import annotations

import os
import time
from typing import Final

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_RANDOM_BITS: Final = 80
_LENGTH: Final = 26
_PAIRS: Final = [first + second for first in _ALPHABET for second in _ALPHABET]
"""Two letters for ten bits: a batch asks for ids by the ten thousand."""
_END_BITS: Final = 20
"""What counting on changes, nearly always; what stands before it is spelled once a millisecond."""


class Ids:
    """A source of ids that sort in the order in which they were made."""

    def __init__(self) -> None:
        self._last = 0
        self._start = -1
        self._spelled = ""

    def next(self) -> str:
        """Give a new id."""
        fresh = time.time_ns() // 1_000_000 << _RANDOM_BITS
        if fresh > self._last:
            self._last = fresh | int.from_bytes(os.urandom(_RANDOM_BITS // 8))
        else:
            # Within a millisecond, and when the clock steps back, counting on keeps the order.
            self._last += 1
        start = self._last >> _END_BITS
        if start != self._start:
            self._start, self._spelled = start, _spell(start, _LENGTH - _END_BITS // 5)
        return self._spelled + _PAIRS[self._last >> 10 & 1023] + _PAIRS[self._last & 1023]


def _spell(value: int, letters: int) -> str:
    pairs = []
    for _ in range(letters // 2):
        pairs.append(_PAIRS[value & 1023])
        value >>= 10
    pairs.reverse()
    return "".join(pairs)
