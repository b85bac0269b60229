"""``hotline courier export``: seal what is queued for the peer into files."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hotline.cli import exits, station
from hotline.cli.exits import UsageError
from hotline.cli.terminal import print_json
from hotline.limits import COURIER_BYTES
from hotline.text import one_line

if TYPE_CHECKING:
    import argparse

    from hotline.cli.client import Client

FILES_MOST: Final = 9999
"""As many as have a name of their own beside the first."""


def run(args: argparse.Namespace) -> int:
    """Do what ``hotline courier export`` was asked."""
    first = Path(args.to or f"{args.line}.courier")
    if first.exists():
        # Found out before anything is numbered; the file itself is made so that it replaces nothing.
        raise UsageError(f"{first} already exists and is never overwritten", hint="use --to FILE")
    client = station.connect(args)
    try:
        return _export(client, args, first)
    finally:
        client.close()


def _export(client: Client, args: argparse.Namespace, first: Path) -> int:
    left_bytes, after = args.limit_bytes, args.after
    for count in range(1, FILES_MOST + 1):
        params = {"line": args.line, "limit_bytes": min(left_bytes, COURIER_BYTES)}
        params |= {} if after is None else {"after": after}
        params |= {"unheard": True} if args.unheard else {}
        result = client.call("courier_export", params)
        path = first if count == 1 else first.with_name(f"{first.name}.{count:04}")
        if result["more"] and result["last"] <= (result["after"] if after is None else after):
            raise client.strange("courier_export: a file that does not go on")
        _write(path, _file(client, result.pop("file")))
        _tell(args, path, result)
        left_bytes -= result["entry_bytes"]
        after = result["last"]
        if not result["more"]:
            return exits.DONE
        if left_bytes <= 0:
            break
    if not args.json:
        line = one_line(args.line)
        print(f"more waits; go on with: hotline courier export {line} --after {after} --to FILE")
    return exits.DONE


def _file(client: Client, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise client.strange("courier_export: file") from None


def _write(path: Path, file: bytes) -> None:
    from hotline.identity import files

    files.create(path, file, files.SECRET_MODE)


def _tell(args: argparse.Namespace, path: Path, result: dict[str, Any]) -> None:
    if args.json:
        print_json({"path": str(path), **result})
        return
    first, last, receipt = result["after"] + 1, result["last"], result.get("receipt")
    what = f"entries {first} to {last}" if last >= first else "no entries"
    for_them = f"and our receipt up to entry {receipt}" if receipt is not None else "and no receipt"
    print(f"{one_line(str(path))}: {what}, {for_them}")
