"""What operators have decided about cards: compared by voice, refused for good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hotline.model import Mark

if TYPE_CHECKING:
    import apsw

_VERIFY: Final = """
INSERT OR REPLACE INTO verification (own_id, peer_id, at_ns, operator) VALUES (?, ?, ?, ?)
"""
_REVOKE: Final = """
INSERT OR IGNORE INTO revocation (peer_id, at_ns, operator) VALUES (?, ?, ?)
"""


def verify(database: apsw.Connection, own_id: bytes, peer_id: bytes, mark: Mark) -> None:
    """Say that the pair code of two cards was compared; the newest comparison is kept."""
    database.execute(_VERIFY, (own_id, peer_id, mark.at_ns, mark.operator))


def revoke(database: apsw.Connection, peer_id: bytes, mark: Mark) -> None:
    """Refuse a card for good; the first time stands."""
    database.execute(_REVOKE, (peer_id, mark.at_ns, mark.operator))


def verification(database: apsw.Connection, own_id: bytes, peer_id: bytes) -> Mark | None:
    """Give when two cards were compared last, and by whom."""
    row = database.execute(
        "SELECT operator, at_ns FROM verification WHERE peer_id = ? AND own_id = ?",
        (peer_id, own_id),
    ).fetchone()
    return None if row is None else Mark(*row)


def revocation(database: apsw.Connection, peer_id: bytes) -> Mark | None:
    """Give when a card was refused for good, and by whom."""
    row = database.execute(
        "SELECT operator, at_ns FROM revocation WHERE peer_id = ?", (peer_id,)
    ).fetchone()
    return None if row is None else Mark(*row)
