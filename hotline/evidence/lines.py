"""Two stations' logs for each other: who signs what, and every check of a signature over a head."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotline.errors import EvidenceError, ProtocolError
from hotline.wire import heads

if TYPE_CHECKING:
    from hotline.evidence.signers import Signers
    from hotline.identity import Card
    from hotline.model import Checkpoint, Position


class LogOf:
    """The log that one station writes for another."""

    def __init__(self, writer: Signers, reader: Signers) -> None:
        """Take both sides' signers."""
        self.writer = writer
        self.reader = reader
        self.zero = heads.head_zero(writer.founding.id, reader.founding.id)

    def check_head(self, place: Position, signature: bytes) -> None:
        """Raise EvidenceError unless the writer signed its log up to place."""
        card = self.writer.of(place.number)
        try:
            card.verify_ed25519(signature, heads.head_message(self.zero, place.number, place.head))
        except ProtocolError:
            raise EvidenceError(
                f"the signature of {card.name} over its log up to entry {place.number}"
                " does not verify"
            ) from None

    def check_receipt(self, place: Position, time_ns: int, signature: bytes) -> Card:
        """Give the reader's card that signed that its disk held the log up to place.

        Raises EvidenceError if none did.
        """
        card = self.reader.any
        message = heads.receipt_message(self.zero, place.number, place.head, time_ns)
        try:
            return card.verify_ed25519(signature, message)
        except ProtocolError:
            raise EvidenceError(
                f"the receipt of {card.name} for entry {place.number} does not verify"
            ) from None


def check_checkpoint(own: LogOf, peer: LogOf, checkpoint: Checkpoint) -> Card:
    """Give the card of the writer of own (and reader of peer) that signed checkpoint.

    Raises EvidenceError if none did.
    """
    card = own.writer.of(checkpoint.own.number)
    message = heads.checkpoint_message(
        own.zero, checkpoint.own, peer.zero, checkpoint.peer, checkpoint.time_ns
    )
    try:
        return card.verify_mldsa(checkpoint.signature, message, heads.CHECKPOINT_CONTEXT)
    except ProtocolError:
        raise EvidenceError(
            f"the checkpoint of {card.name} over its log up to entry {checkpoint.own.number}"
            " does not verify"
        ) from None
