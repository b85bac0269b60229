"""A daemon that stands still while its host goes on: it must be told apart from a dead network."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from faults.arena import SLACK_S, Arena
from faults.catalogue import scenario
from faults.station import HEARTBEAT_S

from support.processes import until

CUT = frozenset({"network-silent", "unreachable", "peer-stopped", "refused"})
"""Each blames the network, or says that the daemon is gone: untrue while it stands still."""


def stand_still(arena: Arena, seconds: float) -> None:
    """Stop bravo's daemon by a signal for so long, and see what alpha makes of it."""
    pid = arena.bravo.pid
    arena.bravo.running.tell(signal.SIGSTOP)
    status = Path(f"/proc/{pid}/status")
    until("it stands still", lambda: "State:\tT" in status.read_text())
    began = time.monotonic()
    time.sleep(seconds)  # the fault lasts so long
    ended = time.monotonic()
    still = "State:\tT" in status.read_text()
    arena.bravo.running.tell(signal.SIGCONT)
    arena.fired(f"SIGSTOP {seconds:.0f} s", times=int(still))
    limit_s = 3 * HEARTBEAT_S + SLACK_S
    arena.span("the stop", began, ended, limit_s, untrue_reasons=CUT, stations=frozenset({"alpha"}))
    said = arena.reasons(arena.alpha, began, ended)
    arena.expect(f"alpha says peer-stalled: {said}", holds="peer-stalled" in said)
    arena.figures.recovered_s.append(arena.watch_until_up(ended) - ended)


@scenario("sigstop")
def sigstop(arena: Arena) -> None:
    """A stalled daemon must not be called a dead network: other people must be sent for."""
    arena.begin()
    arena.load()
    for seconds in (3,) if arena.short else (5, 60):
        arena.work(5, 150)
        stand_still(arena, seconds)
    arena.settle()


@scenario("sigstop-full")
def sigstop_full(arena: Arena) -> None:
    """The same with more in flight than the stalled host's socket can hold: its kernel says no more."""
    arena.begin()
    arena.load(pause_s=0.01, batch=60)
    for seconds in (3,) if arena.short else (5, 20):
        arena.work(1000, 1500)
        stand_still(arena, seconds)
    arena.settle()
