"""The figures of a run as a Markdown table, for the page that tells of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from faults.arena import Figures, spread

_HEAD = ("scenario", "the fault fired", "accepted", "delivered", "lost", "twice", "unknown")
_TAIL = ("detected", "back", "seconds", "more")


@dataclass(frozen=True)
class Row:
    """One scenario's outcome."""

    name: str
    figures: Figures


def write(path: Path, rows: list[Row]) -> None:
    """Write a table of rows, and the states that were seen under it."""
    lines = [_line(_HEAD + _TAIL), _line(("---",) * len(_HEAD + _TAIL))]
    lines += [_row(row) for row in rows]
    lines += ["", "States seen, with reasons, and in how many samples:", ""]
    lines += [f"- {row.name}: {'; '.join(row.figures.seen)}" for row in rows if row.figures.seen]
    path.write_text("\n".join(lines) + "\n")


def _row(row: Row) -> str:
    figures, account = row.figures, row.figures.account
    outcome = row.name if not figures.problems else f"**{row.name}: {'; '.join(figures.problems)}**"
    counts = (account.accepted, account.delivered, account.lost, account.duplicate, account.unknown)
    return _line(
        (
            outcome,
            ", ".join(figures.fired),
            *(str(count) for count in counts),
            spread(figures.detected_s),
            spread(figures.recovered_s),
            f"{figures.seconds:.0f}",
            "; ".join(figures.notes),
        )
    )


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cells) + " |"
