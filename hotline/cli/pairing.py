"""The pair code as two operators read it to each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hotline.identity import pair_code

if TYPE_CHECKING:
    from hotline.identity import Card

WORDS_PER_ROW: Final = 4


def rows(words: tuple[str, ...]) -> list[str]:
    """Give the words in numbered rows, short enough to be read in one breath."""
    widest = max(map(len, words))
    return [
        f"  {first // WORDS_PER_ROW + 1}.  "
        + "  ".join(word.ljust(widest) for word in words[first : first + WORDS_PER_ROW]).rstrip()
        for first in range(0, len(words), WORDS_PER_ROW)
    ]


def tell(own: Card, peer: Card) -> None:
    """Print the pair code, and what it is for."""
    print(f"pair code of {own.name} and {peer.name}:")
    for row in rows(pair_code(own.id, peer.id)):
        print(row)
    print("Both read the same words to each other, in person or by a voice that they know.")
    print("If one word differs, this is not the peer's card: do not use the line.")
