"""docs/performance.md, whose tables are what was measured last: refreshed between two marks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from bench import table

BEGIN: Final = "<!-- figures: made by make bench ARGS=--docs -->"
END: Final = "<!-- end of figures -->"


def refresh(docs: Path, result: dict[str, Any]) -> None:
    """Write the figures into the page, and keep them beside it as JSON."""
    (docs / "performance").mkdir(exist_ok=True)
    (docs / "performance" / "figures.json").write_text(json.dumps(result, indent=1) + "\n")
    path = docs / "performance.md"
    path.write_text(refreshed(path.read_text(), result))


def refreshed(text: str, result: dict[str, Any]) -> str:
    """Give the page with other figures between the marks; raises ValueError without them."""
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no {BEGIN!r} with {END!r} behind it")
    return f"{head}{BEGIN}\n\n{table.markdown(result)}\n\n{END}{tail}"
