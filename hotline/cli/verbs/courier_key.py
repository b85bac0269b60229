"""``hotline courier key``: this station's courier key, as a text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotline.cli import exits, station
from hotline.text import one_line

if TYPE_CHECKING:
    import argparse


def run(args: argparse.Namespace) -> int:
    """Do what ``hotline courier key`` was asked."""
    client = station.connect(args)
    try:
        armour = client.call("courier_key")["key"]
    finally:
        client.close()
    print("\n".join(map(one_line, armour.split("\n"))), end="")
    return exits.DONE
