"""``hotline card``: this station's card as a file for the peer, or what a card says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hotline.cli import columns, exits, station
from hotline.cli.terminal import print_json
from hotline.identity import read_card
from hotline.identity.successors import newest_card
from hotline.text import dtg, utc, utc_microseconds

if TYPE_CHECKING:
    import argparse

    from hotline.identity import Card


def run(args: argparse.Namespace) -> int:
    """Do what ``hotline card`` was asked."""
    if args.file is None:
        card = newest_card(station.load(args).card)
        if not args.json:
            print(card.armoured(), end="")
            return exits.DONE
    else:
        card = read_card(Path(args.file))
    if args.json:
        print_json(_described(card))
        return exits.DONE
    print(f"name      {card.name}")
    print(f"id        {columns.grouped(card.id.hex())}")
    print(f"created   {dtg(card.created_ns)}  {utc(card.created_ns)}")
    print("verifies  yes: both of its own signatures, and its keys are fit to be pinned")
    print("hint: a card proves who made it only by the pair code: hotline peer verify LINE")
    return exits.DONE


def _described(card: Card) -> dict[str, object]:
    # A card that does not verify is an error before it gets here.
    return {
        "name": card.name,
        "id": card.id.hex(),
        "created_at": utc_microseconds(card.created_ns),
        "verifies": True,
    }
