"""A line with something to prove, in two stores: messages short and long, answers, checkpoints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hotline.evidence import export
from hotline.evidence.signers import Signers
from hotline.model import Decision, Precedence, Side
from support.line_stores import exchange
from support.line_world import LineWorld, Station

if TYPE_CHECKING:
    from pathlib import Path

    from hotline.evidence.proof import Evidence
    from hotline.model import LineRecord

LONG: Final = "long " * 8000
BODY: Final = (
    "escape \x1b[31m, bidi \u202e, letters \u0416\u00e9, younger \U0001f680, BEGIN\n"
    "-----BEGIN HOTLINE EVIDENCE-----"
)


@dataclass
class Holder:
    """One station's view of the line."""

    station: Station
    own: Signers
    peer: Signers

    @property
    def record(self) -> LineRecord:
        """The line's numbers as stored."""
        return self.station.store.read(lambda reader: reader.lines())[0]

    def evidence(self, side: Side, identifier: str) -> Evidence:
        """Give the evidence for a message, as this station can."""
        return self.station.store.read(
            lambda reader: export.export(reader, self.record, self.own, self.peer, side, identifier)
        )


class Case:
    """Two stations; ``author`` has sent ``air-7`` (answered twice), ``long`` and ``plain``.

    rotated: the author's keys changed before it sent air-7, the reader's after it answered that.
    """

    def __init__(self, folder: Path, *, rotated: bool = False) -> None:
        self.world = world = LineWorld(folder, 3).start()
        world.until_up()
        author, reader = world.stations
        exchange(world, "before")
        author.send("long", LONG)
        if rotated:
            author.rotate()
            world.run(30)
        author.send("air-7", BODY, Precedence.FLASH, ack_by_ns=author.moment().wall_ns + 10**12)
        world.run(3)
        reader.answer("air-7", Decision.READ, "seen")
        world.run(1)
        reader.answer("air-7", Decision.WILCO, "note \u202e of theirs")
        world.run(30)
        if rotated:
            reader.rotate()
            world.run(30)
        author.send("plain", "nobody answers")
        world.run(1)
        exchange(world, "after")
        world.run(30)
        signers = {station.name: _signers(station) for station in world.stations}
        self.author, self.reader = (
            Holder(station, signers[station.name], signers[world.other(station).name])
            for station in world.stations
        )

    @property
    def holders(self) -> tuple[tuple[Holder, Side], tuple[Holder, Side]]:
        """Both stations, with the side on which the author's messages stand there."""
        return (self.author, Side.OWN), (self.reader, Side.PEER)

    def close(self) -> None:
        """Release the stores."""
        self.world.close()


def _signers(station: Station) -> Signers:
    changes = station.store.read(lambda reader: reader.key_changes(1, Side.OWN))
    return Signers.of_log(station.card, changes)
