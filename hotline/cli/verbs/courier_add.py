"""``hotline courier add``: keep a peer's courier key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hotline.cli import exits, station
from hotline.cli.exits import UsageError
from hotline.limits import COURIER_KEY_BYTES
from hotline.text import one_line

if TYPE_CHECKING:
    import argparse


def run(args: argparse.Namespace) -> int:
    """Do what ``hotline courier add`` was asked."""
    from hotline.identity import files

    # Base64 makes four characters of three bytes, and a line of each 64.
    data = files.read_public(Path(args.file), 2 * COURIER_KEY_BYTES)
    if not data.isascii():
        raise UsageError(f"{args.file} is not plain ASCII text")
    client = station.connect(args)
    try:
        result = client.call("courier_add", {"key": data.decode("ascii")})
    finally:
        client.close()
    name = one_line(str(result["line"]))
    print(f"courier key of line {name} {'kept' if result['new'] else 'is the one kept already'}")
    return exits.DONE
