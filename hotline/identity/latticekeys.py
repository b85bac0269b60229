"""Which ML-DSA-87 keys are fit to be pinned: none under which anybody can sign, without any secret.

A signature verifies if c, the challenge, is the hash of the text and of the high bits of A*z - c*t,
where t = t1*2^13 (FIPS 204, algorithm 8). If c*t is short for every challenge, z = 0 will do for every
text: the high bits are zero. So t1 = 0 is to ML-DSA what a point of small order is to Ed25519, and it
is not alone: 1023*2^13 is -1 modulo q; and as a challenge has 60 terms of +1 or -1, an even number,
what is near q/2 everywhere cancels out too. OpenSSL takes all of these.

An honest key looks drawn at random. That is what is asked for here, with so much room that no honest
key is ever refused (one in 2^170). It is no proof that a key is sound: whoever makes a key can make it
from a secret that others know, and nothing in the key shows that.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from hotline.errors import IdentityError

# FIPS 204, table 1, and algorithm 22 (pkEncode).
_Q: Final = 8380417
_D: Final = 13
_SEED_BYTES: Final = 32
_N: Final = 256
_BITS: Final = 10
_ROW_BYTES: Final = _N * _BITS // 8

_MULTIPLES: Final = (1, 2)
"""Of t1*2^13: short itself, or near to q/2, where an even number of terms cancels."""

_LEAST_MEAN: Final = _Q // 16
"""What is drawn at random is q/4 away from zero in the mean; over 256 numbers never so little."""

_MOST_ALIKE: Final = 32
"""Coefficients of one polynomial with the same value: of 256 among 1024 values seldom 4."""


def _size(value: int) -> int:
    """Give how far a number is from zero, modulo q."""
    return min(value % _Q, -value % _Q)


_SIZES: Final = [[_size(m * (t << _D)) for t in range(1 << _BITS)] for m in _MULTIPLES]


def check_mldsa87(key: bytes, source: str) -> None:
    """Check a key of 2592 bytes: each of the eight polynomials of t1 as if drawn at random.

    Raises IdentityError, with source as the name of what carries the key.
    """
    for at in range(_SEED_BYTES, len(key), _ROW_BYTES):
        number = int.from_bytes(key[at : at + _ROW_BYTES], "little")
        row = [number >> (_BITS * n) & ((1 << _BITS) - 1) for n in range(_N)]
        short = any(sum(map(sizes.__getitem__, row)) < _N * _LEAST_MEAN for sizes in _SIZES)
        if short or max(Counter(row).values()) > _MOST_ALIKE:
            raise IdentityError(f"{source} has an unsafe ML-DSA-87 key: not drawn at random")
