"""Many peers of one hub in one process: each a whole station with a store of its own.

    python -m bench.swarm HUB_CARD HUB_PORT FOLDER NAME...

Prints ``ready`` once all stand; ends with its standard input.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import trio
from bench.world import HEARTBEAT_S

from hotline.daemon.config import Address, LineConfig, StationConfig
from hotline.daemon.identity import Identity
from hotline.daemon.machine import this_machine
from hotline.daemon.station import Station
from hotline.identity import Card, SecretKeys, write_card, write_secret_keys
from hotline.store.sqlite import SqliteStore


class Silence:
    """A logger that says nothing; and both logs of a station."""

    def __getattr__(self, _: str) -> Silence:
        return self

    def __call__(self, *_: object, **__: object) -> None:
        return None


def make(folder: Path, name: str) -> Path:
    """Make a station's key and card, and give the card."""
    home = folder / name
    home.mkdir(mode=0o700)
    keys = SecretKeys.generate(os.urandom)
    write_secret_keys(home / "key", keys)
    card = home / "card"
    write_card(card, Card.make(name, keys, time.time_ns()))
    return card


def _station(folder: Path, name: str, hub: Path, port: int) -> Station:
    home = folder / name
    config = StationConfig(
        path=home / "hotline.toml",
        name=name,
        key=home / "key",
        card=home / "card",
        state=home,
        lines=(LineConfig("hub", hub, (Address("127.0.0.1", port),), HEARTBEAT_S),),
    )
    identity = Identity(config)
    silence: Any = Silence()
    store = SqliteStore.open(config.store_path, station_id=identity.card.id)
    return Station(config, identity, store, silence, this_machine())


async def _serve(_: trio.Nursery) -> None:
    return None


async def _main(hub: Path, port: int, folder: Path, names: list[str]) -> None:
    async with trio.open_nursery() as nursery:
        for name in names:
            nursery.start_soon(_station(folder, name, hub, port).run, _serve)
            await trio.sleep(0.005)
        print("ready", flush=True)
        await trio.to_thread.run_sync(sys.stdin.read)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    trio.run(_main, Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
