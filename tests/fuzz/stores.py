"""A target for a store that came back from a bad disk, or from a backup that was cut or spoilt.

An input is a list of changes to a good store: where (three bytes), and what that byte becomes.
"""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from fuzz.oracles import known_cards, said, scratch

from hotline.cli import exits
from hotline.cli.verbs import log_verify
from hotline.errors import EvidenceError
from hotline.identity.card import write_card
from hotline.model import Side
from hotline.store.archive import SqliteArchive
from support.line_stores import exchange
from support.line_world import LineWorld, identity

if TYPE_CHECKING:
    from pathlib import Path

    from hotline.store.interface import Reader

CHANGE_BYTES: Final = 4
CONFIG: Final = """\
[station]
name = "north"
key = "north.key"
card = "north.card"
state = "."
[[line]]
name = "south"
card = "south.card"
"""


@dataclass
class Station:
    """A station at rest: its folder, its store as bytes, and both its logs."""

    folder: Path
    store: bytes
    logs: list[list[bytes]]


@cache
def _station() -> Station:
    folder = scratch() / "station"
    folder.mkdir()
    world = LineWorld(folder, 3).start()
    world.until_up()
    exchange(world, "said")
    world.run(20)
    world.close()
    (folder / "station.toml").write_text(CONFIG)
    for name in ("north", "south"):
        write_card(folder / f"{name}.card", identity(name)[1])
    path = folder / "north.db"
    archive = SqliteArchive.open(path, station_id=identity("north")[1].id)
    logs = archive.read(_logs)
    archive.close()
    return Station(folder, path.read_bytes(), logs)


def _logs(reader: Reader) -> list[list[bytes]]:
    """Give both logs as they are stored."""
    history = reader.history()
    return [[row.data for row in history.entries(1, side, 1, 10**6, 10**9)] for side in Side]


@known_cards()
def fuzz_store(data: bytes) -> None:
    """``log verify`` of a spoilt store: what is wrong is told, and what passes is as it was signed."""
    station = _station()
    spoilt = bytearray(station.store)
    for at in range(0, len(data) - CHANGE_BYTES + 1, CHANGE_BYTES):
        spoilt[int.from_bytes(data[at : at + 3], "big") % len(spoilt)] = data[at + 3]
    path = station.folder / "store.db"
    for name in ("store.db-wal", "store.db-shm"):
        (station.folder / name).unlink(missing_ok=True)
    path.write_bytes(spoilt)
    asked = Namespace(config=str(station.folder / "station.toml"), line="south", json=False)
    if said(lambda: log_verify.run(asked)) != exits.DONE:
        raise EvidenceError("it is not as it was signed")
    archive = SqliteArchive.open(path, station_id=identity("north")[1].id)
    try:
        lines = archive.read(lambda reader: reader.lines())
        ends = [(line.own.number, line.peer.number) for line in lines if line.line == 1]
        logs = archive.read(_logs)
    finally:
        archive.close()
    for kept, log, end in zip(station.logs, logs, ends[0], strict=True):
        assert log[:end] == kept[:end]
