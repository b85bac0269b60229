"""A configuration is taken up as a whole, or nothing of it, whatever file, record or disk says no."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog
import trio

from hotline.daemon.config import LineConfig, StationConfig
from hotline.daemon.identity import Identity
from hotline.daemon.log_queue import LogQueue
from hotline.daemon.logs import Logs
from hotline.daemon.machine import this_machine
from hotline.daemon.station import Station
from hotline.errors import HotlineError, StoreFullError
from hotline.identity import Card, SecretKeys, write_card, write_secret_keys
from hotline.identity.succession import Succession
from hotline.identity.successors import Names, make_successor
from hotline.model import KeyChange, Side
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


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Give the files of four stations, of which alpha is run."""
    return Home(tmp_path)


async def refused(station: Station, config: StationConfig, why: str) -> None:
    """Reload; it must say why not, and leave the very same lines at work."""
    before = [(name, station.runner(name)) for name in station.line_names()]
    ready = station.config
    with pytest.raises(HotlineError, match=why):
        await station.reload(config)
    assert [(name, station.runner(name)) for name in station.line_names()] == before
    assert station.config is ready
    # The store still takes what it is given.
    pairing = station.runner("bravo").line.pairing
    assert (await station.verify("bravo", pairing.own.id, pairing.peer.id, "anna")).verified


async def test_a_later_card_of_a_known_peer_keeps_the_rest_from_being_taken_up(home: Home) -> None:
    """A second record with one peer is refused; the lines that the file leaves out must still stand."""
    later = home.succeed("bravo")
    async with home.at_work(home.lines("bravo", "charlie")) as station:
        number = station.runner("bravo").line.record.line
        change = KeyChange(3, later.card.id, later.encoded)
        await station.runner("bravo").request(
            lambda tx: tx.put_key_change(number, Side.PEER, change), lambda *_: [], fetch=False
        )
        wrong = home.lines("bravo", "delta", north=home.line("north", "bravo.2"))
        await refused(station, wrong, "north: its card is the later one")
        await refused(station, replace(wrong, lines=wrong.lines[::-1]), "later one")
        await station.reload(home.lines("bravo", "delta"))
        assert station.line_names() == ["bravo", "delta"]


async def test_a_line_is_not_founded_again_under_another_card_of_ours(home: Home) -> None:
    """That line has a record; its peer would not know it under the other card."""
    home.succeed("alpha")
    async with home.at_work(home.lines("bravo", "charlie")) as station:
        other = home.line("charlie", own_card=home.folder / "alpha.2.card")
        wrong = home.lines("bravo", "delta", charlie=other)
        await refused(station, wrong, "charlie was founded under the card")
        renamed = home.line("north", "charlie", own_card=home.folder / "alpha.2.card")
        await refused(station, home.lines("bravo", north=renamed), "charlie was founded under")


async def test_a_full_disk_refuses_new_lines_before_any_old_one_ends(home: Home) -> None:
    """A new line needs a row; what has none is told as not taken up, with all that came with it."""
    async with home.at_work(home.lines("bravo", "charlie")) as station:
        home.room = lambda name: name != "delta"
        await refused(station, home.lines("bravo", "delta"), "the disk is full")
        home.room = lambda name: name == "north"
        renamed = home.line("north", "charlie")
        await refused(station, home.lines("bravo", north=renamed), "the disk is full")


async def test_a_disk_that_fills_up_in_between_loses_no_line_in_silence(home: Home) -> None:
    """Its old name has ended by then: the log must name the line, and the next try must take it up."""
    async with home.at_work(home.lines("bravo", "charlie")) as station:
        home.room = lambda name: name != "north"
        wanted = home.lines("delta", north=home.line("north", "charlie"), bravo=home.line("bravo"))
        with structlog.testing.capture_logs() as logged:
            await station.reload(wanted)
        assert station.line_names() == ["delta", "bravo"]
        [lost] = [one for one in logged if one["event"] == "line_not_added"]
        assert (lost["line"], lost["why"], lost["hint"]) == (
            "north",
            "the disk is full",
            "make room",
        )
        assert lost["log_level"] == "error"
        [taken] = [one for one in logged if one["event"] == "config_reloaded"]
        assert taken["lines"] == ["delta", "bravo"]
        home.room = lambda _: True
        await station.reload(wanted)
        assert station.line_names() == ["delta", "north", "bravo"]
