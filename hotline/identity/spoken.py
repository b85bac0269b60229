"""Bytes as words that are spoken and typed: the PGP word list, two lists in turn.

Words alternate between the two-syllable and the three-syllable list, so that a word left out, said
twice or swapped with its neighbour is heard, and is found when it is typed.
"""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, Final

from hotline.errors import IdentityError
from hotline.identity.pgp_words import THREE_SYLLABLES, TWO_SYLLABLES

if TYPE_CHECKING:
    from collections.abc import Sequence

_LISTS: Final = (TWO_SYLLABLES, THREE_SYLLABLES)
_BYTES: Final = tuple({word.lower(): byte for byte, word in enumerate(words)} for words in _LISTS)


def to_words(data: bytes) -> tuple[str, ...]:
    """Give a word for each byte."""
    return tuple(words[byte] for byte, words in zip(data, cycle(_LISTS)))


def from_words(words: Sequence[str], count: int, what: str) -> bytes:
    """Give the bytes that exactly count words stand for, in either case; ``what`` they are.

    Raises IdentityError, naming the first word that cannot stand where it does. No error repeats a
    word: the words may be a secret.
    """
    for number, (word, values) in enumerate(zip(words, cycle(_BYTES)), start=1):
        other = _BYTES[number % 2]
        if word.lower() in values:
            continue
        if word.lower() in other:
            raise IdentityError(
                f"word {number} of {what} cannot stand there: a word before it is missing or twice",
                hint="say and type the words again, in their rows",
            )
        raise IdentityError(
            f"word {number} of {what} is no word of the list", hint="ask how it is spelt"
        )
    if len(words) != count:
        raise IdentityError(f"{what} has {count} words, not {len(words)}")
    return bytes(values[word.lower()] for word, values in zip(words, cycle(_BYTES)))
