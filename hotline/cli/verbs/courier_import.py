"""``hotline courier import``: take in what a courier brought from the peer."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hotline.cli import exits, station
from hotline.cli.terminal import print_json
from hotline.limits import COURIER_FILE_BYTES
from hotline.text import one_line

if TYPE_CHECKING:
    import argparse

    from hotline.cli.client import Client


def run(args: argparse.Namespace) -> int:
    """Do what ``hotline courier import`` was asked: one file after another, up to the first refused."""
    client = station.connect(args)
    try:
        for file in args.files:
            _take_in(client, args, Path(file))
    finally:
        client.close()
    return exits.DONE


def _take_in(client: Client, args: argparse.Namespace, path: Path) -> None:
    from hotline.identity import files

    file = base64.b64encode(files.read_public(path, COURIER_FILE_BYTES)).decode("ascii")
    result = client.call("courier_import", {"file": file})
    if args.json:
        print_json({"path": str(path), **result})
        return
    line = one_line(str(result["line"]))
    print(f"{one_line(str(path))}: from {line}: {_what(result)}")
    if result["entries"]:
        print(f"hint: a receipt goes back with: hotline courier export {line}")


def _what(result: dict[str, Any]) -> str:
    if not result["entries"] and not result["delivered"]:
        return "nothing that was not known here"
    told = f"{result['entries']} new entries, {result['messages']} messages"
    return f"{told}; {result['delivered']} of our messages are delivered"
