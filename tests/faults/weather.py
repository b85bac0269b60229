"""A network that delivers, but not as it was given: late, never, twice, out of order, changed."""

from __future__ import annotations

import time

from faults.arena import Arena
from faults.catalogue import scenario
from faults.network import WeatherNetwork
from faults.relay import Weather

from support.processes import until

PATIENT_S = 2.0
"""The heartbeat where packets are lost: TCP's own repair of a loss doubles from 0.2 s, so with a tenth
of all packets lost, half-second heartbeats would truly be missed now and then."""


def endure(arena: Arena, weather: Weather, counted: str, short_s: float, full_s: float) -> None:
    """Work in such weather for a while, in which nobody may say down."""
    assert isinstance(arena.network, WeatherNetwork)
    arena.begin()
    arena.watch_until_up(time.monotonic())
    before = arena.network.weather(weather)
    arena.load()
    began = time.monotonic()
    time.sleep(short_s if arena.short else full_s)  # the fault lasts so long
    ended = time.monotonic()
    counts = arena.network.weather()
    arena.fired(counted, times=counts.get(counted, 0) - before.get(counted, 0))
    for watcher in arena.watchers.values():
        down = [
            f"{one.state}/{one.reason}"
            for one in watcher.samples
            if began < one.asked < ended and one.state in ("down", "halted")
        ]
        arena.expect(f"nobody says down: {len(down)} times {set(down)}", holds=not down)
    arena.figures.notes.append(f"packets {counts['packets'] - before.get('packets', 0)}")
    rtt_ms = [
        one.status["rtt_ms"]
        for watcher in arena.watchers.values()
        for one in watcher.samples
        if began < one.asked < ended and one.status["rtt_ms"] is not None
    ]
    arena.figures.notes.append(f"rtt shown {min(rtt_ms):.0f} to {max(rtt_ms):.0f} ms")
    arena.settle()


@scenario("delay", "tun", weather=True)
def delay(arena: Arena) -> None:
    """A satellite's delay of 0.3 s each way, with jitter, must not look like a fault."""
    endure(arena, Weather(delay_s=0.3, jitter_s=0.05), "packets", 3, 30)


@scenario("loss", "tun", weather=True, heartbeat_s=PATIENT_S)
def loss(arena: Arena) -> None:
    """A tenth of all packets lost each way must cost time, not the line's state."""
    endure(arena, Weather(loss=0.1, delay_s=0.005), "lost", 6, 60)


@scenario("duplicate", "tun", weather=True)
def duplicate(arena: Arena) -> None:
    """Packets that come twice must not become messages that come twice."""
    endure(arena, Weather(duplicate=0.2, delay_s=0.002), "doubled", 3, 20)


@scenario("reorder", "tun", weather=True)
def reorder(arena: Arena) -> None:
    """Packets that overtake each other must not reorder entries."""
    endure(arena, Weather(reorder=0.2, delay_s=0.002), "overtaken", 3, 20)


@scenario("corrupt", "tun", weather=True, heartbeat_s=PATIENT_S)
def corrupt(arena: Arena) -> None:
    """Damage that TCP's checksum sees is a loss, and no more."""
    endure(arena, Weather(corrupt=0.05, delay_s=0.002), "corrupted", 6, 30)


@scenario("tamper", "tun", weather=True)
def tamper(arena: Arena) -> None:
    """Damage that TCP does not see must end the session, and never reach a message."""
    assert isinstance(arena.network, WeatherNetwork)
    network = arena.network
    arena.begin()
    arena.load()
    changed, otherwise, rounds = 0, 0, 2 if arena.short else 40
    for _ in range(rounds):
        arena.work(5, 60)
        refused_before, ended_before = _refusals(arena), _ends(arena)
        began = time.monotonic()
        network.weather(Weather(tamper=1.0))
        until("a session ends", lambda b=ended_before: _ends(arena) > b)  # type: ignore[misc]
        ended_at = time.monotonic()
        before, changed = changed, network.weather().get("tampered", 0)
        arena.expect("it ended by what was changed", holds=changed > before)
        arena.figures.detected_s.append(ended_at - began)
        arena.figures.recovered_s.append(arena.watch_until_up(ended_at) - ended_at)
        otherwise += _refusals(arena) == refused_before
    # A machine that stands still ends a session by its silence, now and then.
    arena.expect("sessions end by what was changed", holds=otherwise <= rounds // 10)
    arena.fired("segments changed, their checksum mended", times=changed)
    arena.figures.notes.append(f"sessions ended {_refusals(arena)}")
    arena.settle()


def _ends(arena: Arena) -> int:
    """Give how many sessions have ended, for whatever reason, and once for each side."""
    how = ("session_failed", "session_cut", "session_silent", "session_closed")
    return sum(len(station.logged(one)) for station in arena.pair for one in how)


def _refusals(arena: Arena) -> int:
    """Give how many sessions have been ended because what came in them was not the peer's."""
    return sum(len(station.logged("session_failed")) for station in arena.pair)
