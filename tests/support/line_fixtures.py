"""Worlds for the tests of lines, as fixtures; each is checked once more before it ends."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from support.line_courier import give_keys
from support.line_world import LineWorld
from support.rogue import SOON_S, STUCK_S, Rogue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[Callable[..., LineWorld]]:
    """Make worlds by seed; what their stores show is compared with what was said at the end."""
    made: list[LineWorld] = []

    def make(seed: int = 0, **options: bytes) -> LineWorld:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(LineWorld(folder, seed, **options))
        return made[-1]

    yield make
    for world in made:
        if world.checks and all(station.alive for station in world.stations):
            world.check_messages()
        world.close()
    shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.fixture
def world(make_world: Callable[..., LineWorld]) -> LineWorld:
    """Give a world in which both stations are up."""
    made = make_world().start()
    made.until_up()
    return made


@pytest.fixture
def rogue(make_world: Callable[..., LineWorld]) -> Rogue:
    """Give a rogue before a station that is up and waits for its peer."""
    world = make_world(11)
    world.checks = False
    return Rogue(world, world.arbiter.start())


@pytest.fixture
def agreed(rogue: Rogue) -> Rogue:
    """Give a rogue whose session stands, before a disk that has just got stuck."""
    rogue.call().say(rogue.beat())
    rogue.world.run(SOON_S)
    rogue.world.commit_s = (STUCK_S, STUCK_S)
    return rogue


@pytest.fixture
def apart(make_world: Callable[..., LineWorld]) -> LineWorld:
    """Give a world in which nothing goes by wire, and both have the other's courier key."""
    made = make_world()
    made.second.addresses = ()
    made.start()
    give_keys(made)
    return made
