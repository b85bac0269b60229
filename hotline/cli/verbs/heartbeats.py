"""``hotline heartbeats``: the heartbeat log, read from its files; needs no daemon."""

from __future__ import annotations

import json
import math
import sys
from typing import TYPE_CHECKING, Any

from hotline.cli import exits, station
from hotline.cli.beats import Table
from hotline.cli.exits import UsageError
from hotline.cli.heartbeat_log import HeartbeatLog
from hotline.cli.rendering import word
from hotline.cli.terminal import print_json

if TYPE_CHECKING:
    import argparse

    from hotline.daemon.config import StationConfig

    Beat = dict[str, Any]


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
                hint=f"the daemon makes it: {station.command('run', station.typed_config(args))}",
            )
        found = [beat for line in lines if (beat := _beat(line, args)) is not None]
        table = None if args.json else _table(config, args, found)
        if table is not None:
            print("\n".join(table.heading()))
        for beat in found:
            _show(beat, table)
        sys.stdout.flush()
        for line in log.follow() if args.follow else ():
            beat = _beat(line, args)
            if beat is not None:
                _show(beat, table)
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


def _table(config: StationConfig, args: argparse.Namespace, beats: list[Beat]) -> Table:
    """Lay out a table for the lines that are shown, or that may be when the log is followed."""
    names = [args.line] if args.line is not None else [line.name for line in config.lines]
    return Table([*names, *(word(beat, "line") for beat in beats)])


def _show(beat: Beat, table: Table | None) -> None:
    if table is None:
        print_json(beat)
    else:
        print("\n".join(table.rows(beat)))
