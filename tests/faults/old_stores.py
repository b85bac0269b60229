"""A store that is not the newest one: restored, wiped, or a clone's. Both must stop."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from faults.arena import Arena
from faults.catalogue import scenario
from faults.network import ADDRESSES
from faults.relay import DEVICE
from faults.station import FaultStation

from support.processes import until
from support.stations import log_lines, start

ADDRESS_OF_CLONE = "10.63.0.5"
_WORD = {"alpha": "own-log-lost", "bravo": "peer-log-lost"}
_BEATS = 4


def keep(station: FaultStation, into: Path) -> None:
    """Copy the store of a station that does not run."""
    into.mkdir()
    for path in station.state.glob("store.db*"):
        shutil.copy(path, into / path.name)


def put_back(station: FaultStation, kept: Path | None) -> None:
    """Put a kept store in place of the newest one, or none."""
    for path in station.state.glob("store.db*"):
        path.unlink()
    if kept is not None:
        for path in kept.iterdir():
            shutil.copy(path, station.state / path.name)


def live(arena: Arena) -> None:
    """Some work under load, all of it delivered."""
    arena.load(batch=3)
    arena.work(30, 60)
    arena.stop_load()
    for station in arena.pair:
        station.settled(arena.peer_of(station).name)


def numbers(station: FaultStation) -> list[tuple[int, int]]:
    """Give what each heartbeat told: how much we had signed, and how much of the peer's we had."""
    lines = log_lines(station.state / "heartbeat.jsonl")
    beats = [one for one in lines if one["event"] == "heartbeat"]
    return [(one["own_number"], one["peer_number"]) for one in beats]


def check_stopped(arena: Arena, old: FaultStation, other: FaultStation) -> None:
    """Both stop, with the right words; more is queued, and neither signs nor takes in anything."""
    sides = {old: _WORD["alpha"], other: _WORD["bravo"]}
    began, halted = time.monotonic(), []
    for station, word in sides.items():
        line = "bravo" if station.name == "alpha" else "alpha"
        status = until(
            f"{station.name} stops",
            lambda s=station, n=line, w=word: (
                (one := s.status(n))["reason"] in (w, "peer-halted")  # type: ignore[misc]
                and one
            ),
        )
        halted.append(f"{station.name} {status['state']}/{status['reason']}")
        arena.expect(
            f"{station.name} is out of use: {halted[-1]}",
            holds=status["state"] in ("halted", "down"),
        )
    arena.figures.detected_s.append(time.monotonic() - began)
    arena.figures.notes.append(", ".join(halted))
    arena.expect("one of them has halted by what it saw", holds="halted/" in " ".join(halted))
    for station in sides:
        # The log is a moment late, and may still end with what stood before this life.
        told = len(numbers(station))
        until("it tells of this life", lambda s=station, n=told: len(numbers(s)) > n)  # type: ignore[misc]
        before, seen = numbers(station)[-1], len(numbers(station))
        arena.ask(station, "after-the-halt")
        until("it beats on", lambda s=station, n=seen: len(numbers(s)) > n + _BEATS)  # type: ignore[misc]
        moved = {one for one in numbers(station)[seen:] if one != before}
        arena.expect(f"{station.name} signs nothing more: {before} to {moved}", holds=not moved)
        (waiting,) = [one for one in station.box("outbox") if one["id"] == "after-the-halt"]
        arena.expect(f"it waits: {waiting['state']}", holds=waiting["state"] == "queued")


def check_nothing_moved(arena: Arena, inbox: list[str], station: FaultStation) -> None:
    """What a station had before is what it has."""
    arena.expect(
        "nothing more is taken in", holds=[one["id"] for one in station.box("inbox")] == inbox
    )


@scenario("restored")
def restored(arena: Arena) -> None:
    """Yesterday's backup would sign other words under numbers that the peer holds already."""
    arena.begin()
    live(arena)
    arena.alpha.stop()
    keep(arena.alpha, arena.folder / "yesterday")
    start(arena.alpha)
    live(arena)
    arena.reckon()
    arena.alpha.stop()
    put_back(arena.alpha, arena.folder / "yesterday")
    inbox = [one["id"] for one in arena.bravo.box("inbox")]
    arena.alpha.start()
    check_stopped(arena, arena.alpha, arena.bravo)
    check_nothing_moved(arena, inbox, arena.bravo)
    arena.fired("older store", times=1)


@scenario("wiped")
def wiped(arena: Arena) -> None:
    """A new disk under an old key is a station that has forgotten all that it signed."""
    arena.begin()
    live(arena)
    arena.reckon()
    arena.alpha.stop()
    put_back(arena.alpha, None)
    inbox = [one["id"] for one in arena.bravo.box("inbox")]
    arena.alpha.start()
    check_stopped(arena, arena.alpha, arena.bravo)
    check_nothing_moved(arena, inbox, arena.bravo)
    arena.expect("and alpha makes up nothing", holds=not arena.alpha.box("inbox"))
    arena.fired("empty store", times=1)


@scenario("cloned")
def cloned(arena: Arena) -> None:
    """Two hosts with one key would keep two histories; the second to speak must be stopped."""
    arena.begin()
    live(arena)
    arena.alpha.stop()
    keep(arena.alpha, arena.folder / "clone-store")
    start(arena.alpha)
    live(arena)
    arena.reckon()
    inbox = [one["id"] for one in arena.bravo.box("inbox")]
    side = arena.network.sides[0]
    side.do("ip", "address", "add", f"{ADDRESS_OF_CLONE}/32", "dev", DEVICE)
    arena.network.sides[1].do("ip", "route", "add", ADDRESS_OF_CLONE, "via", ADDRESSES[0])
    clone = FaultStation(arena.folder / "clone", "alpha", side, ADDRESS_OF_CLONE)
    clone.pin(arena.bravo, **arena.settings)
    clone.state.mkdir(mode=0o700)
    put_back(clone, arena.folder / "clone-store")
    try:
        clone.start()
        check_stopped(arena, clone, arena.bravo)
        check_nothing_moved(arena, inbox, arena.bravo)
        arena.alpha.when("bravo", reason="peer-halted")
        arena.fired("clone of alpha", times=1)
    finally:
        clone.clean_up()
