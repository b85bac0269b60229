"""How cost grows, drawn: one PNG a plot. matplotlib comes with ``make bench`` only."""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path
from typing import Any


def draw(result: dict[str, Any], folder: Path) -> list[Path]:
    """Draw every plot of a result into folder; says so, and draws nothing, without matplotlib."""
    try:
        import matplotlib as mpl
    except ImportError:
        print("no plots: matplotlib is missing; make bench installs it", file=sys.stderr)
        return []
    mpl.use("Agg")
    from matplotlib import pyplot

    folder.mkdir(parents=True, exist_ok=True)
    by_plot: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for curve in result["curves"]:
        if curve["points"]:
            by_plot[curve["plot"]].append(curve)
    drawn = []
    for name, curves in by_plot.items():
        figure, axes = pyplot.subplots(figsize=(6, 3.4), dpi=110)
        for curve in curves:
            axes.plot(*zip(*curve["points"], strict=True), marker="o", label=curve["label"])
        axes.set_xscale("log")
        if name.startswith("size") and all(y > 0 for one in curves for _, y in one["points"]):
            axes.set_yscale("log")
        axes.set_ylim(bottom=0 if axes.get_yscale() == "linear" else None)
        axes.set_xlabel(curves[0]["x"])
        axes.set_ylabel(curves[0]["y"])
        axes.grid(visible=True, which="major", alpha=0.3)
        axes.legend(fontsize="small")
        figure.tight_layout()
        drawn.append(folder / f"{name}.png")
        # Without the library's version in it, the same figures give the same file.
        figure.savefig(drawn[-1], metadata={"Software": None})
        pyplot.close(figure)
    return drawn
