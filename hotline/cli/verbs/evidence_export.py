"""``hotline evidence export``: the proof of one message, in one file."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hotline.cli import exits, record
from hotline.cli.terminal import advise, aside
from hotline.errors import RefusedError
from hotline.model import Kind, Side
from hotline.text import one_line

if TYPE_CHECKING:
    import argparse

    from hotline.cli.record import Line, Record
    from hotline.store.views import MessageView


def run(args: argparse.Namespace) -> int:
    """Do what ``hotline evidence export`` was asked."""
    from hotline.evidence import export, file
    from hotline.identity import files

    with record.opened(args) as opened:
        line, view = _message(opened, args)
        evidence = opened.archive.read(
            lambda reader: export.export(
                reader, line.record, line.own, line.peer, view.side, view.id
            )
        )
    written = file.write(evidence.encode())
    if args.output is None:
        sys.stdout.buffer.write(written)
    else:
        files.create(Path(args.output), written, files.SECRET_MODE)
        print(f"check it with: hotline evidence verify {one_line(shlex.quote(args.output))}")
    if evidence.message.interrupted:
        _say_interrupted(line.name, view, evidence.message.numbers)
    return exits.DONE


def _say_interrupted(line: str, view: MessageView, numbers: tuple[int, ...]) -> None:
    """Say what proves the whole; it shows what else was said meanwhile, so nobody does it for them."""
    first, last = numbers[0], numbers[-1]
    side = "own" if view.side is Side.OWN else "peer"
    aside(
        one_line(
            f"note: between the parts of {view.id} stand other entries, which this file does not"
            " show: it does not prove that none of them began the message anew"
        )
    )
    advise(
        "the run of the log proves that, and shows those entries too:"
        f" hotline log export {line} --side {side} --first {first} --last {last} -o FILE"
    )


def _message(opened: Record, args: argparse.Namespace) -> tuple[Line, MessageView]:
    """Give the one message that is meant; raises RefusedError for none, or for several."""
    # The store may still know a line by the name that it had before.
    lines = {line.record.name: line for line in opened.lines()}
    sides = {None: set(Side), "out": {Side.OWN}, "in": {Side.PEER}}[args.direction]
    found = [
        (lines[view.line], view)
        for view in opened.archive.read(lambda reader: reader.show(args.id))
        if view.kind is Kind.MESSAGE
        and view.side in sides
        and view.line in lines
        and args.line in {None, lines[view.line].name}
    ]
    if not found:
        raise RefusedError(
            "not-found",
            f"there is no message {args.id} on a line of this configuration",
            hint="see: hotline inbox --all, hotline outbox --all",
        )
    if len(found) > 1:
        names = ", ".join(sorted({line.name for line, _ in found}))
        raise RefusedError(
            "ambiguous",
            f"several messages have the id {args.id}",
            hint=f"say which with --line ({names}) and --direction",
        )
    return found[0]
