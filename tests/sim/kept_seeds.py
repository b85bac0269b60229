"""Worlds that once went wrong, or came close to it, each with its story. They stay for good.

A seed alone would not keep: the next option to be drawn changes what it means. So what matters of a
world is written down beside its seed.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from sim.scenes import CLONED, LOSING, RECOVERING, RENEWING, UNEVEN


class Kept(NamedTuple):
    """One world, and what it once showed."""

    seed: int
    fixed: dict[str, Any]
    story: str


KEPT_SEEDS: Final = (
    Kept(
        0,
        UNEVEN,
        "north agrees to a session and sends at once; south's slow store still examines the hello."
        " Frames that come in between were once thrown away, and the receipt for them never came.",
    ),
    Kept(
        0,
        RENEWING,
        "while a new session is made, the old one still carries entries and receipts; a hello held"
        " against what had come meanwhile once halted the line for a peer-log-lost that was none.",
    ),
    Kept(
        578,
        UNEVEN | {"delay_s": 0.3, "commit_s": (0.01, 0.2), "slow_disk": ""},
        "receipts that come 0.3 s late for uneven disks shrink the window to one record a round"
        " trip, and a long message takes minutes on a fast link: late, but it must arrive.",
    ),
    Kept(
        5294,
        {},
        "a failed sync of the log leaves it in memory only; the next process moved it into the"
        " database, and a power loss brought an older log back, which replayed old pages over newer.",
    ),
    Kept(
        234,
        {},
        "the same, with an acceptance torn in two: the message stood in the queue, uncounted.",
    ),
    Kept(
        25,
        RECOVERING,
        "south's store went back to before a long message was half sent; with its log it got back parts"
        " of it, sent the whole again, and north halted: the parts did not follow one another.",
    ),
    Kept(
        1014,
        CLONED | {"faults": ("full", "reset")},
        "a clone finds out that it is one while its disk is full: the halt cannot be written, the"
        " line dials again, and must not have signed anything by then.",
    ),
    Kept(
        20,
        {"brief": True, "trouble": "wipe", "chaos_s": 60.0},
        "south had halted for north's lost log while its own disk was full; north then recovered, and"
        " the halt was written down behind the hello that had settled it: a halted line at work.",
    ),
    Kept(
        10,
        {
            "brief": True,
            "rotates": True,
            "chaos_s": 240.0,
            "fault_gap_s": 30.0,
            "operation_gap_s": 2.0,
        },
        "north and south change keys at once; north's receipt, by its old key, is on its way to disk"
        " when a session under the new one ends the old: south accused it, and ended that session.",
    ),
    Kept(
        203,
        {"couriers": True, "rotates": True},
        "south's entries, refused by north's full disk, come by courier; north takes entries in again"
        " and south goes on behind them: north accused it of a gap that was none.",
    ),
    Kept(
        217,
        {"couriers": True, "rotates": True},
        "south changes keys, and its receipts are signed by the new ones before north's copy of south's"
        " log names them; then a store is wiped, the line halts, and the receipt proved nothing.",
    ),
    Kept(
        76,
        LOSING,
        "a copy made while north's log came back, a long message half sent in it, is found once that"
        " message was sent anew: joined with a part of its first beginning it could not be read.",
    ),
    Kept(
        187,
        LOSING | {"couriers": True},
        "south's log holds its answer to a message; in an older store its operator gave another one,"
        " which was sent when the log was back: north halted, for a message is answered once.",
    ),
    Kept(
        237,
        LOSING,
        "north is back with an older store at once, while south's slow disk has not yet taken the last"
        " entries that came; it used their numbers anew, and both halted for a fork, for good.",
    ),
)
