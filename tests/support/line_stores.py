"""Backups, losses and halts in the world of two lines."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from hotline.line import taking_back

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.line_world import LineWorld, Station


def codes(world: LineWorld) -> dict[str, str | None]:
    """Give each station's halt as its store has it."""
    found = {}
    for station in world.stations:
        halt = station.store.read(lambda r: r.lines()[0]).halt
        found[station.name] = None if halt is None else halt.code
    return found


def until_halted(world: LineWorld, *stations: Station) -> None:
    world.until(lambda: all(station.record.halt is not None for station in stations), 100)
    world.run(0.1)


def rest(station: Station) -> Path:
    """Crash a station and give its store's file, whole."""
    station.crash()
    station.start()
    station._gone()
    return station.path


def copy(station: Station, suffix: str = ".backup") -> Path:
    """Keep a backup of a station that is at rest."""
    kept = station.path.with_suffix(suffix)
    shutil.copy(station.path, kept)
    return kept


def restore(station: Station, kept: Path | str) -> None:
    """Put a backup in the place of the store."""
    for file in station.path.parent.glob(station.path.name + "*"):
        file.unlink()
    shutil.copy(kept, station.path)


def exchange(world: LineWorld, *names: str) -> None:
    """Deliver one message each way for each name."""
    before = [station.record.delivered for station in world.stations]
    for name in names:
        for station in world.stations:
            station.send(f"{name}-{station.name}")
    world.until(
        lambda: [s.record.delivered for s in world.stations] == [n + len(names) for n in before]
    )


def wipe(station: Station) -> None:
    """Lose the store."""
    for file in station.path.parent.glob(station.path.name + "*"):
        file.unlink()


def recover(station: Station) -> Any:
    """Say what the operator says."""
    reply = station.ask(lambda tx, line: (taking_back.begin(tx, line),), lambda outcome: outcome[0])
    station.world.run(0.1)
    station.do(lambda line, at: line.retry(at))
    return reply.value


def lossy_world(make_world: Callable[..., LineWorld]) -> LineWorld:
    """Give a world whose checker is off, for stores lose history here, and both sides dial."""
    world = make_world(7)
    world.checks = False
    for station in world.stations:
        station.addresses = (world.other(station).name,)
    world.start().until_up()
    return world


def lose(world: LineWorld, victim: Station, kept: Path | None) -> None:
    """Replace a station's store by a backup, or by nothing, and let both find out."""
    rest(victim)
    if kept is None:
        wipe(victim)
    else:
        restore(victim, kept)
    for station in world.stations:
        station.reports.clear()
    victim.start()
    until_halted(world, victim, world.other(victim))
