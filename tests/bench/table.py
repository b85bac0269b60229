"""The figures as one table, for a terminal and for the page."""

from __future__ import annotations

from typing import Any, Final

HEADINGS: Final = ("figure", "median", "spread", "floor", "ratio", "reach for", "")

_WIDTH: Final = 64


def quantity(value: float | None, unit: str) -> str:
    """Give a number as a person reads it."""
    if value is None:
        return "-"
    if unit == "s":
        for factor, name in ((1, "s"), (1e3, "ms"), (1e6, "us")):
            if value * factor >= 1 or name == "us":
                return f"{value * factor:.3g} {name}"
    if unit == "of a core":
        return f"{100 * value:.2g} %"
    if unit == "KiB":
        return f"{value / 1024:.1f} MiB" if value >= 1024 else f"{value:.0f} KiB"
    if unit == "x":
        return f"{value:.2f} x"
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"


def cells(figure: dict[str, Any]) -> tuple[str, ...]:
    """Give one row."""
    unit = figure["unit"]
    if figure["median"] is None:
        return (figure["what"], "-", "-", "-", "-", figure["reach"] or "", "")
    low, high = (quantity(figure[end], unit) for end in ("low", "high"))
    word = {True: "yes", False: "NO", None: ""}[figure["met"]]
    return (
        figure["what"],
        quantity(figure["median"], unit),
        f"{low} .. {high}" if len(figure["runs"]) > 1 else "one run",
        quantity(figure["floor"], unit),
        "-" if figure["ratio"] is None else f"{figure['ratio']:.2f}",
        figure["reach"] or "",
        word,
    )


def line(figure: dict[str, Any]) -> str:
    """Give one figure as one line, while others are still being measured."""
    what, median, spread, floor, ratio, reach, met = cells(figure)
    told = f"{what}: {median} ({spread})"
    if floor != "-":
        told += f", floor {floor}, ratio {ratio}"
    if reach:
        told += f"; {reach}: {met or 'not measured'}"
    return "; ".join([told, *figure["notes"]])


def text(result: dict[str, Any]) -> str:
    """Give the whole table, for a terminal."""
    rows = [HEADINGS, *map(cells, result["figures"])]
    rows = [(row[0][:_WIDTH], *row[1:]) for row in rows]
    widths = [max(len(row[n]) for row in rows) for n in range(len(HEADINGS))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    notes = [f"{one['name']}: {note}" for one in result["figures"] for note in one["notes"]]
    return "\n".join([*lines, *notes, "", where(result)])


def markdown(result: dict[str, Any]) -> str:
    """Give the whole table, for the page."""
    rows = [HEADINGS, ("---",) * len(HEADINGS), *map(cells, result["figures"])]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    floors = sorted({one["floor_is"] for one in result["figures"] if one["floor_is"]})
    notes = [f"- {one['name']}: {note}" for one in result["figures"] for note in one["notes"]]
    told = ["", *notes, ""] if notes else [""]
    return "\n".join([*lines, *told, f"Floors: {'; '.join(floors)}.", "", where(result)])


def where(result: dict[str, Any]) -> str:
    """Say where and when it was measured."""
    of = result["machine"]
    return (
        f"Measured {of['at']} on {of['cores']} cores of {of['processor']}, Linux {of['kernel']},"
        f" Python {of['python']}, SQLite {of['sqlite']}, load {of['load']} after,"
        f" sizes {result['scale']}, {result['seconds']:.0f} s in all."
    )
