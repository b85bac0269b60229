"""``make faults``: real faults against real daemons, in network and mount namespaces of their own.

    python tests/faults/main.py [SCENARIO ...] [--short] [--list] [--table FILE]

This file only sets the path and goes on as the module ``faults.run``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

TESTS: Final = Path(__file__).resolve().parents[1]


def entry() -> None:
    """Become ``faults.run``, which imports from the tests and from the tree above them."""
    path = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    command = [sys.executable, "-m", "faults.run", *sys.argv[1:]]
    os.execve(sys.executable, command, os.environ | {"PYTHONPATH": path})  # noqa: S606


if __name__ == "__main__":
    entry()
