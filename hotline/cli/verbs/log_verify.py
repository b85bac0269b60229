"""``hotline log verify``: check the whole record of a line in its store."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from hotline.cli import exits, record
from hotline.cli.meter import Meter
from hotline.cli.terminal import complain, print_json
from hotline.errors import EvidenceError, StoreError
from hotline.text import duration, one_line

if TYPE_CHECKING:
    import argparse

    from hotline.cli.record import Line, Record


def run(args: argparse.Namespace) -> int:
    """Do what ``hotline log verify`` was asked; every line is checked, whatever another has shown."""
    code = exits.DONE
    with record.opened(args) as opened:
        lines = [opened.line(args.line)] if args.line is not None else opened.lines()
        for line in lines:
            if not _verify(opened, line, as_json=args.json):
                code = exits.REFUSED
    return code


def _verify(opened: Record, line: Line, *, as_json: bool) -> bool:
    import time

    from hotline.evidence.audit import Auditor

    auditor = Auditor(opened.archive, line.record, line.own, line.peer)
    meter = Meter(one_line(line.name), "entries", auditor.total)
    began_s = time.monotonic()
    fault = ""
    try:
        with opened.archive.blamed():
            auditor.run(lambda: meter.show(auditor.done))
    except (EvidenceError, StoreError) as error:
        fault = str(error)
    finally:
        meter.clear()
    told = {"line": line.name, "verified": not fault, **asdict(auditor.audit)}
    if as_json:
        print_json({**told, "fault": fault or None})
    elif not fault:
        print(_summary(told, time.monotonic() - began_s))
    if fault:
        complain(
            f"line {line.name}: {fault}",
            "keep this store as it is; the peer holds a copy of both logs",
        )
    return not fault


def _summary(told: dict[str, Any], spent_s: float) -> str:
    return (
        f"{one_line(told['line'])}: all is as it was signed, in {duration(spent_s)}\n"
        f"  own log   {told['own_entries']} entries, {told['own_signatures']} signatures,"
        f" {told['receipts']} receipts of the peer\n"
        f"  peer log  {told['peer_entries']} entries, {told['peer_signatures']} signatures\n"
        f"  both      {told['own_checkpoints']} checkpoints of this station,"
        f" {told['peer_checkpoints']} of the peer"
    )
