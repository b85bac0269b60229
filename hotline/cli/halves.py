"""What the verbs of a line secret share: whose halves they are, and where one's own is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hotline.cli import station
from hotline.errors import IdentityError
from hotline.identity import read_card

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from hotline.daemon.config import StationConfig
    from hotline.identity import Card
    from hotline.identity.halves import Half


@dataclass(frozen=True, slots=True)
class Stations:
    """The two stations of a line, by their cards."""

    config: StationConfig
    own: Card
    peer: Card

    @classmethod
    def of(cls, args: argparse.Namespace) -> Stations:
        """Find those of the line that an operator names; raises RefusedError if there is none."""
        config = station.load(args)
        line = station.line_of(config, args.line)
        return cls(config, read_card(config.own_card(line)), read_card(line.card))

    def check_own(self, half: Half, path: Path) -> Half:
        """Give half; raises IdentityError unless this station made it for this peer."""
        if (half.writer_id, half.reader_id) != (self.own.id, self.peer.id):
            raise IdentityError(
                f"{path} is a half for two other stations",
                hint="move it away; a card has changed since it was made",
            )
        return half


def half_path(config: StationConfig, line: str) -> Path:
    """Give where this station's half is kept until both are combined: beside the secret key."""
    return config.key.parent / f"{line}.half"


def spent_path(half: Path) -> Path:
    """Give the name of a half from when the line secret is made of it: it is never said again."""
    return half.with_name(f"{half.name}.spent")
