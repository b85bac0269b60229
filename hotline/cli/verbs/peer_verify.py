"""``hotline peer verify``: the pair code of a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotline.cli import exits, pairing, station
from hotline.cli.terminal import print_json
from hotline.errors import RefusedError
from hotline.identity import pair_code, read_card

if TYPE_CHECKING:
    import argparse


def run(args: argparse.Namespace) -> int:
    """Do what ``hotline peer verify`` was asked."""
    config = station.load(args)
    line = next((line for line in config.lines if line.name == args.line), None)
    if line is None:
        raise RefusedError(
            "unknown-line", f"there is no line {args.line}", hint="see: hotline peer list"
        )
    own, peer = read_card(config.card), read_card(line.card)
    if args.json:
        words = list(pair_code(own.id, peer.id))
        print_json({"line": line.name, "station": peer.name, "id": peer.id.hex(), "words": words})
    else:
        pairing.tell(own, peer)
    return exits.DONE
