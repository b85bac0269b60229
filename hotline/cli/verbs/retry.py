"""``hotline retry``: call the peer now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotline.cli import exits, station
from hotline.text import one_line

if TYPE_CHECKING:
    import argparse


def run(args: argparse.Namespace) -> int:
    """Do what ``hotline retry`` was asked."""
    client = station.connect(args)
    try:
        result = client.call("retry", {} if args.line is None else {"line": args.line})
    finally:
        client.close()
    for name in result["lines"]:
        print(f"calling {one_line(str(name))} now; see: hotline status")
    return exits.DONE
