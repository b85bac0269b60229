"""Chooses scenarios, plays them one after the other, and prints a line of figures for each.

Everything happens in a mount namespace of its own, so that no mount outlives this program.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from faults import needs
from faults.arena import arena
from faults.catalogue import SCENARIOS, Scenario
from faults.table import Row, write

MODULES: Final = (
    "deaths",
    "partitions",
    "stops",
    "weather",
    "slow",
    "disk_errors",
    "cut_writes",
    "disk_room",
    "queues",
    "clocks",
    "old_stores",
    "recovered",
)
"""Each adds its scenarios to the list when it is imported, in this order."""

INSIDE: Final = "HOTLINE_FAULTS_INSIDE"
"""Set in the environment once we are in a mount namespace of our own."""

CANNOT_RUN: Final = 2
FAILED: Final = 1
SEED: Final = 1963
SHOWN: Final = 400
"""Characters of an error: some carry all that a daemon ever said."""


def main() -> int:
    """Play what was asked for; 0 if all claims held, 1 if not, 2 if it cannot be played here."""
    for module in MODULES:
        importlib.import_module(f"faults.{module}")
    arguments = _parser().parse_args()
    if arguments.list:
        for one in SCENARIOS.values():
            print(f"{one.name:<14} {one.about}")
        return 0
    chosen = [SCENARIOS[name] for name in arguments.scenario or SCENARIOS]
    missing = needs.missing({tool for one in chosen for tool in one.needs})
    if missing:
        print("the faults cannot be made here; missing:", *missing, sep="\n  ", file=sys.stderr)
        return CANNOT_RUN
    if INSIDE not in os.environ:
        _enter()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupted)
    rows = []
    for one in chosen:
        rows.append(play(one, short=arguments.short, seed=arguments.seed))
        print(rows[-1].figures.line(one.name), flush=True)
        for problem in rows[-1].figures.problems:
            print(f"     {one.name}: {problem}", flush=True)
        if arguments.table is not None:  # each time: a run of half an hour may be broken off
            write(arguments.table, rows)
    return FAILED if any(row.figures.problems for row in rows) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="make real faults, and check what two stations say"
    )
    parser.add_argument("scenario", nargs="*", choices=[[], *SCENARIOS], help="default: all")
    parser.add_argument("--short", action="store_true", help="the short form of each")
    parser.add_argument("--seed", type=int, default=SEED, help="of all that is random here")
    parser.add_argument("--list", action="store_true", help="say what there is")
    parser.add_argument("--table", type=Path, help="write the figures to FILE, as Markdown")
    return parser


def _enter() -> NoReturn:
    """Start again in a mount namespace of our own."""
    command = ["unshare", "--mount", "--propagation", "private", sys.executable, "-m", "faults.run"]
    os.execvpe(command[0], [*command, *sys.argv[1:]], os.environ | {INSIDE: "1"})  # noqa: S606


def _interrupted(number: int, _: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt(f"signal {number}")


def play(one: Scenario, *, short: bool, seed: int) -> Row:
    """Play one scenario to its end; what it raises is a problem like any other."""
    with arena(short=short, seed=seed, **one.settings) as made:
        try:
            one.play(made)
        except Exception as error:  # noqa: BLE001 - the next scenario is played all the same
            made.problem(f"{type(error).__name__}: {str(error)[:SHOWN]}")
            traceback.print_tb(error.__traceback__)
            made.show_logs()
        made.expect("the fault fired", holds=bool(made.figures.fired))
    return Row(one.name, made.figures)


if __name__ == "__main__":
    began = time.monotonic()
    code = main()
    print(f"{time.monotonic() - began:.0f} s in all", flush=True)
    sys.exit(code)
