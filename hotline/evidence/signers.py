"""Which card speaks for a station, entry by entry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotline.errors import EvidenceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hotline.identity import Card


class Signers:
    """The cards of one side of a line: the founding one, whose id stands in head_0, and successors."""

    def __init__(self, founding: Card, successions: Sequence[bytes] = ()) -> None:
        """Begin with the card that was pinned; raises EvidenceError for successions not understood."""
        if successions:
            raise EvidenceError(
                f"station {founding.name} has changed its keys, which this version cannot follow",
                hint="check it with a newer hotline",
            )
        self.founding = founding
        self.successions = tuple(successions)

    def of(self, number: int) -> Card:  # noqa: ARG002 - with key changes it depends on the number
        """Give the card that signs this station's own log at entry number."""
        return self.founding
