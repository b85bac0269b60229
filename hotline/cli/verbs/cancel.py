"""``hotline cancel``: take back a message that is still queued."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotline.cli import exits, rendering, station
from hotline.cli.terminal import print_json

if TYPE_CHECKING:
    import argparse


def run(args: argparse.Namespace) -> int:
    """Do what ``hotline cancel`` was asked."""
    client = station.connect(args)
    try:
        message = client.call("cancel", station.selection(args))["message"]
    finally:
        client.close()
    if args.json:
        print_json(rendering.stable(message))
    else:
        print(f"cancelled {rendering.word(message, 'id')} for {rendering.word(message, 'line')}")
    return exits.DONE
