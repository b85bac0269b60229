"""What ``make bench`` runs: the measurements asked for, a table, a JSON file, plots, the page."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

import apsw
from bench import page, plots, table
from bench.figure import FULL, MEASUREMENTS, QUICK, TINY, Outcome, Scale
from bench.figures import ORDER

from support.processes import ROOT


def main(arguments: list[str]) -> int:
    """Do what was asked."""
    options = _parser().parse_args(arguments)
    if options.list:
        print("\n".join(ORDER))
        return 0
    if options.source:
        result = json.loads(options.source.read_text())
    else:
        scale = TINY if options.tiny else QUICK if options.quick else FULL
        result = measured(options.figures or list(ORDER), scale)
    print(table.text(result))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    if options.plots:
        plots.draw(result, options.plots)
    if options.docs:
        page.refresh(ROOT / "docs", result)
        plots.draw(result, ROOT / "docs" / "performance")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help="all, unless some are named")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="a tenth of the sizes, three runs")
    size.add_argument("--tiny", action="store_true", help="next to nothing: does the bench work")
    parser.add_argument("--list", action="store_true", help="name the measurements")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure to FILE")
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="draw how cost grows")
    parser.add_argument("--docs", action="store_true", help="refresh docs/performance.md")
    parser.add_argument(
        "--from", dest="source", type=Path, metavar="FILE", help="measure nothing, read FILE"
    )
    return parser


def measured(names: list[str], scale: Scale) -> dict[str, Any]:
    """Run measurements by name and give all that is known, ready for JSON."""
    unknown = [name for name in names if name not in MEASUREMENTS]
    if unknown:
        raise SystemExit(f"no such measurement: {', '.join(unknown)}; see --list")
    figures: list[dict[str, Any]] = []
    curves: list[dict[str, Any]] = []
    began = time.monotonic()
    for name in names:
        print(f"{time.monotonic() - began:6.0f} s  {name} ...", file=sys.stderr, flush=True)
        outcome: Outcome = MEASUREMENTS[name](scale)
        figures += [one.as_json() for one in outcome.figures]
        curves += [one.as_json() for one in outcome.curves]
        for one in outcome.figures:
            print(f"          {table.line(one.as_json())}", file=sys.stderr, flush=True)
    return {
        "machine": machine(),
        "scale": scale.name,
        "seconds": round(time.monotonic() - began, 1),
        "figures": figures,
        "curves": curves,
    }


def machine() -> dict[str, Any]:
    """Say where this was measured: enough to tell whether two results may be compared."""
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "processor": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "sqlite": apsw.sqlite_lib_version(),
        "load": round(os.getloadavg()[0], 2),
        "at": time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime()),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
