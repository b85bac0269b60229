"""``hotline evidence export``: the proof of one message, in one file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hotline.cli import exits, record
from hotline.errors import RefusedError
from hotline.model import Kind
from hotline.text import one_line

if TYPE_CHECKING:
    import argparse

    from hotline.cli.record import Record
    from hotline.store.views import MessageView


def run(args: argparse.Namespace) -> int:
    """Do what ``hotline evidence export`` was asked."""
    from hotline.evidence import export, file
    from hotline.identity import files

    with record.opened(args) as opened:
        view = _message(opened, args.id, args.line)
        line = opened.line(view.line)
        evidence = opened.archive.read(
            lambda reader: export.export(
                reader, line.record, line.own, line.peer, view.side, view.id
            )
        )
    written = file.write(evidence.encode())
    if args.output is None:
        sys.stdout.buffer.write(written)
        return exits.DONE
    files.create(Path(args.output), written, files.SECRET_MODE)
    print(f"check it with: hotline evidence verify {one_line(args.output)}")
    return exits.DONE


def _message(opened: Record, identifier: str, line: str | None) -> MessageView:
    """Give the one message that is meant; raises RefusedError for none, or for several."""
    found = [
        view
        for view in opened.archive.read(lambda reader: reader.show(identifier))
        if view.kind is Kind.MESSAGE and line in {None, view.line}
    ]
    if not found:
        raise RefusedError("not-found", f"there is no message {identifier}")
    if len(found) > 1:
        lines = sorted({view.line for view in found})
        raise RefusedError(
            "ambiguous",
            f"several messages have the id {identifier}",
            hint=f"name the line with --line: {', '.join(lines)}",
        )
    return found[0]
