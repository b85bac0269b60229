"""``hotline show``: every message with an id, whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotline.cli import rendering, station
from hotline.cli.terminal import print_json

if TYPE_CHECKING:
    import argparse


def run(args: argparse.Namespace) -> int:
    """Do what ``hotline show`` was asked."""
    client = station.connect(args)
    try:
        result = client.call("show", {**station.selection(args), "skip_damaged": True})
    finally:
        client.close()
    messages = result["messages"]
    for index, message in enumerate(messages):
        if args.json:
            print_json(rendering.stable(message))
            continue
        if index:
            print()
        print("\n".join(rendering.whole(message)))
    return rendering.tell_damaged(result.get("damaged") or [])
