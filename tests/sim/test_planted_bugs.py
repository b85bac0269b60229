"""The simulator must find a bug when there is one: each planted bug within so many seeds."""

from __future__ import annotations

from typing import Any, Final

import pytest
from sim.main import live
from sim.planted import BUGS, planted
from sim.scenes import (
    ANSWERED,
    CARRYING,
    CLONED,
    DYING,
    LOADED,
    LOST_TWICE,
    QUICK,
    RECOVERING,
    RENEWING,
    REPEATED,
    ROTATING,
    UNEVEN,
)

SCENES: Final[dict[str, tuple[dict[str, Any], int]]] = {
    "early_frames_dropped": (UNEVEN | {"trouble": "wipe", "recovers": True}, 6),
    "floor_too_late": (RENEWING, 8),
    "window_without_bound": (LOADED, 10),
    "straight_past_the_queue": (LOADED, 10),
    "halt_not_kept": (CLONED, 10),
    "damage_forgiven": (DYING, 10),
    "duplicate_check_off": (REPEATED, 10),
    "given_back_off_by_one": (RECOVERING, 10),
    "answers_not_restored": (ANSWERED, 10),
    "queued_though_sent": (RECOVERING, 10),
    "went_on_before_it_was_whole": (RECOVERING, 10),
    "half_sent_goes_on": (ANSWERED | {"rate": 60_000.0, "trouble": "restore"}, 30),
    "both_beginnings_joined": (LOST_TWICE, 10),
    "courier_numbers_unheard": (CARRYING, 40),
    "keys_without_overlap": (ROTATING, 20),
    "run_over_a_key_change": (ROTATING, 20),
    "key_changes_forgotten": (ROTATING, 20),
    "confirmed_without_a_word": (ROTATING, 20),
}
"""Where to look for a bug, and in how many seeds; elsewhere it is any world, and ten seeds."""


@pytest.mark.parametrize("bug", sorted(BUGS))
def test_a_planted_bug_is_found(bug: str) -> None:
    """A simulator that stays green over this bug would stay green over the next real one."""
    scene, seeds = SCENES.get(bug, (QUICK, 10))
    with planted(bug), pytest.raises(Exception, match=r"\w") as caught:
        _live_all(seeds, scene)
    assert any("the last transitions:" in note for note in caught.value.__notes__)


def _live_all(seeds: int, scene: dict[str, Any]) -> None:
    for seed in range(seeds):
        live(seed, **scene)
