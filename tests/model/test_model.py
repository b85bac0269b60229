"""The model of delivery holds, and can fail: docs/model/check says more, and takes minutes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECK = Path(__file__).parents[2] / "docs" / "model" / "check"


@pytest.mark.skipif(
    shutil.which("spin") is None or shutil.which("cc") is None,
    reason="spin and a C compiler are needed (on Debian: apt-get install spin gcc libc6-dev)",
)
def test_the_smallest_search_holds_and_finds_two_planted_faults() -> None:
    """A change of the model that breaks it, or blinds it, would stay unseen until `make model`."""
    done = subprocess.run(
        [sys.executable, CHECK, "--quick"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    verdicts = [line.split("|")[-2].strip() for line in done.stdout.splitlines()[2:]]
    assert verdicts == ["holds", "found", "found"]


def test_missing_tools_are_named_with_the_way_to_get_them() -> None:
    """Who runs the check for the first time must learn what to install, not read a traceback."""
    done = subprocess.run(
        [sys.executable, CHECK], env={"PATH": ""}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "spin and cc not found" in done.stderr
    assert "apt-get install spin" in done.stderr
