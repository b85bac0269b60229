"""``hotline log export``: write a run of a log to a file."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from hotline.cli import exits, record
from hotline.cli.meter import Meter
from hotline.model import Side
from hotline.text import one_line

if TYPE_CHECKING:
    import argparse


def run(args: argparse.Namespace) -> int:
    """Do what ``hotline log export`` was asked."""
    from hotline.evidence import exporting_runs
    from hotline.identity import files

    with record.opened(args) as opened:
        line = opened.line(args.line)
        side = Side.OWN if args.side == "own" else Side.PEER
        end = line.record.own if side is Side.OWN else line.record.peer
        last = end.number if args.last is None else args.last
        wanted = exporting_runs.Wanted(line.record, side, line.own, line.peer, args.first, last)
        meter = Meter(one_line(line.name), "entries", last - args.first + 1)
        reached = args.first

        def fill(file: BinaryIO) -> None:
            nonlocal reached
            for reached in exporting_runs.export(opened.archive, wanted, file.write):
                meter.show(reached - args.first + 1)

        try:
            files.create_by(Path(args.output), fill, files.SECRET_MODE)
        finally:
            meter.clear()
    print(f"entries {args.first} to {reached} are in {one_line(args.output)}")
    print(f"check it with: hotline evidence verify {one_line(shlex.quote(args.output))}")
    return exits.DONE
