"""The heartbeat log as a table, in which no name is cut and no reason is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hotline.cli import columns
from hotline.cli.rendering import word
from hotline.cli.terminal import display_columns, paint
from hotline.text import duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Beat = dict[str, Any]

_HEADINGS: Final = ("TIME", "LINE", "STATE", "RTT", "MISSED")
_WIDTHS: Final = (20, 0, 8, 7, 6)
"""Fixed, since a followed log has no last row to measure; the LINE column is as wide as its names."""

_STATE: Final = 2
_GAP: Final = "  "

_REASON_LEAST: Final = 18
"""Columns that every reason fits in. Where the names leave less, MISSED and REASON stand below."""

_BELOW: Final = _WIDTHS[0] + len(_GAP)
"""Where they stand: under LINE."""

_LONGEST_MS: Final = 10**12
"""Thirty years: whatever is longer was never measured."""


class Table:
    """Rows for heartbeats and changes of state, one after the other."""

    def __init__(self, names: Iterable[str]) -> None:
        """Leave room for the names of lines that are to be shown."""
        longest = max((columns.width(name) for name in names), default=0)
        self._widths = [*_WIDTHS]
        self._widths[1] = max(len("LINE"), min(columns.NAME_MOST, longest))
        before = sum(self._widths) + len(_GAP) * len(self._widths)
        total = display_columns()
        self._below = total - before < _REASON_LEAST
        self._indent = _BELOW + _WIDTHS[-1] + len(_GAP) if self._below else before
        self._room = total - self._indent

    def heading(self) -> Iterator[str]:
        """Give the first rows."""
        for row in self._laid_out(_HEADINGS, ["REASON"]):
            yield paint(row, "heading")

    def rows(self, beat: Beat) -> Iterator[str]:
        """Give the rows of one line of the log: more than one where the reason is long."""
        cells = (
            _second(word(beat, "timestamp")),
            word(beat, "line"),
            word(beat, "state"),
            _round_trip(beat.get("rtt_ms")),
            word(beat, "missed"),
        )
        return self._laid_out(cells, _remark(beat))

    def _laid_out(self, cells: tuple[str, ...], remark: list[str]) -> Iterator[str]:
        padded = [columns.pad(cell, width) for cell, width in zip(cells, self._widths, strict=True)]
        # A line that was renamed, or has come since: its row is out of line, and its name is whole.
        name = columns.fit(cells[1], columns.NAME_MOST)
        padded[1] = columns.pad(name, max(self._widths[1], columns.width(name)))
        padded[_STATE] = paint(padded[_STATE], cells[_STATE])
        whole = " ".join(remark)
        fits = columns.width(whole) <= self._room
        pieces = [whole] if fits else remark
        first, *rest = [row for piece in pieces for row in columns.fill(piece, self._room)]
        if self._below:
            yield _GAP.join(padded[:-1]).rstrip()
            yield " " * _BELOW + _GAP.join([padded[-1], first])
        else:
            yield _GAP.join([*padded, first])
        for more in rest:
            yield " " * self._indent + more


def _round_trip(rtt_ms: object) -> str:
    # Compared before it is divided: a whole number may be too long to be made a float.
    if isinstance(rtt_ms, bool) or not isinstance(rtt_ms, int | float) or abs(rtt_ms) > _LONGEST_MS:
        return "-"
    return duration(rtt_ms / 1000)


def _remark(beat: Beat) -> list[str]:
    """Say why the line stands so; a change says what it was, and the log's own notes their name."""
    event = beat.get("event")
    if event == "heartbeat":
        return [word(beat, "reason")]
    if event == "line_state":
        return [word(beat, "reason"), f"(was {word(beat, 'was')})"]
    return [word(beat, "event")]


def _second(timestamp: str) -> str:
    """Leave out the fraction of a second; ``--json`` has it."""
    head, dot, _ = timestamp.partition(".")
    return head + "Z" if dot else timestamp
