"""Daemons that end: killed without a word, or asked to stop, in the middle of their work."""

from __future__ import annotations

import signal
import time

from faults.arena import Arena
from faults.catalogue import scenario

from support.processes import slowdown
from support.stations import start

_STOP_MOST_S = 3.0
"""The design says two seconds; the third is for the scenario's own load. A busy machine has more."""


@scenario("kill")
def kill(arena: Arena) -> None:
    """A power cut at any moment must lose nothing that was accepted, and double nothing."""
    arena.begin()
    arena.load()
    kills, deaths = 10 if arena.short else 200, 0
    for number in range(kills):
        arena.work(5, 150)
        victims = arena.rng.choice([(arena.alpha,), (arena.bravo,), arena.pair])
        killed_at = time.monotonic()
        for victim in victims:
            victim.kill()
        deaths += all(one.running.process.returncode == -signal.SIGKILL for one in victims)
        for victim in victims:
            victim.launch()
        for victim in victims:
            victim.ready()
        ready_at = time.monotonic()
        if len(victims) == 1:
            noticed = arena.watchers[arena.peer_of(victims[0]).name].first(killed_at, up=False)
            arena.figures.detected_s += [noticed.answered - killed_at] if noticed else []
        if number % 2:  # else the next death may come while the two are finding each other
            up_at = arena.watch_until_up(ready_at)
            arena.figures.recovered_s.append(up_at - killed_at)
    arena.fired("kill -9", times=deaths)
    arena.expect("every kill ended its daemon", holds=deaths == kills)
    arena.settle()


@scenario("term")
def term(arena: Arena) -> None:
    """An orderly stop under load must be quick, say so to the peer, and lose nothing."""
    arena.begin()
    arena.load()
    stops, slowest = 3 if arena.short else 30, 0.0
    for number in range(stops):
        arena.work(5, 150)
        victim = arena.pair[number % 2]
        peer = arena.peer_of(victim)
        began = time.monotonic()
        code = victim.stop()
        slowest = max(slowest, time.monotonic() - began)
        arena.expect(f"SIGTERM ends the daemon with 0, not {code}", holds=code == 0)
        peer.when(victim.name, state="down")
        arena.figures.detected_s.append(time.monotonic() - began)
        # A call that its doors had taken, and nobody answers any more, may be the newest for a moment;
        # but later ones are refused, and the goodbye explains that.
        peer.when(victim.name, reason="peer-stopped")
        began = time.monotonic()
        start(victim)
        arena.figures.recovered_s.append(arena.watch_until_up(began) - began)
    arena.fired("SIGTERM", times=stops)
    arena.figures.notes.append(f"slowest stop {slowest:.2f} s")
    most = _STOP_MOST_S * slowdown()
    arena.expect(f"a stop takes at most {most:.1f} s", holds=slowest < most)
    arena.settle()
