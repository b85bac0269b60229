"""A log: heads after each entry, the writer's signature, the reader's receipt; and false ones."""

from __future__ import annotations

from hotline.line.pairing import Pairing
from hotline.model import Position
from hotline.wire import entries, heads
from support.vectors.entries import ANSWER, SHORT, TEST, parts
from support.vectors.fixed import ALPHA, BRAVO, NOW_NS, Json


def make() -> Json:
    """Give alpha's log for bravo, and the empty log the other way."""
    alpha = Pairing(ALPHA.keys, ALPHA.card, BRAVO.card)
    bravo = Pairing(BRAVO.keys, BRAVO.card, ALPHA.card)
    said: list[entries.Entry] = [SHORT, *parts(), TEST, ANSWER]
    data = [entries.encode(one) for one in said]
    chain = heads.chain(alpha.own_zero, data)
    signed = [Position(number, head) for number, head in enumerate(chain, start=1)]
    end = signed[-1]
    return {
        "writer": ALPHA.card.id,
        "reader": BRAVO.card.id,
        "head_0": alpha.own_zero,
        "head_0_of_the_other_log": alpha.peer_zero,
        "entries": data,
        "heads": chain,
        "signatures": [
            {"number": one.number, "signature": alpha.sign_head(one)} for one in (signed[0], end)
        ],
        "receipts": [
            {
                "number": one.number,
                "time_ns": NOW_NS + one.number,
                "signature": bravo.sign_receipt(one, NOW_NS + one.number),
            }
            for one in (signed[0], end)
        ],
        "refused": [
            {"why": "the reader's key", "number": 1, "signature": bravo.sign_receipt(signed[0], 0)},
            {
                "why": "the other log",
                "number": 1,
                "signature": ALPHA.keys.sign_ed25519(
                    heads.head_message(alpha.peer_zero, 1, signed[0].head)
                ),
            },
            {
                "why": "another number",
                "number": 1,
                "signature": alpha.sign_head(Position(2, signed[0].head)),
            },
        ],
    }
