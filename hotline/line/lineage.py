"""One station's identities on a line: the card that was pinned when it was founded, and its successors.

Two questions are kept apart. Which key signs a head follows from the log alone: up to the last entry of
a key change the old one, after it the new one, or at any place a later one. Which identities a session
may be between is a matter of now: while a change is under way the old and the new, afterwards the new.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hotline.errors import LocalMisuseError, ProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from hotline.identity import Card, SecretKeys
    from hotline.model import KeyChange


@dataclass(frozen=True, slots=True)
class Generation:
    """One identity; ``keys`` is None for a peer's, or where ours have been destroyed.

    ``number`` is that of the last entry of the change to it; None while it does not stand in the log.
    """

    card: Card
    keys: SecretKeys | None = None
    number: int | None = None


class Lineage:
    """Founding first. Only grows, so the store's thread may look while the line adds to it."""

    def __init__(self, founding: Generation) -> None:
        """Begin with the identity under which the line was founded."""
        self._generations = [replace(founding, number=0)]
        self.oldest = 0
        """The oldest that sessions may still be between, by index."""

    def __len__(self) -> int:
        return len(self._generations)

    def __iter__(self) -> Iterator[Generation]:
        return iter(self._generations)

    def __getitem__(self, index: int) -> Generation:
        return self._generations[index]

    @property
    def cards(self) -> list[Card]:
        """All cards, in order."""
        return [generation.card for generation in self._generations]

    @property
    def newest_in_log(self) -> int:
        """The index of the newest that the log names."""
        return max(n for n, one in enumerate(self._generations) if one.number is not None)

    def index(self, station_id: bytes) -> int | None:
        """Give where the card of an id stands, or None."""
        return next((n for n, card in enumerate(self.cards) if card.id == station_id), None)

    def add(self, generation: Generation) -> None:
        """Take one more that follows the last, or learn more of one that is here."""
        at = self.index(generation.card.id)
        if at is None:
            self._generations.append(generation)
            return
        known = self._generations[at]
        number = known.number if generation.number is None else generation.number
        self._generations[at] = replace(known, keys=generation.keys or known.keys, number=number)

    def changed(self, change: KeyChange) -> None:
        """The log names one, which must be known."""
        at = self.index(change.id)
        if at is None:
            raise LocalMisuseError("a key change names a card that was never added")
        self.add(replace(self._generations[at], number=change.number))
        if change.ended:
            self.end_before(at)

    def end_before(self, index: int) -> bool:
        """Let no session be with what came before index any more; tells whether one might have been."""
        ends = index > self.oldest
        self.oldest = max(self.oldest, index)
        return ends

    def usable(self) -> list[int]:
        """Give the indexes that a session of the peer's may be with; for ours, see ``ready``."""
        return list(range(self.oldest, len(self)))

    def ready(self) -> list[int]:
        """Give those for which the secret keys are here."""
        return [n for n in self.usable() if self._generations[n].keys is not None]

    # --- the log ---

    def in_force(self, changes: Sequence[KeyChange], number: int) -> int:
        """Give the index of whose key signs the head at number, in a log with these changes."""
        before = [change.id for change in changes if change.number < number]
        at = self.index(before[-1]) if before else 0
        if at is None:
            raise ProtocolError("the log is signed by keys whose card is not here")
        return at

    def signing_keys(self, changes: Sequence[KeyChange], number: int) -> SecretKeys:
        """Give the keys to sign the head at number: those in force, or later ones if those are over."""
        least = max(self.in_force(changes, number), self.oldest)
        return next(self._keys_from(least))

    @property
    def speaking_keys(self) -> SecretKeys:
        """The keys that sign what is true now (receipts): those that the peer has surely taken in."""
        return next(self._keys_from(self.oldest))

    def _keys_from(self, least: int) -> Iterator[SecretKeys]:
        for generation in self._generations[least:]:
            if generation.keys is not None:
                yield generation.keys
        raise LocalMisuseError("no secret keys are left")

    def verify_head(
        self, changes: Sequence[KeyChange], number: int, signature: bytes, message: bytes
    ) -> None:
        """Raise ProtocolError unless message was signed by who is in force at number, or later."""
        least = self.in_force(changes, number)
        self._any(least, lambda card: card.verify_ed25519(signature, message))

    def verify_checkpoint(
        self,
        changes: Sequence[KeyChange],
        number: int,
        signature: bytes,
        message: bytes,
        context: bytes,
    ) -> None:
        """Do the same with ML-DSA-87: one that was made before a change may come after it."""
        least = self.in_force(changes, number)
        self._any(least, lambda card: card.verify_mldsa(signature, message, context))

    def verify_ed25519(self, signature: bytes, message: bytes) -> None:
        """Raise ProtocolError unless one of those that are not over signed message."""
        self._any(self.oldest, lambda card: card.verify_ed25519(signature, message))

    def _any(self, least: int, verify: Callable[[Card], None]) -> None:
        # The newest first: but for a change that is under way it is the only one.
        for card in self.cards[:least:-1]:
            try:
                return verify(card)
            except ProtocolError:
                continue
        return verify(self._generations[least].card)
