"""A whole station in this process, with files of its own and no network."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog
import trio

from hotline.daemon.config import LineConfig, StationConfig
from hotline.daemon.identity import Identity
from hotline.daemon.log_queue import LogQueue
from hotline.daemon.logs import Logs
from hotline.daemon.machine import this_machine
from hotline.daemon.station import Station
from hotline.errors import StoreFullError
from hotline.identity import Card, SecretKeys, write_card, write_secret_keys
from hotline.identity.succession import Succession
from hotline.identity.successors import Names, make_successor
from hotline.store.sqlite import SqliteStore

MADE_NS = 1_795_443_000_000_000_000


class Home:
    """A station's files, and its store, whose disk can have no room when a test says so."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys = {name: self._make(name) for name in ("alpha", "bravo", "charlie", "delta")}
        self.config = StationConfig(
            path=folder / "hotline.toml",
            name="alpha",
            key=folder / "alpha.key",
            card=folder / "alpha.card",
            state=folder,
        )
        self.room: Callable[[str], bool] = lambda _: True

    def _make(self, name: str) -> SecretKeys:
        keys = SecretKeys.generate(os.urandom)
        write_secret_keys(self.folder / f"{name}.key", keys)
        write_card(self.folder / f"{name}.card", Card.make(name, keys, MADE_NS))
        return keys

    def succeed(self, name: str) -> Succession:
        """Give a station new keys, as files, and give the succession."""
        names = Names.of(self.folder / f"{name}.key", self.folder / f"{name}.card", 2)
        old = Card.make(name, self.keys[name], MADE_NS), self.keys[name]
        return make_successor(names, old, None, None, os.urandom, MADE_NS + 1).succession

    def lines(self, *names: str, **others: LineConfig) -> StationConfig:
        """Give the configuration with lines to these stations, under their own names."""
        made = [self.line(name) for name in names]
        return replace(self.config, lines=(*made, *others.values()))

    def line(self, name: str, card: str = "", **fields: Any) -> LineConfig:
        """Give a line that never calls."""
        return LineConfig(name, self.folder / f"{card or name}.card", (), 10.0, **fields)

    @asynccontextmanager
    async def at_work(self, config: StationConfig) -> AsyncIterator[Station]:
        """Run the station."""
        identity = Identity(config)
        store = SqliteStore.open(config.store_path, station_id=identity.card.id)
        add_line = store.add_line

        def add(name: str, peer_id: bytes, own_id: bytes | None = None) -> int:
            if not self.room(name):
                raise StoreFullError("the disk is full", hint="make room")
            return add_line(name, peer_id, own_id)

        store.add_line = add  # type: ignore[method-assign]
        logger = structlog.get_logger()
        station = Station(
            config, identity, store, Logs(logger, logger, LogQueue(), (), None), this_machine()
        )
        ready = trio.Event()

        async def serve(_: trio.Nursery) -> None:
            ready.set()

        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(station.run, serve)
                await ready.wait()
                yield station
                station.stop_asked.set()
        finally:
            store.close()
