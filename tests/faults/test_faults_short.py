"""The most telling faults in their short form, where root and the tools are there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from faults.needs import missing

MAIN = Path(__file__).with_name("main.py")
LONG_S = 400.0

SHORT = {
    "partition": ("nft",),
    "sigstop": (),
    "tamper": ("tun",),
    "eio-sync": ("strace",),
    "full-receiver": ("mount",),
}
"""Scenarios, and the tools they need; together they take half a minute. All of them: make faults."""


@pytest.mark.parametrize("name", SHORT)
def test_a_real_fault_costs_time_and_no_truth(name: str) -> None:
    """What only a real kernel shows: a line that lies, or loses, when disk, network or peer fail."""
    lacking = missing(SHORT[name])
    if lacking:
        pytest.skip(f"real faults cannot be made here; missing: {'; '.join(lacking)}")
    command = [sys.executable, str(MAIN), name, "--short"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONG_S, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert f"ok   {name}" in done.stdout


def test_what_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A skip that does not say what to install is a test that is never run."""
    monkeypatch.setenv("PATH", "")
    told = " ".join(missing(("nft", "strace")))
    assert "nft: apt-get install nftables" in told
    assert "strace: apt-get install strace" in told


def test_a_scenario_that_is_not_known_is_refused() -> None:
    """A misspelt name that plays nothing would look like a success."""
    command = [sys.executable, str(MAIN), "no-such-fault"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONG_S, check=False)
    assert done.returncode == 2
    assert "no-such-fault" in done.stderr
