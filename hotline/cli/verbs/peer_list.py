"""``hotline peer list``: the lines in the configuration and the cards they are pinned to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotline.cli import exits, station
from hotline.cli.terminal import print_json, table
from hotline.identity import read_card

if TYPE_CHECKING:
    import argparse

_WIDTHS = (20, 20, 8, 26)


def run(args: argparse.Namespace) -> int:
    """Do what ``hotline peer list`` was asked."""
    rows = [("LINE", "STATION", "ID", "ADDRESSES")]
    for line in station.load(args).lines:
        card = read_card(line.card)
        addresses = [str(address) for address in line.addresses]
        if args.json:
            print_json(
                {
                    "line": line.name,
                    "station": card.name,
                    "id": card.id.hex(),
                    "card": str(line.card),
                    "addresses": addresses,
                }
            )
        else:
            rows.append((line.name, card.name, card.id.hex()[:8], ", ".join(addresses) or "-"))
    if not args.json:
        print("\n".join(table(rows, _WIDTHS)))
    return exits.DONE
