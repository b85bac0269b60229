"""A succession: the old card, the new one, its signed part, four signatures, and its file."""

from __future__ import annotations

import msgpack  # type: ignore[import-untyped]

from hotline.identity.succession import Succession
from support.vectors.fixed import ALPHA, NOW_NS, Json, Station

SUCCESSOR = Station("alpha", 7)


def change() -> bytes:
    """Give alpha's change to the keys of seeds 7, 8 and 9."""
    hedged = Succession.make(ALPHA.card, ALPHA.keys, SUCCESSOR.card, SUCCESSOR.keys, NOW_NS)
    signed_part, by_old, _, by_new, _ = msgpack.unpackb(hedged.encoded)
    fixed = [one.sign_mldsa(signed_part, b"hotline/1 succession") for one in (ALPHA, SUCCESSOR)]
    encoded = msgpack.packb([signed_part, by_old, fixed[0], by_new, fixed[1]])
    return Succession.decode(encoded, [ALPHA.card]).encoded


def make() -> Json:
    """Give that change, and its parts."""
    succession = Succession.decode(change(), [ALPHA.card])
    signed_part = msgpack.unpackb(succession.encoded)[0]
    return {
        "old_card": ALPHA.card.encoded,
        "new_card": SUCCESSOR.card.encoded,
        "old_id": ALPHA.card.id,
        "new_id": SUCCESSOR.card.id,
        "time_ns": NOW_NS,
        "signed_part": signed_part,
        "succession": succession.encoded,
        "succession_file": succession.armoured(),
    }
