"""A network that is cut: wholly, one way, and on and off."""

from __future__ import annotations

import time

from faults.arena import SLACK_S, Arena
from faults.catalogue import scenario
from faults.network import Network
from faults.station import HEARTBEAT_S

KNOWN_S = 3 * HEARTBEAT_S + SLACK_S
"""Three missed heartbeats: from then on nobody may say up."""

ONE_WAY_S = KNOWN_S + HEARTBEAT_S
"""Who still hears learns one heartbeat later that it is not heard."""

STALLED = frozenset({"peer-stalled", "peer-stopped", "refused", "peer-not-accepting"})
"""Each blames the peer, which is well: untrue while only the network is cut."""


def cut_for(
    arena: Arena, seconds: float, limit_s: float, *, to_alpha: bool = True, to_bravo: bool = True
) -> tuple[float, float, int]:
    """Cut for so long, and judge by it; gives when it began and ended, and the packets dropped."""
    arena.network.cut(to_alpha=to_alpha, to_bravo=to_bravo)
    began = time.monotonic()
    time.sleep(seconds)  # the fault lasts so long: nothing is waited for
    ended = time.monotonic()
    dropped = arena.network.heal()
    arena.span("the cut", began, ended, limit_s, untrue_reasons=STALLED)
    return began, ended, dropped


@scenario("partition", "nft")
def partition(arena: Arena) -> None:
    """A cut network must be called down in three heartbeats, by its own name, and lose nothing."""
    arena.begin()
    arena.load()
    cuts, dropped = 1 if arena.short else 5, 0
    for number in range(cuts):
        arena.work(5, 150)
        began, ended, count = cut_for(arena, 3.0 + number, KNOWN_S)
        dropped += count
        for station in arena.pair:
            said = arena.reasons(station, began, ended)
            arena.expect(
                f"{station.name} says network-silent: {said}", holds="network-silent" in said
            )
        arena.figures.recovered_s.append(arena.watch_until_up(ended) - ended)
    arena.fired("packets dropped", times=dropped)
    arena.settle()


@scenario("idle-cut", "nft")
def idle_cut(arena: Arena) -> None:
    """A line on which nothing is said must notice a cut as soon as a busy one."""
    arena.begin()
    since = time.monotonic()
    arena.watch_until_up(since)
    began, ended, dropped = cut_for(arena, 3.0, KNOWN_S)
    for station in arena.pair:
        said = arena.reasons(station, began, ended)
        arena.expect(f"{station.name} says network-silent: {said}", holds="network-silent" in said)
    arena.figures.recovered_s.append(arena.watch_until_up(ended) - ended)
    arena.fired("packets dropped", times=dropped)
    arena.load()
    arena.work(5, 50)
    arena.settle()


def one_way(arena: Arena, *, to_alpha: bool, to_bravo: bool) -> None:
    """Cut one direction, a few times."""
    arena.begin()
    arena.load()
    dropped = 0
    said: dict[str, set[str]] = {station.name: set() for station in arena.pair}
    for _ in range(1 if arena.short else 5):
        arena.work(5, 150)
        began, ended, count = cut_for(arena, 4.0, ONE_WAY_S, to_alpha=to_alpha, to_bravo=to_bravo)
        dropped += count
        for station in arena.pair:
            said[station.name] |= arena.states(station, began, ended)
        arena.figures.recovered_s.append(arena.watch_until_up(ended) - ended)
    for name, states in said.items():
        arena.expect(f"{name} says degraded: {states}", holds="degraded" in states)
    arena.fired("packets dropped", times=dropped)
    arena.settle()


@scenario("deaf-alpha", "nft")
def deaf_alpha(arena: Arena) -> None:
    """Who still sends but hears nothing must not be believed up by either side."""
    one_way(arena, to_alpha=True, to_bravo=False)


@scenario("deaf-bravo", "nft")
def deaf_bravo(arena: Arena) -> None:
    """The same the other way round: the arbiter's side must not matter."""
    one_way(arena, to_alpha=False, to_bravo=True)


@scenario("flapping", "nft")
def flapping(arena: Arena) -> None:
    """A network that comes and goes must cost time only: sessions made and broken lose nothing."""
    arena.begin()
    arena.load()
    dropped, ended = 0, 0.0
    for _ in range(5 if arena.short else 40):
        network: Network = arena.network
        to_alpha, to_bravo = arena.rng.choice([(True, True), (True, False), (False, True)])
        network.cut(to_alpha=to_alpha, to_bravo=to_bravo)
        began = time.monotonic()
        time.sleep(arena.rng.uniform(0.05, 3.0))  # the fault lasts so long
        ended = time.monotonic()
        dropped += network.heal()
        limit_s = KNOWN_S if to_alpha and to_bravo else ONE_WAY_S
        if ended - began > limit_s:
            arena.span("the cut", began, ended, limit_s, untrue_reasons=STALLED)
        time.sleep(arena.rng.uniform(0.05, 1.0))  # and the network is fair so long
    arena.figures.recovered_s.append(arena.watch_until_up(ended) - ended)
    arena.fired("packets dropped", times=dropped)
    arena.settle()
