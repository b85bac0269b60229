"""A queue that is full, by count and by bytes, because the network is gone."""

from __future__ import annotations

from collections.abc import Callable

from faults.arena import Arena
from faults.catalogue import scenario

QUEUE_MESSAGES = 500
QUEUE_BYTES = 4 * 2**20
_BATCH = 50


def fill(arena: Arena, mark: str, body: Callable[[int], str]) -> int:
    """Send until some are refused, as they must be for want of room; gives how many were."""
    ledger, refused = arena.ledgers["alpha"], 0
    for number in range(QUEUE_MESSAGES):  # far more than there is room for
        made = [
            {"id": f"{mark}-{number}-{n}", "body": body(n), "precedence": "FLASH"}
            for n in range(_BATCH)
        ]
        ledger.ask(made)
        results = arena.alpha.send("bravo", *made)
        ledger.answered(results)
        codes = [one["error"]["code"] for one in results if "error" in one]
        arena.expect(f"queue-full, not {set(codes)}", holds=set(codes) <= {"queue-full"})
        refused += len(codes)
        if codes:
            break
    return refused


@scenario("full-queue", "nft", queue_messages=QUEUE_MESSAGES, queue_bytes=QUEUE_BYTES)
def full_queue(arena: Arena) -> None:
    """A queue that drops its oldest, or promises what it cannot hold, loses an order."""
    arena.begin()
    refused, full = 0, []
    for turn in range(1 if arena.short else 5):
        for mark, body in (("count", lambda n: f"body {n}"), ("bytes", lambda n: f"{n} " * 20_000)):
            arena.network.cut()
            arena.alpha.when("bravo", state="down")
            refused += fill(arena, f"{mark}-{turn}", body)
            queued = arena.alpha.status("bravo")["queued"]
            full.append(queued)
            by_count = queued == QUEUE_MESSAGES
            arena.expect(f"full by {mark} with {queued}", holds=by_count is (mark == "count"))
            arena.network.heal()
            arena.alpha.call("retry")
            arena.alpha.settled("bravo")
    arena.fired("messages refused queue-full", times=refused)
    arena.figures.notes.append(f"queued when full: {', '.join(map(str, full))}")
    arena.settle()
