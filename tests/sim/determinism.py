"""trio under a virtual clock, with the order of its tasks decided by a seed.

This is the one place that knows trio's private parts: since its tasks run in a random order, a seed
would not be a world without them. A test (test_daemons.py) holds trio to what is relied on here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import trio
import trio.testing
from trio._core import _run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence


def run(
    main: Callable[[], Awaitable[Any]], seed: int, instruments: Sequence[trio.abc.Instrument] = ()
) -> Any:
    """Run main to its end; time passes only when nobody can do anything without it."""
    clock = trio.testing.MockClock(autojump_threshold=0)
    before = _run._r.getstate()
    _run._r.seed(seed)
    try:
        with patch.object(_run, "_ALLOW_DETERMINISTIC_SCHEDULING", new=True):
            return trio.run(main, clock=clock, instruments=instruments)
    finally:
        _run._r.setstate(before)
