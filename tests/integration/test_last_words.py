"""What ends a daemon stands in its log: faults of this program are planted in a real one."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.processes import ROOT
from support.stations import Station, Stations, message

PLANT = """
import {module} as module
def planted(*arguments, **named):
    raise {fault}
{place} = planted
"""


@pytest.fixture
def alpha(stations: Stations) -> Station:
    """Give a station, not started, with a line to one that is not there."""
    alpha = stations.make("alpha")
    alpha.pin(stations.make("bravo"), calls=False)
    return alpha


def plant(station: Station, folder: Path, module: str, place: str, fault: str) -> None:
    """Have the station's daemon run with a fault; place begins with ``module.``."""
    text = PLANT.format(module=module, place=place, fault=fault)
    (folder / "sitecustomize.py").write_text(text)
    station.inside = ("env", f"PYTHONPATH={folder}:{ROOT}")


def test_a_fault_behind_a_commit_is_told_as_ours(alpha: Station, tmp_path: Path) -> None:
    """To read of an internal error in Trio sends the operator to somebody else's door."""
    plant(alpha, tmp_path, "hotline.line.line", "module.Line.recorded", 'KeyError("planted")')
    alpha.start()
    with alpha.client() as client:
        client.post("send", line="bravo", messages=[message("m1")])
        assert alpha.running.wait() == 1
    [told] = alpha.logged("daemon_failed", level="critical")
    assert told["exception"]["type"] == "KeyError"
    assert any("planted" in frame for frame in told["exception"]["frames"])
    said = alpha.stderr.read_text()
    assert "a fault in this program: KeyError" in said
    assert "Trio" not in said
    alpha.inside = ()
    alpha.start()
    assert [one["id"] for one in alpha.box("outbox")] == ["m1"], "it was durable"
