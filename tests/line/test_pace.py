"""How fast a line delivers: what an operator plans by while a backlog drains."""

from __future__ import annotations

from hotline.line.pace import Pace


def test_a_steady_line_has_its_rate() -> None:
    """An estimate made of one burst or of the whole day would be wrong at every moment between."""
    pace = Pace()
    for tenth in range(300):
        pace.delivered(5, 100.0 + tenth / 10)
    rate = pace.a_second(130.0)
    assert rate is not None
    assert 47 < rate < 53


def test_a_line_that_has_stopped_has_none() -> None:
    """A rate that lingers would promise an end that does not come."""
    pace = Pace()
    assert pace.a_second(1.0) is None
    pace.delivered(1000, 10.0)
    pace.delivered(1000, 11.0)
    assert pace.a_second(11.0) is not None
    assert pace.a_second(22.0) is None


def test_a_line_that_begins_again_is_not_measured_from_the_morning() -> None:
    """An hour of silence before a burst is no part of its rate."""
    pace = Pace()
    pace.delivered(10, 10.0)
    pace.delivered(0, 3600.0)
    assert pace.a_second(3600.0) is None
    pace.delivered(100, 3600.0)
    pace.delivered(100, 3601.0)
    rate = pace.a_second(3601.0)
    assert rate is not None
    assert rate >= 190


def test_it_holds_little_however_busy_the_line() -> None:
    """A mark for every receipt of a busy day would be memory that grows."""
    pace = Pace()
    for step in range(20_000):
        pace.delivered(1, step / 1000)
    assert len(pace._marks) < 50
