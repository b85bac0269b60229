"""What the operator sees: complaints, colour, tables, progress. Everything shown is safe text."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any, Final, TextIO

from hotline.cli import columns, output
from hotline.text import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

TABLE_COLUMNS: Final = 80
"""Every table fits this; a wider terminal is used, a narrower one wraps."""

PROGRESS_S: Final = 0.1
"""Progress is redrawn no more often: a terminal is slower than the daemon."""

STYLES: Final = {
    "FLASH": "1;37;41",
    "IMMEDIATE": "1;31",
    "PRIORITY": "1",
    "up": "32",
    "degraded": "33",
    "down": "31",
    "halted": "1;37;41",
    "expired": "31",
    "cancelled": "31",
    "heading": "1",
    "faint": "2",
}
"""Words that stand out, and how (ECMA-48 "select graphic rendition")."""


def complain(message: str, hint: str = "") -> None:
    """Say on stderr what went wrong and what to do."""
    aside(f"hotline: {one_line(message)}")
    if hint:
        advise(hint)


def advise(hint: str) -> None:
    """Say on stderr what to do."""
    aside(f"hint: {one_line(hint)}")


def aside(text: str) -> None:
    """Say safe text on stderr. That it cannot be written there ends nothing: the exit code tells."""
    try:
        print(text, file=sys.stderr)
    except BrokenPipeError:
        raise
    except OSError:
        output.abandon(sys.stderr)


def print_json(value: dict[str, Any]) -> None:
    """Print one object as one line; all but ASCII is escaped, so a terminal is safe with it too."""
    print(json.dumps(value, ensure_ascii=True, separators=(",", ":")))


def display_columns(stream: TextIO | None = None) -> int:
    """Give the columns to lay out for: 80, or the terminal's if it has more."""
    stream = stream or sys.stdout
    if not stream.isatty():
        return TABLE_COLUMNS
    try:
        return max(TABLE_COLUMNS, os.get_terminal_size(stream.fileno()).columns)
    except OSError:
        return TABLE_COLUMNS


def wrap_columns() -> int | None:
    """Give the columns at which the terminal on stdout breaks a line; None if there is none."""
    if not sys.stdout.isatty():
        return None
    try:
        return max(20, os.get_terminal_size(sys.stdout.fileno()).columns)
    except OSError:
        return TABLE_COLUMNS


def paint(text: str, style: str) -> str:
    """Give text in a style of STYLES, if stdout is a terminal and colour is wanted."""
    code = STYLES.get(style)
    if code is None or not _coloured():
        return text
    return f"\x1b[{code}m{text}\x1b[0m"


def _coloured() -> bool:
    # https://no-color.org: present and not empty means no, whatever it says.
    return (
        sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    )


def table(rows: Sequence[Sequence[str]], most: Sequence[int]) -> list[str]:
    """Lay rows out in aligned columns, each at most as wide as ``most`` says.

    The first row is the heading. A cell whose text is a word of STYLES is shown in that style.
    """
    lines = []
    wide = widths(rows, most)
    for number, row in enumerate(rows):
        cells = [
            paint(columns.pad(cell, width), "heading" if number == 0 else cell)
            for cell, width in zip(row, wide, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def widths(rows: Sequence[Sequence[str]], most: Sequence[int]) -> list[int]:
    """Give the width of each of the first columns: that of its widest cell, or ``most``."""
    return [
        min(limit, max(columns.width(row[index]) for row in rows))
        for index, limit in enumerate(most)
    ]


class Progress:
    """One line of stderr, redrawn in place; on anything but a terminal it shows nothing."""

    def __init__(self) -> None:
        self._stream = sys.stderr
        self.active = self._stream.isatty()
        self._drawn = False
        self._next_s = 0.0

    def show(self, text: str, *, at_once: bool = False) -> None:
        """Redraw the line, unless it was redrawn a moment ago and at_once is not asked."""
        now_s = time.monotonic()
        if not self.active or (now_s < self._next_s and not at_once):
            return
        self._next_s = now_s + PROGRESS_S
        self._drawn = True
        fitted = columns.fit(one_line(text), display_columns(self._stream) - 1)
        print(f"\r\x1b[K{fitted}", end="", file=self._stream, flush=True)

    def clear(self) -> None:
        """Take the line away, so that other words can stand there."""
        if self._drawn:
            self._drawn = False
            print("\r\x1b[K", end="", file=self._stream, flush=True)
