"""How far long work has come: a bar, a rate and an estimate, on a terminal."""

from __future__ import annotations

import time
from typing import Final

from hotline.cli.terminal import Progress
from hotline.text import duration

_BAR_COLUMNS: Final = 24
_SETTLED_S: Final = 1.0
"""An estimate from less time than this is a guess."""


class Meter:
    """Counts towards a total that is known."""

    def __init__(self, what: str, unit: str, total: int) -> None:
        """Show nothing yet."""
        self._what = what
        self._unit = unit
        self._total = total
        self._began_s = time.monotonic()
        self._progress = Progress()

    def show(self, done: int) -> None:
        """Redraw."""
        spent_s = time.monotonic() - self._began_s
        filled = _BAR_COLUMNS * done // max(self._total, 1)
        bar = "#" * filled + "." * (_BAR_COLUMNS - filled)
        rate = done / spent_s if spent_s else 0.0
        left = f", {duration((self._total - done) / rate)} left" if rate else ""
        self._progress.show(
            f"{self._what} [{bar}] {done} of {self._total} {self._unit}, {rate:.0f}/s"
            f"{left if spent_s >= _SETTLED_S else ''}"
        )

    def clear(self) -> None:
        """Take it away."""
        self._progress.clear()
