"""``hotline peer list``: the lines in the configuration and the cards they are pinned to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hotline.cli import columns, exits, station
from hotline.cli.terminal import display_columns, print_json, table, widths
from hotline.identity import read_card

if TYPE_CHECKING:
    import argparse

_HEADINGS: Final = ("LINE", "STATION", "ID", "ADDRESSES")
_MOST: Final = (columns.NAME_MOST, columns.NAME_MOST, 8)
_GAPS: Final = 2 * len(_MOST)


def run(args: argparse.Namespace) -> int:
    """Do what ``hotline peer list`` was asked."""
    rows = []
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
            rows.append((line.name, card.name, card.id.hex()[:8], addresses))
    if not args.json:
        print("\n".join(_shown(rows)))
    return exits.DONE


def _shown(lines: list[tuple[str, str, str, list[str]]]) -> list[str]:
    """Give a table; addresses that do not fit in it stand below their line, each whole."""
    rows = [_HEADINGS, *((*names, ", ".join(addresses) or "-") for *names, addresses in lines)]
    room = display_columns() - sum(widths(rows, _MOST)) - _GAPS
    fitting = [(*row[:3], row[3] if columns.width(row[3]) <= room else "") for row in rows]
    heading, *table_rows = table(fitting, (*_MOST, room))
    shown = [heading]
    for row, fitted, (*_, addresses) in zip(table_rows, fitting[1:], lines, strict=True):
        shown.append(row)
        if not fitted[3]:
            shown += [f"  address {address}" for address in addresses]
    return shown
