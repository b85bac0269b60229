"""``hotline cancel``: take back a message that is still queued."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotline.cli import exits, output, rendering, station
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
    identifier, line = (rendering.word(message, name) for name in ("id", "line"))
    done = f"message {identifier} for {line} is cancelled"
    with output.telling(done, hint=f"see: hotline show {identifier}"):
        if args.json:
            print_json(rendering.stable(message))
        else:
            print(f"cancelled {identifier} for {line}")
    return exits.DONE
