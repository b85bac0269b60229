"""The operator's commands, as whole processes."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from bench import floors
from bench.figure import SECONDS, Figure, Outcome, Reach, Scale, measurement
from bench.world import BODY, running_pair, stations

from support.processes import ROOT


def command() -> list[str]:
    """Give the command as it is installed, or as a module of this tree."""
    script = Path(sys.executable).with_name("hotline")
    return [str(script)] if script.exists() else [sys.executable, "-m", "hotline"]


@measurement("verbs")
def verbs(scale: Scale) -> Outcome:
    """Measure each verb, one after the other, each beside a Python that does nothing."""
    asked = {"status": ["status"], "send": ["send", "bravo", BODY], "inbox": ["inbox"]}
    figures = {
        name: Figure(
            f"verb-{name}",
            f"hotline {name}, the whole process",
            SECONDS,
            Reach("within 6 x of python -I -c pass", at_most=6.0, of_ratio=True),
            "python -I -c pass",
        )
        for name in asked
    }
    with stations() as some:
        alpha, _ = running_pair(some)
        for _ in range(scale.verbs):
            for name, words in asked.items():
                floor = floors.python_s()
                began = time.perf_counter()
                subprocess.run(
                    [*command(), "--config", str(alpha.path), *words],
                    cwd=ROOT,
                    stdout=subprocess.DEVNULL,
                    check=True,
                )
                figures[name].add(time.perf_counter() - began, floor)
    return Outcome(list(figures.values()))
