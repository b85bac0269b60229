"""Clocks that are wrong, and that jump, while the line works."""

from __future__ import annotations

import time

from faults.arena import Arena
from faults.catalogue import scenario
from faults.needs import faketime_library

from support.processes import until

HOUR_S = 3600
FIRST_H = 7
STEPS_H = (0, -26, 9, -1, 24 * 400, 3)
_NEAR_MS = 5_000


@scenario("clock", "faketime")
def clock(arena: Arena) -> None:
    """A wrong or jumping wall clock must change nothing but the offset and flag that operators see."""
    library = faketime_library()
    assert library is not None
    told = arena.folder / "bravo.clock"
    told.write_text(f"+{FIRST_H * HOUR_S}\n")
    arena.bravo.prefix = [
        "env",
        f"LD_PRELOAD={library}",
        f"FAKETIME_TIMESTAMP_FILE={told}",
        "FAKETIME_CACHE_DURATION=1",
        "FAKETIME_DONT_FAKE_MONOTONIC=1",
        "FAKETIME_FORCE_MONOTONIC_FIX=0",  # the fix makes every timed wait of a thread late
    ]
    arena.begin()
    arena.load()
    began, shown = time.monotonic(), 0
    for hours in (FIRST_H, *(STEPS_H[:2] if arena.short else STEPS_H * 3)):
        told.write_text(f"{hours * HOUR_S:+d}\n")
        stepped = time.monotonic()
        for station, sign in ((arena.alpha, 1), (arena.bravo, -1)):
            wanted_ms = sign * hours * HOUR_S * 1000
            until(
                f"{station.name} flags an offset of {sign * hours} h",
                lambda s=station, w=wanted_ms: _shows(arena, s.name, w),  # type: ignore[misc]
            )
        arena.figures.detected_s.append(time.monotonic() - stepped)
        shown += 1
        arena.work(5, 150)
    ended = time.monotonic()
    arena.fired("offsets and steps of bravo's clock", times=shown)
    for watcher in arena.watchers.values():
        not_up = {
            one.reason for one in watcher.samples if began < one.asked < ended and one.state != "up"
        }
        arena.expect(f"the line stays up: {not_up}", holds=not not_up)
    arena.settle()


def _shows(arena: Arena, name: str, wanted_ms: float) -> bool:
    latest = arena.watchers[name].latest()
    if latest is None or (offset_ms := latest.status["clock_offset_ms"]) is None:
        return False
    flagged = latest.status["clock_differs"] is (wanted_ms != 0)
    return flagged and bool(abs(offset_ms - wanted_ms) < _NEAR_MS)
