"""What this station's operators have decided about a peer's card, and what they are reminded of.

Both marks belong to cards, by their ids: another card under the same line's name has neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hotline.limits import REMIND_DAYS
from hotline.model import Halt, Side
from hotline.text import utc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hotline.daemon.config import StationConfig
    from hotline.model import Mark
    from hotline.store.interface import Reader

REVOKED: Final = "revoked"
_DAY_NS: Final = 86400 * 1_000_000_000

Notice = dict[str, str]
"""``code``: a stable word; ``text``: what an operator should do."""


@dataclass(frozen=True, slots=True)
class Trust:
    """Whether a line's card was verified, and whether it is revoked."""

    verified: Mark | None = None
    revoked: Mark | None = None

    @classmethod
    def read(
        cls, reader: Reader, own_id: bytes, peer_id: bytes, known: Sequence[bytes] = ()
    ) -> Trust:
        """Give what the store holds about two cards; known are ids that succeed the peer's.

        A card is revoked with all that its station has used on one line: before it and after it.
        """
        marks = [reader.revocation(card_id) for card_id in [*_family(reader, peer_id), *known]]
        revoked = next((mark for mark in marks if mark is not None), None)
        return cls(reader.verification(own_id, peer_id), revoked)


def _family(reader: Reader, peer_id: bytes) -> list[bytes]:
    """Give the id of a card, and of all that succeed or precede it by the logs that are here."""
    ids = [peer_id]
    for record in reader.lines():
        changes = reader.key_changes(record.line, Side.PEER)
        one = [record.peer_id, *(change.id for change in changes)]
        ids += one if peer_id in one else []
    return ids


def halt_of(revoked: Mark) -> Halt:
    """Give why a line to a revoked card stands still."""
    text = f"this station's operator {revoked.operator} refused the peer's card for good"
    return Halt(REVOKED, f"{text} at {utc(revoked.at_ns)}", revoked.at_ns)


def line_notices(
    trust: Trust, peer_key_ns: int, config: StationConfig, now_ns: int
) -> list[Notice]:
    """Give what an operator should do about a line's card; its keys were made at peer_key_ns."""
    if trust.revoked is not None:
        return []
    notices = _age("peer-key", peer_key_ns, config.key_days, now_ns, "the peer's keys")
    if trust.verified is None:
        return [_notice("never-verified", "the pair code was never compared"), *notices]
    what = f"the comparison of the pair code by {trust.verified.operator}"
    return _age("verify", trust.verified.at_ns, config.verify_days, now_ns, what) + notices


def station_notices(key_ns: int, config: StationConfig, now_ns: int) -> list[Notice]:
    """Give what an operator should do about this station's own keys, made at key_ns."""
    return _age("key", key_ns, config.key_days, now_ns, "this station's keys")


def _age(code: str, since_ns: int, days: int, now_ns: int, what: str) -> list[Notice]:
    left = days - (now_ns - since_ns) // _DAY_NS
    if left <= 0:
        return [_notice(f"{code}-old", f"{what}: older than {days} days")]
    if left <= min(REMIND_DAYS, days - 1):
        return [_notice(f"{code}-due", f"{what}: {days} days old in {left} days")]
    return []


def _notice(code: str, text: str) -> Notice:
    return {"code": code, "text": text}
