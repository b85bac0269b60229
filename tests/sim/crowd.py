"""Many worlds at once: one process a core, each of which lives through worlds of its own."""

from __future__ import annotations

import multiprocessing
import os
import traceback
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from sim.main import Tally, live

if TYPE_CHECKING:
    from collections.abc import Sequence

_CHUNK = 8
"""Worlds that a process lives through before it asks for more."""


def live_all(seeds: Sequence[int], **fixed: Any) -> Tally:
    """Live through the worlds of all seeds; raises AssertionError with all that a failing one tells."""
    chunks = [seeds[start : start + _CHUNK] for start in range(0, len(seeds), _CHUNK)]
    whole = Tally()
    # A fresh process each, not a copy of this one with whatever it holds.
    with ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("spawn")) as pool:
        for tally, failure in pool.map(partial(_live_some, fixed=fixed), chunks):
            assert not failure, failure
            whole.join(tally)
    return whole


def _live_some(seeds: Sequence[int], fixed: dict[str, Any]) -> tuple[Tally, str]:
    tally = Tally()
    try:
        for seed in seeds:
            live(seed, tally, **fixed)
    except Exception:  # noqa: BLE001 - told to the process that asked, whose failure it is
        return tally, traceback.format_exc()
    return tally, ""
