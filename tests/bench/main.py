"""``make bench``: what the line costs, beside what the disk and the mathematics cost here.

    python tests/bench/main.py [FIGURE ...] [--quick] [--list] [--json FILE] [--docs] [--from FILE]

This file only sets the path and goes on as the module ``bench.run``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

TESTS: Final = Path(__file__).resolve().parents[1]


def entry() -> None:
    """Become ``bench.run``, which imports from the tests and from the tree above them."""
    path = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    command = [sys.executable, "-m", "bench.run", *sys.argv[1:]]
    os.execve(sys.executable, command, os.environ | {"PYTHONPATH": path})  # noqa: S606


if __name__ == "__main__":
    entry()
