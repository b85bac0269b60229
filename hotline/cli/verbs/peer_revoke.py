"""``hotline peer revoke``: refuse the card of a line for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotline.cli import cards, exits, station
from hotline.cli.exits import UsageError
from hotline.cli.rendering import time_of, word
from hotline.cli.terminal import print_json
from hotline.identity import read_card

if TYPE_CHECKING:
    import argparse


def run(args: argparse.Namespace) -> int:
    """Do what ``hotline peer revoke`` was asked."""
    config = station.load(args)
    line = station.line_of(config, args.line)
    own, peer = read_card(config.own_card(line)), read_card(line.card)
    if args.confirm is None and not args.json and cards.on_terminal():
        print(f"This ends the line {line.name} at once, and its card is refused for good:")
        print(f"  station {peer.name}, id {peer.id.hex()}")
        print("What was said stays readable. Only a new card of that station's makes a new line.")
        confirmed = cards.answer("Type the line's name to revoke its card: ")
    else:
        confirmed = args.confirm or ""
    if confirmed != line.name:
        raise UsageError(
            "nothing was revoked: the line's name was not confirmed",
            hint=f"hotline peer revoke {line.name} --confirm {line.name}",
        )
    marks = cards.ask(args, "revoke", {"line": line.name, "own_id": own.id.hex()}, peer.id)
    if args.json:
        print_json(
            {
                "line": line.name,
                "station": peer.name,
                "id": peer.id.hex(),
                "revoked_at": marks["revoked_at"],
                "revoked_by": marks["revoked_by"],
            }
        )
    else:
        when = time_of(marks, "revoked_at", exact=True)
        print(f"the card of the line {line.name} is revoked, {when} by {word(marks, 'revoked_by')}")
    return exits.DONE
