"""Runs worlds: ``python -m sim.main`` (from tests/); see --help."""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.daemon_world import DaemonWorld, daemon_options
from sim.marks import RARE_PATHS
from sim.options import FAULTS, LOSSES, TROUBLES, Options
from sim.world import World

if TYPE_CHECKING:
    from collections.abc import Sequence

    import trio

_SHOWN = 60


@dataclass
class Tally:
    """What came of many worlds."""

    worlds: int = 0
    virtual_s: float = 0.0
    quiet_s: float = 0.0
    """Of those, in lulls."""
    cpu_s: float = 0.0
    messages: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    marks: Counter[str] = field(default_factory=Counter)

    def add(self, world: World, cpu_s: float) -> None:
        """Count one world."""
        self.worlds += 1
        self.virtual_s += world.now
        self.quiet_s += world.options.lull_s
        self.cpu_s += cpu_s
        self.messages += world.operators.sent
        self.faults.update(world.chaos.fired)
        self.marks.update(world.marks)

    def join(self, other: Tally) -> None:
        """Count all that another has counted."""
        self.worlds += other.worlds
        self.virtual_s += other.virtual_s
        self.quiet_s += other.quiet_s
        self.cpu_s += other.cpu_s
        self.messages += other.messages
        self.faults.update(other.faults)
        self.marks.update(other.marks)

    def missing(self) -> list[str]:
        """Give the rare paths that did not run."""
        return [name for name in RARE_PATHS if not self.marks[name]]

    def told(self) -> str:
        """Give it for a person."""
        rate = self.virtual_s / max(self.cpu_s, 1e-9)
        rows = [
            f"{self.worlds} worlds, {self.virtual_s / 3600:.1f} virtual hours"
            f" ({self.quiet_s / 3600:.1f} of them quiet) in {self.cpu_s:.1f} s of one core"
            f" ({rate:.0f} virtual hours an hour), {self.messages} messages",
            "faults: " + ", ".join(f"{n} {c}" for n, c in sorted(self.faults.items())),
            *(f"  {self.marks[n]:8}  {n}" for n in sorted({*self.marks, *RARE_PATHS})),
        ]
        return "\n".join(rows)


def live(
    seed: int,
    tally: Tally | None = None,
    *,
    daemons: bool = False,
    instruments: Sequence[trio.abc.Instrument] = (),
    **fixed: Any,
) -> World:
    """Live through the world of one seed; raises what goes wrong in it, with the world attached.

    With daemons, it is a world of the second tier.
    """
    base = Path("/dev/shm")  # noqa: S108 - a folder of its own is made below it
    with tempfile.TemporaryDirectory(dir=base if base.is_dir() else None) as folder:
        if daemons:
            world: World = DaemonWorld(daemon_options(seed, **fixed), Path(folder), instruments)
        else:
            world = World(Options.of(seed, **fixed), Path(folder))
        began = time.process_time()
        gc.disable()  # a world is soon over: looking for cycles again and again is a tenth of its time
        try:
            world.run()
        except Exception as error:
            error.add_note(failure(world, error))
            raise
        finally:
            gc.enable()
        if tally is not None:
            tally.add(world, time.process_time() - began)
        return world


def failure(world: World, error: Exception) -> str:
    """Give what is needed to find out why a world went wrong."""
    recent = "\n".join(list(world.recent)[-_SHOWN:])
    return (
        f"seed {world.options.seed} at {world.now:.6f} s: {error}\n{world.options.described()}\n"
        f"the last transitions:\n{recent}"
    )


def main() -> int:
    """Run as asked; gives the exit code."""
    parser = argparse.ArgumentParser(prog="sim")
    parser.add_argument("--seed", type=int, help="one seed only")
    parser.add_argument("--seeds", type=int, default=1000, help="how many seeds")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--faults", help=f"only these, by comma: {','.join(FAULTS)}")
    parser.add_argument(
        "--trouble", choices=(*TROUBLES, LOSSES), help="exchange a store in every world"
    )
    parser.add_argument("--daemons", action="store_true", help="whole daemons (the second tier)")
    parser.add_argument("--keep-on", action="store_true", help="go on after a failure")
    asked = parser.parse_args()
    fixed: dict[str, Any] = {}
    if asked.faults is not None:
        fixed["faults"] = tuple(filter(None, asked.faults.split(",")))
    if asked.trouble is not None:
        fixed["trouble"] = asked.trouble
    if asked.trouble == LOSSES:
        fixed["recovers"] = True
    seeds = (
        [asked.seed] if asked.seed is not None else range(asked.first, asked.first + asked.seeds)
    )
    tally, failed = Tally(), []
    for seed in seeds:
        try:
            live(seed, tally, daemons=asked.daemons, **fixed)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong in a world is its failure
            failed.append(seed)
            if asked.keep_on:
                print(f"seed {seed}: {type(error).__name__}: {error}", flush=True)
                continue
            traceback.print_exception(error)
            break
    print(tally.told())
    if failed:
        print(f"failed: {len(failed)} seeds: {' '.join(map(str, failed[:50]))}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
