"""A link of 64 kbit/s with a mebibyte under way: what a FLASH then takes."""

from __future__ import annotations

import time
from collections import Counter

from faults.arena import Arena
from faults.catalogue import scenario
from faults.relay import DEVICE

from support.processes import until

_KIB = 1024
_FLASH_MOST_S = 5.0
"""One record at 64 kbit/s is 0.55 s; the modem's queue adds a second, and a heartbeat another one."""


@scenario("slow", "tc", heartbeat_s=5.0)
def slow(arena: Arena) -> None:
    """A FLASH behind a long message on a slow link must leave after one record, not after them all."""
    # Slow from the start: what a fast link carried would still stand before the first FLASH.
    arena.network.limit("64kbit", "1s")
    arena.begin()
    size = 96 * _KIB if arena.short else 1024 * _KIB
    ledger = arena.ledgers["alpha"]
    bulk = {"id": "bulk", "body": "b" * size, "precedence": "ROUTINE"}
    began = time.monotonic()
    ledger.ask([bulk])
    ledger.answered(arena.alpha.send("bravo", bulk))
    waited, before = 0, arena.network.carried_bytes()
    until("it is under way", lambda: arena.network.carried_bytes() > before + 16 * _KIB)
    while not _delivered(arena, "bulk", 0.0):
        waited += 1
        flash = {"id": f"flash-{waited}", "body": "now", "precedence": "FLASH"}
        ledger.ask([flash])
        asked = time.monotonic()
        ledger.answered(arena.alpha.send("bravo", flash))
        until("the FLASH is there", lambda f=flash: _delivered(arena, f["id"], 0.0), 60)  # type: ignore[misc]
        if not _delivered(arena, "bulk", 0.0):
            arena.figures.detected_s.append(time.monotonic() - asked)
        _delivered(arena, "bulk", 4.0)
    carried = arena.network.carried_bytes() - before
    seconds = time.monotonic() - began
    arena.fired(f"bytes through {DEVICE} at 64 kbit/s", times=carried)
    worst = max(arena.figures.detected_s)
    arena.figures.notes += [
        f"detected here is the FLASH's way, until its receipt, {len(arena.figures.detected_s)} times",
        f"{size // _KIB} KiB took {seconds:.0f} s, {8 * size / seconds / 1000:.1f} kbit/s of text",
    ]
    arena.expect(
        f"a FLASH takes at most {_FLASH_MOST_S} s: {worst:.1f}", holds=worst < _FLASH_MOST_S
    )
    for watcher in arena.watchers.values():
        not_up = Counter(
            f"{one.state}/{one.reason}" for one in watcher.samples if one.state != "up"
        )
        arena.expect(f"heartbeats are not starved: {dict(not_up)}", holds=not not_up)
        late_s = max(one.status["last_heard_s"] for one in watcher.samples)
        arena.figures.notes.append(
            f"{watcher.station.name}: nothing heard for {late_s:.1f} s at most"
        )
    arena.settle()


def _delivered(arena: Arena, name: str, wait_s: float) -> bool:
    """Tell whether a message is delivered, waiting so long for it."""
    deadline = time.monotonic() + wait_s
    while True:
        (found,) = arena.alpha.call("show", id=name)["messages"]
        if found["state"] == "delivered":
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.1)
