"""The bench itself: that it measures at all, reckons right, and refreshes its page."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from bench import page, run, table
from bench.figure import KIB, MEASUREMENTS, TINY, Figure, Reach
from bench.figures import ORDER, strangers

from support.processes import ROOT


@pytest.mark.parametrize("name", ORDER)
def test_every_measurement_measures(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bench that breaks is noticed on the day when somebody needs its figures."""
    # A measurement starts further processes of the bench.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "tests"), str(ROOT)]))
    result = json.loads(json.dumps(run.measured([name], TINY)))
    assert result["figures"] or result["curves"]
    for figure in result["figures"]:
        told = any("not measured" in note for note in figure["notes"])
        assert figure["runs"] or told, figure["name"]
        # Of two lines the memory is lost in what two daemons differ by.
        assert all(value >= 0 or figure["unit"] == KIB for value in figure["runs"])
        assert not figure["runs"] or (figure["ratio"] is None) == (not figure["floor_is"])
    assert all(curve["points"] for curve in result["curves"])
    assert table.text(result).count("\n") >= len(result["figures"])


def test_a_ratio_holds_each_run_against_the_floor_beside_it() -> None:
    """A machine that was busy during one run must not make the figure look good or bad."""
    figure = Figure("f", "what", "s", Reach("at most 2.5 x", at_most=2.5, of_ratio=True))
    for value, floor in ((2.0, 1.0), (20.0, 10.0), (9.0, 3.0)):
        figure.add(value, floor)
    assert figure.ratio == 2.0
    assert figure.median == 9.0
    assert figure.met is True
    figure.add(900.0, 10.0)
    assert figure.ratio == 2.5
    figure.add(900.0, 10.0)
    assert figure.met is False


def test_a_bound_is_of_the_ratio_or_of_the_median() -> None:
    """A bound held against the wrong number would say yes for ever."""
    assert Reach("", at_least=30_000).met(30_000, 0.1) is True
    assert Reach("", at_least=30_000).met(29_999, 99.0) is False
    assert Reach("", at_most=3.0, of_ratio=True).met(0.001, 3.1) is False
    assert Reach("", at_most=3.0, of_ratio=True).met(0.001, None) is None
    assert Figure("f", "what", "s", Reach("", at_most=1.0)).met is None


def made(**changes: Any) -> dict[str, Any]:
    """Give a result of one figure."""
    figure = Figure("f", "what it is", "s", Reach("within 1 s", at_most=1.0), "a floor")
    figure.add(0.25, 0.1)
    figure.add(0.35, 0.1)
    figure.notes.append("a note")
    return {
        "machine": run.machine(),
        "scale": "tiny",
        "seconds": 1.0,
        "figures": [{**figure.as_json(), **changes}],
        "curves": [],
    }


def test_the_table_tells_all() -> None:
    """A figure without its spread, its floor or its verdict is a boast."""
    row = "| what it is | 300 ms | 250 ms .. 350 ms | 100 ms | 3.00 | within 1 s | yes |"
    assert row in table.markdown(made())
    assert "- f: a note" in table.markdown(made())
    assert "NO" in table.text(made(met=False))
    assert "| - |" in table.markdown(made(median=None, runs=[]))


def test_the_page_is_refreshed_between_its_marks(tmp_path: Path) -> None:
    """Whoever refreshes the figures must not lose a word around them."""
    text = f"before\n{page.BEGIN}\nold\n{page.END}\nafter\n"
    (tmp_path / "performance.md").write_text(text)
    page.refresh(tmp_path, made())
    fresh = (tmp_path / "performance.md").read_text()
    assert fresh.startswith(f"before\n{page.BEGIN}\n")
    assert fresh.endswith(f"{page.END}\nafter\n")
    assert "what it is" in fresh
    assert "old" not in fresh
    kept = json.loads((tmp_path / "performance" / "figures.json").read_text())
    assert page.refreshed(fresh, kept) == fresh
    with pytest.raises(ValueError, match="the page has no"):
        page.refreshed("no marks", made())


def test_the_page_in_the_tree_has_its_marks() -> None:
    """Without them the next refresh fails after minutes of measuring."""
    text = (ROOT / "docs" / "performance.md").read_text()
    assert page.refreshed(text, made()).count(page.END) == 1


def test_the_distance_of_two_distributions() -> None:
    """A distance that is always small would call every difference none."""
    assert strangers.distance([1, 2, 3], [3, 2, 1]) == 0
    assert strangers.distance([1, 2], [3, 4]) == 1
    assert strangers.distance([1, 2, 3, 4], [3, 4, 5, 6]) == 0.5
    same, late = [n / 100 for n in range(100)], [n / 100 + 0.4 for n in range(200)]
    assert strangers.distance(same, late) > strangers.by_chance(100, 200)


def test_the_command_lists_and_refuses() -> None:
    """A name misspelt must not become ten minutes of something else."""

    def ask(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ROOT / "tests" / "bench" / "main.py"), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert ask("--list").stdout.split() == list(ORDER)
    assert set(ORDER) == set(MEASUREMENTS)
    refused = ask("latensy")
    assert refused.returncode != 0
    assert "no such measurement" in refused.stderr
