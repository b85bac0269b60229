"""One figure: several runs of one measurement, the floor beside it, and what it should reach."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

SECONDS: Final = "s"
A_SECOND: Final = "messages/s"
RATIO: Final = "x"
SHARE: Final = "of a core"
KIB: Final = "KiB"


@dataclass(frozen=True)
class Reach:
    """A bound on a figure's median, or on its ratio to the floor."""

    text: str
    at_most: float | None = None
    at_least: float | None = None
    of_ratio: bool = False

    def met(self, median: float, ratio: float | None) -> bool | None:
        """Tell whether the bound holds; None if there is no ratio to hold it against."""
        value = ratio if self.of_ratio else median
        if value is None:
            return None
        return (self.at_most is None or value <= self.at_most) and (
            self.at_least is None or value >= self.at_least
        )


@dataclass
class Figure:
    """What was measured. ``floors`` are the floor's values, one beside each run."""

    name: str
    what: str
    unit: str
    reach: Reach | None = None
    floor_is: str = ""
    runs: list[float] = field(default_factory=list)
    floors: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, value: float, floor: float | None = None) -> None:
        """Note one run, and the floor measured beside it."""
        self.runs.append(value)
        if floor is not None:
            self.floors.append(floor)

    @property
    def median(self) -> float:
        """The middle run."""
        return statistics.median(self.runs)

    @property
    def floor(self) -> float | None:
        """The middle floor, or None if the figure has none."""
        return statistics.median(self.floors) if self.floors else None

    @property
    def ratio(self) -> float | None:
        """How many times the floor the figure is; for a rate, what share of the floor's rate.

        Each run is held against the floor measured beside it, so that a machine that is busier
        during one run than during another moves both.
        """
        if not self.floors:
            return None
        if len(self.floors) == len(self.runs):
            return statistics.median(
                run / floor for run, floor in zip(self.runs, self.floors, strict=True)
            )
        return self.median / statistics.median(self.floors)

    @property
    def met(self) -> bool | None:
        """Whether it reaches what it should; None if nothing is asked, or nothing was measured."""
        return self.reach.met(self.median, self.ratio) if self.reach and self.runs else None

    def as_json(self) -> dict[str, Any]:
        """Give it as it stands in the JSON file."""
        measured = bool(self.runs)
        return {
            "name": self.name,
            "what": self.what,
            "unit": self.unit,
            "runs": self.runs,
            "median": self.median if measured else None,
            "low": min(self.runs) if measured else None,
            "high": max(self.runs) if measured else None,
            "floor_is": self.floor_is,
            "floor": self.floor,
            "ratio": self.ratio if measured else None,
            "reach": self.reach.text if self.reach else None,
            "met": self.met,
            "notes": self.notes,
        }


@dataclass
class Curve:
    """How one cost grows: points of (x, y), drawn as one line of a plot."""

    plot: str
    label: str
    x: str
    y: str
    points: list[tuple[float, float]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Give it as it stands in the JSON file."""
        return {
            "plot": self.plot,
            "label": self.label,
            "x": self.x,
            "y": self.y,
            "points": [list(point) for point in self.points],
        }


@dataclass(frozen=True)
class Scale:
    """How much is moved: the full sizes, a tenth of them, or next to nothing."""

    name: str
    runs: int
    latencies: int
    messages: int
    backlog: int
    flashes: int
    slow_bytes: int
    queued: int
    moved_bytes: int
    stored: int
    sample: int
    lines: int
    idle_s: float
    verbs: int
    strangers: int
    grows: tuple[int, ...]


FULL: Final = Scale(
    name="full",
    runs=5,
    latencies=300,
    messages=50_000,
    backlog=100_000,
    flashes=100,
    slow_bytes=1024 * 1024,
    queued=1_000_000,
    moved_bytes=1024 * 1024 * 1024,
    stored=1_000_000,
    sample=20_000,
    lines=1000,
    idle_s=20.0,
    verbs=30,
    strangers=50,
    grows=(1_000, 10_000, 100_000, 1_000_000),
)
QUICK: Final = Scale(
    name="quick",
    runs=3,
    latencies=100,
    messages=20_000,
    backlog=30_000,
    flashes=40,
    slow_bytes=256 * 1024,
    queued=100_000,
    moved_bytes=64 * 1024 * 1024,
    stored=100_000,
    sample=10_000,
    lines=100,
    idle_s=10.0,
    verbs=10,
    strangers=16,
    grows=(1_000, 10_000, 100_000),
)
TINY: Final = Scale(
    name="tiny",
    runs=1,
    latencies=3,
    messages=50,
    backlog=50,
    flashes=2,
    slow_bytes=16 * 1024,
    queued=20,
    moved_bytes=64 * 1024,
    stored=20,
    sample=50,
    lines=2,
    idle_s=0.2,
    verbs=1,
    strangers=2,
    grows=(20,),
)


@dataclass
class Outcome:
    """What one measurement gives: figures for the table, curves for the plots."""

    figures: list[Figure]
    curves: list[Curve] = field(default_factory=list)


Measurement = Callable[[Scale], Outcome]

MEASUREMENTS: Final[dict[str, Measurement]] = {}
"""All of them by name, in the order of the table."""


def measurement(name: str) -> Callable[[Measurement], Measurement]:
    """Enter a measurement under its name."""

    def enter(function: Measurement) -> Measurement:
        MEASUREMENTS[name] = function
        return function

    return enter
