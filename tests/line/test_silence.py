"""Whose fault a silence is, second by second: heard at 100 s, a heartbeat every 5 s."""

from __future__ import annotations

import pytest

from hotline.line.silence import Silence

HEARD_AT = 100.0
INTERVAL_S = 5.0


@pytest.mark.parametrize(
    ("told", "believed"),
    [
        ({106: True, 110: True, 115: True}, [True, True, True]),
        ({106: False, 110: False, 115: False}, [False, False, False]),
        ({106: None, 110: None}, [None, None]),
        # The network comes back, and our kernel's repetitions are answered first.
        (
            {106: False, 110: False, 111: True, 119: True, 120: True},
            [False, False, None, None, True],
        ),
        # Something was on its way when we looked, and the peer is stalled.
        ({106: False, 107: True, 111: True}, [False, True, True]),
    ],
)
def test_an_answer_is_believed_where_it_can_tell(
    told: dict[int, bool | None], believed: list[bool | None]
) -> None:
    """A reason that is not true sends people to the wrong place."""
    answers = iter(told.values())
    blame = Silence(lambda: next(answers))
    found = []
    for now in range(100, 121):
        blame.look(now, INTERVAL_S)
        if now in told:
            found.append(blame.took_all(now, HEARD_AT, INTERVAL_S))
    assert found == believed


@pytest.mark.parametrize("took", [True, False])
def test_who_looked_away_looks_for_a_heartbeat_before_it_blames(took: bool) -> None:
    """A process that stood still hears nobody, and that is nobody's fault but its own."""
    blame = Silence(lambda: took)
    blame.look(HEARD_AT, INTERVAL_S)
    blame.look(160.0, INTERVAL_S)
    assert blame.took_all(160.0, HEARD_AT, INTERVAL_S) is None
    blame.look(164.0, INTERVAL_S)
    assert blame.took_all(164.0, HEARD_AT, INTERVAL_S) is None
    blame.look(165.0, INTERVAL_S)
    assert blame.took_all(165.0, 159.0, INTERVAL_S) is took


def test_another_silence_begins_anew() -> None:
    """A cut of an hour ago says nothing of now."""
    answers = iter([False, False, True])
    blame = Silence(lambda: next(answers))
    assert [blame.took_all(now, HEARD_AT, INTERVAL_S) for now in (106.0, 112.0)] == [False, False]
    assert blame.took_all(119.0, 113.0, INTERVAL_S) is True
