"""Backoff: full jitter within its bounds, and a fresh start after contact."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hotline.limits import BACKOFF_FIRST_S, BACKOFF_MAX_S
from hotline.line.backoff import Backoff


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=60))
def test_pauses_stay_within_the_growing_bound(draws: list[float]) -> None:
    """Too short, and a lost network is flooded; too long, and an operator waits for nothing."""
    backoff = Backoff(iter(draws).__next__)
    for attempt, draw in enumerate(draws):
        bound = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2.0 ** min(attempt, 100))
        assert backoff.failed() == bound * draw
        assert backoff.attempts == attempt + 1


def test_contact_starts_over() -> None:
    """The first pause after a long session must be the shortest again."""
    backoff = Backoff(lambda: 1.0)
    assert [backoff.failed() for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    backoff.contact()
    assert backoff.attempts == 0
    assert backoff.failed() == 0.5


def test_a_thousand_failures_do_not_overflow() -> None:
    """A station that was alone for a month must still be calling."""
    backoff = Backoff(lambda: 1.0)
    assert {backoff.failed() for _ in range(5000)} <= {0.5, 1, 2, 4, 8, 16, BACKOFF_MAX_S}
