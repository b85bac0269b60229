"""A station's record as it lies in its store, opened to be read, with the cards to check it by."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from hotline.cli import station
from hotline.cli.exits import UsageError
from hotline.errors import RefusedError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from hotline.daemon.config import LineConfig, StationConfig
    from hotline.evidence.signers import Signers
    from hotline.model import LineRecord
    from hotline.store.archive import SqliteArchive


class Line(NamedTuple):
    """One line in the store."""

    name: str
    record: LineRecord
    own: Signers
    peer: Signers


class Record:
    """What ``opened`` gives."""

    def __init__(self, config: StationConfig, archive: SqliteArchive) -> None:
        self.config = config
        self.archive = archive

    def line(self, name: str) -> Line:
        """Give a line of the configuration; raises RefusedError if there is none, or no log of it."""
        return self._line(station.line_of(self.config, name))

    def lines(self) -> list[Line]:
        """Give all lines of the configuration that have a log."""
        known = {record.peer_id for record in self.archive.read(lambda reader: reader.lines())}
        return [self._line(line) for line in self.config.lines if _id(line) in known]

    def _line(self, line: LineConfig) -> Line:
        from hotline.evidence.signers import Signers
        from hotline.identity import read_card
        from hotline.identity.successors import read_successions
        from hotline.model import Side

        peer = read_card(line.card)
        records = self.archive.read(lambda reader: reader.lines())
        record = next((one for one in records if one.peer_id == peer.id), None)
        if record is None:
            raise RefusedError(
                "unknown-line",
                f"the store has no log of line {line.name}",
                hint="the daemon begins it: hotline run",
            )
        own = read_card(self.config.own_card(line))
        owns, peers = self.archive.read(
            lambda reader: [reader.key_changes(record.line, side) for side in Side]
        )
        first = read_card(self.config.card)
        later = read_successions(self.config.card, first)
        cards = [first.id, *(one.card.id for one in later)]
        later = later[cards.index(own.id) :] if own.id in cards else []
        handed = read_successions(line.card, peer)
        signers = Signers.of_log(own, owns, later), Signers.of_log(peer, peers, handed)
        return Line(line.name, record, *signers)


def _id(line: LineConfig) -> bytes:
    from hotline.identity import read_card

    return read_card(line.card).id


@contextmanager
def opened(args: argparse.Namespace) -> Iterator[Record]:
    """Open the station's store to be read only, beside its daemon or without one.

    Raises UsageError if there is none, and ConfigError if this user may not read it.
    """
    from hotline.daemon.folder import has_store
    from hotline.identity import read_card
    from hotline.store.archive import SqliteArchive

    config = station.load(args)
    if not has_store(config):
        raise UsageError(
            f"there is no store at {config.store_path}",
            hint=f"the daemon makes it: {station.command('run', station.typed_config(args))}",
        )
    own = read_card(config.card)
    archive = SqliteArchive.open(config.store_path, station_id=own.id)
    try:
        with archive.blamed():
            yield Record(config, archive)
    finally:
        archive.close()
