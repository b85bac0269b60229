"""Two hundred worlds, the kept ones, and the proof that rare paths ran and that a seed is a seed."""

from __future__ import annotations

import pytest
from sim.crowd import live_all
from sim.kept_seeds import KEPT_SEEDS, Kept
from sim.main import Tally, live
from sim.scenes import CLONED, LOSING, RECOVERING

_SEEDS = 200
_RECOVERING_SEEDS = 12
_LOSING_SEEDS = 24
_CLONED_SEEDS = 400
"""At most so many until two clones have met in a fork; one in fifty does."""


def test_many_worlds_hold_and_rare_paths_run() -> None:
    """A line that loses, doubles, guesses or lies in any of these worlds does so for an operator."""
    tally = live_all(range(_SEEDS), brief=True)
    for seed in range(_CLONED_SEEDS):
        if not tally.missing():
            break
        live(seed, tally, **CLONED)
    assert not tally.missing(), f"rare paths never ran:\n{tally.told()}"


def test_lost_logs_are_taken_back() -> None:
    """An operator who has a lost log taken back must get all of it, whatever happens meanwhile."""
    tally = Tally()
    for seed in range(_RECOVERING_SEEDS):
        live(seed, tally, **RECOVERING)
    for path in (
        "a lost log was taken back",
        "a recovery was begun again",
        "a station died while it recovered",
    ):
        assert tally.marks[path], f"never ran: {path}\n{tally.told()}"


def test_a_store_is_lost_more_than_once() -> None:
    """Each time the line must come back, and in the end all that was said is there, once."""
    tally = live_all(range(_LOSING_SEEDS), brief=True, **LOSING)
    for path in (
        "a message was said again after a loss",
        "a store was lost again after what was half sent had come",
        "a store was lost again while it recovered",
        "a store was lost with a long message half sent",
    ):
        assert tally.marks[path], f"never ran: {path}\n{tally.told()}"


@pytest.mark.parametrize("kept", KEPT_SEEDS, ids=lambda kept: str(kept.seed))
def test_a_kept_seed_stays_good(kept: Kept) -> None:
    """What went wrong once goes wrong again, unless somebody looks."""
    live(kept.seed, **{"couriers": False, "rotates": False, "lull_s": 0.0, **kept.fixed})


@pytest.mark.parametrize("seed", [3, 8, 11])
def test_a_seed_is_one_world(seed: int) -> None:
    """A failure that cannot be run again cannot be understood (8 has real cryptography)."""
    first, second = live(seed, brief=True), live(seed, brief=True)
    assert first.fingerprint == second.fingerprint
    assert first.marks == second.marks
