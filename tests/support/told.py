"""What a line tells its logs, held to what docs/operations.md promises to whoever reads them."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hotline.line.effects import Report

_OPERATIONS: Final = Path(__file__).resolve().parents[2] / "docs" / "operations.md"
_ROW: Final = re.compile(r"^\| `(\w+)` \| (`[^|]*`) \|", re.MULTILINE)

_LEVELS: Final = frozenset({"debug", "info", "warning", "error"})

_MAY_BE_NULL: Final = frozenset(
    {("heartbeat", field) for field in ("number", "rtt_ms", "clock_offset_ms", "missed")}
)
"""Fields that say nothing while no session stands."""


@cache
def _promised() -> dict[str, frozenset[str]]:
    """Give each event's fields."""
    text = _OPERATIONS.read_text()
    events = text[text.index("\n### Events") :]
    return {
        name: frozenset(re.findall(r"`(\w+)`", fields))
        for name, fields in _ROW.findall(events[: events.index("\n##", 1)])
    }


def check_told(report: Report) -> None:
    """Raise AssertionError unless a report is an event of the guide, with its fields and no other."""
    assert report.event in _promised(), f"{report.event} is no event of the guide"
    assert set(report.fields) == _promised()[report.event], report
    assert report.level in _LEVELS, report
    for name, value in report.fields.items():
        said = value is not None and value != "None"
        assert said or (report.event, name) in _MAY_BE_NULL, f"{report.event} says no {name}"
