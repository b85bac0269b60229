"""Which cards speak for a station, entry by entry.

A station may have changed its keys: each succession is signed by the keys before. Its log says at which
number, and from there on an old key signs nothing any more. Where that place is not at hand (a run that
does not reach so far), any key of the station will do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hotline.errors import EvidenceError, IdentityError, ProtocolError
from hotline.identity.succession import Succession

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hotline.identity import Card
    from hotline.model import KeyChange


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Cards of one station, any of which may have signed."""

    cards: tuple[Card, ...]

    @property
    def name(self) -> str:
        """The station's name, which no succession changes."""
        return self.cards[0].name

    def verify_ed25519(self, signature: bytes, data: bytes) -> Card:
        """Give the card that signed data; raises ProtocolError if none of them did."""
        return self._any(lambda card: card.verify_ed25519(signature, data))

    def verify_mldsa(self, signature: bytes, data: bytes, context: bytes) -> Card:
        """Give the card that signed data under context; raises ProtocolError if none of them did."""
        return self._any(lambda card: card.verify_mldsa(signature, data, context))

    def _any(self, verify: Callable[[Card], None]) -> Card:
        *others, last = self.cards
        for card in others:
            try:
                verify(card)
            except ProtocolError:
                continue
            return card
        verify(last)
        return last


class Signers:
    """The cards of one side of a line: the founding one, whose id stands in head_0, and successors."""

    def __init__(
        self, founding: Card, successions: Sequence[bytes] = (), numbers: Sequence[int] = ()
    ) -> None:
        """Begin with the card that was pinned; raises EvidenceError for a succession that is not good.

        ``numbers`` are those of the entries that end each change in the station's log, if known.
        """
        if list(numbers) != sorted(set(numbers)):
            raise EvidenceError(f"the keys of {founding.name} change twice at one place")
        cards = [founding]
        for succession in successions:
            try:
                cards.append(Succession.decode(succession, cards).card)
            except IdentityError as error:
                raise EvidenceError(f"the keys of {founding.name} change: {error}") from None
        self.founding = founding
        self.successions = tuple(successions)
        self.cards = tuple(cards)
        self.numbers = tuple(numbers)
        self._ends = list(zip(numbers, range(1, len(cards)), strict=False))

    @classmethod
    def of_log(
        cls, founding: Card, changes: Sequence[KeyChange], files: Sequence[Succession] = ()
    ) -> Signers:
        """Give the signers of a station in whose log these changes stand; raises EvidenceError.

        ``files`` are the successions that were handed over by hand: a station that lost its store
        signs receipts by its newest keys before its log has named them again.
        """
        named = {change.id for change in changes}
        successions = [change.succession for change in changes]
        successions += [one.encoded for one in files if one.card.id not in named]
        return cls(founding, successions, [change.number for change in changes])

    def of(self, number: int) -> AnyOf:
        """Give what may sign this station's own log at entry number: what is in force, or later."""
        over = max((index for change, index in self._ends if change < number), default=0)
        return AnyOf(self.cards[over:])

    def changed(self, number: int, index: int) -> None:
        """Learn from the log that the card at index is in force behind entry number.

        Raises EvidenceError unless that is a later card than was in force there.
        """
        if not 0 < index < len(self.cards) or any(index <= over for _, over in self._ends):
            raise EvidenceError(
                f"entry {number} changes the keys of {self.founding.name} to others than follow"
            )
        self._ends.append((number, index))

    @property
    def any(self) -> AnyOf:
        """Give all: a receipt's place is in the other station's log, so no number bounds it."""
        return AnyOf(self.cards)
