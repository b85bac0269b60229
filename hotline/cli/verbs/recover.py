"""``hotline line recover``: take back what this station's store has lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotline.cli import exits, station
from hotline.text import one_line

if TYPE_CHECKING:
    import argparse


def run(args: argparse.Namespace) -> int:
    """Do what ``hotline line recover`` was asked."""
    client = station.connect(args)
    try:
        result = client.call("recover", {"line": args.line})
    finally:
        client.close()
    name = one_line(str(result["line"]))
    print(f"line {name} takes back from the peer what is missing here; see: hotline status")
    return exits.DONE
