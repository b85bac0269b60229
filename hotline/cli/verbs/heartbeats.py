"""``hotline heartbeats``: the heartbeat log, read from its files; needs no daemon."""

from __future__ import annotations

import json
import math
import sys
from typing import TYPE_CHECKING, Any, Final

from hotline.cli import columns, exits, station
from hotline.cli.exits import UsageError
from hotline.cli.heartbeat_log import HeartbeatLog
from hotline.cli.rendering import word
from hotline.cli.terminal import TABLE_COLUMNS, display_columns, paint, print_json
from hotline.text import duration

if TYPE_CHECKING:
    import argparse

    Beat = dict[str, Any]

_HEADINGS: Final = ("TIME", "LINE", "STATE", "RTT", "MISSED", "REASON")
_WIDTHS: Final = (20, 10, 8, 7, 6, 19)
"""Fixed, since a followed log has no last row to measure; with the gaps, 80 columns."""

_LONGEST_MS: Final = 10**12
"""Thirty years: whatever is longer was never measured."""


def run(args: argparse.Namespace) -> int:
    """Do what ``hotline heartbeats`` was asked; with --follow, until interrupted."""
    config = station.load(args)
    if args.line is not None:
        station.line_of(config, args.line)
    try:
        log = HeartbeatLog(config.heartbeat_log)
    except PermissionError:
        raise UsageError(
            f"not allowed to read {config.heartbeat_log}",
            hint="run this as the user who runs the daemon",
        ) from None
    try:
        lines = log.newest(args.limit, lambda line: _beat(line, args) is not None)
        if not lines and not args.follow and not config.heartbeat_log.exists():
            raise UsageError(
                f"there is no heartbeat log at {config.heartbeat_log}",
                hint="the daemon makes it: hotline run",
            )
        if not args.json:
            print(paint(_row(_HEADINGS).rstrip(), "heading"))
        for line in lines:
            _show(line, args)
        sys.stdout.flush()
        for line in log.follow() if args.follow else ():
            _show(line, args)
            sys.stdout.flush()
    finally:
        log.close()
    return exits.DONE


def _beat(line: bytes, args: argparse.Namespace) -> Beat | None:
    """Give the object in line, or None if it is damaged or of a line that was not asked for."""
    # Looked for as text first: a quiet line's heartbeats may lie behind a million of another's.
    if args.line is not None and f'"{args.line}"'.encode() not in line:
        return None
    try:
        beat = json.loads(line, parse_float=_number, parse_constant=_number)
    except (ValueError, RecursionError):
        return None
    if not isinstance(beat, dict) or (args.line is not None and beat.get("line") != args.line):
        return None
    return beat


def _number(spelled: str) -> float:
    """Read a number; raises ValueError for what Python would take and no other reader of JSON."""
    value = float(spelled)
    if not math.isfinite(value):
        raise ValueError(f"{spelled} is no number")
    return value


def _show(line: bytes, args: argparse.Namespace) -> None:
    beat = _beat(line, args)
    if beat is None:
        return
    if args.json:
        print_json(beat)
        return
    print(
        _row(
            (
                _second(word(beat, "timestamp")),
                word(beat, "line"),
                word(beat, "state"),
                _round_trip(beat.get("rtt_ms")),
                word(beat, "missed"),
                _remark(beat),
            )
        ).rstrip()
    )


def _round_trip(rtt_ms: object) -> str:
    # Compared before it is divided: a whole number may be too long to be made a float.
    if isinstance(rtt_ms, bool) or not isinstance(rtt_ms, int | float) or abs(rtt_ms) > _LONGEST_MS:
        return "-"
    return duration(rtt_ms / 1000)


def _remark(beat: Beat) -> str:
    """Say why the line stands so; a change says what it was, and the log's own notes their name."""
    event = beat.get("event")
    if event == "heartbeat":
        return word(beat, "reason")
    if event == "line_state":
        return f"{word(beat, 'reason')} (was {word(beat, 'was')})"
    return word(beat, "event")


def _second(timestamp: str) -> str:
    """Leave out the fraction of a second; ``--json`` has it."""
    head, dot, _ = timestamp.partition(".")
    return head + "Z" if dot else timestamp


def _row(cells: tuple[str, ...]) -> str:
    widths = [*_WIDTHS]
    widths[-1] += display_columns() - TABLE_COLUMNS
    padded = [columns.pad(cell, width) for cell, width in zip(cells, widths, strict=True)]
    padded[2] = paint(padded[2], cells[2])
    return "  ".join(padded)
