"""Where a station's keys changed: each change is shown as it stands in its log, up to a signed head.

So the number of each is proven, and a key signs nothing that comes after its time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hotline.errors import DecodeError, EvidenceError
from hotline.evidence.signers import Signers
from hotline.limits import KIB
from hotline.wire import entries

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hotline.evidence.excerpt import Excerpt
    from hotline.identity import Card

MAX_BYTES: Final = 512 * KIB
"""Of one change: its parts, and the hashes of what slipped in between them."""

USUAL_BYTES: Final = 24 * KIB
"""Of one change with nothing between its parts; a station may have changed its keys many times."""


@dataclass(frozen=True, slots=True)
class Change:
    """From behind entry ``number`` of the log of ``before``'s station on, ``card`` is in force."""

    number: int
    before: Card
    card: Card


def joined(shown: Sequence[entries.Entry]) -> tuple[entries.Part, bytes]:
    """Give the first of all parts of one long entry, and what they spell; raises EvidenceError."""
    parts = [one for one in shown if isinstance(one, entries.Part)]
    if not parts or len(parts) != len(shown):
        raise EvidenceError("what is shown is not one message")
    first, whole = parts[0], bytearray()
    for part in parts:
        expected = (first.id, first.precedence, first.total_bytes, len(whole))
        if (part.id, part.precedence, part.total_bytes, part.offset) != expected:
            raise EvidenceError("the parts that are shown are not those of one message")
        whole += part.chunk
    if len(whole) != first.total_bytes:
        # Its reader waits for the rest: it shows nothing, though it has received this much.
        raise EvidenceError("not all parts of the message are shown")
    return first, bytes(whole)


def signers(founding: Card, shown: Sequence[Excerpt]) -> Signers:
    """Give who signs for a station whose log shows these changes; raises EvidenceError.

    The excerpts themselves are still to be checked, by these signers.
    """
    changes = [_change(one) for one in shown]
    numbers = [one.numbers[-1] for one in shown]
    if any(one.receipt is not None for one in shown):
        raise EvidenceError(f"a change of the keys of {founding.name} has a receipt beside it")
    made = Signers(founding, [change.succession for change in changes], numbers)
    for change, card in zip(changes, made.cards[1:], strict=True):
        if change.id != entries.key_change_id(card.id):
            raise EvidenceError(f"a change of the keys of {founding.name} is to another card")
    return made


def _change(excerpt: Excerpt) -> entries.KeyChange:
    try:
        first, whole = joined([entries.decode(data) for data in excerpt.entries])
        change = entries.decode_long(whole)
    except DecodeError as error:
        raise EvidenceError(f"what is shown is no change of keys: {error}") from None
    if not isinstance(change, entries.KeyChange) or change.id != first.id:
        raise EvidenceError("what is shown is no change of keys")
    return change


def of(signed_by: Signers) -> Iterator[Change]:
    """Give the changes whose places are known, in order."""
    cards = signed_by.cards
    for at, number in enumerate(signed_by.numbers):
        yield Change(number, cards[at], cards[at + 1])
