"""Writes the vectors of docs/protocol.md: ``make vectors``.

Each module beside this one that has a ``make`` is a topic: its name is the file's, its first line
says what is in it, and what ``make`` gives is written as JSON, as ``fixed.spelled`` says. To add a
topic, add a module; `tests/test_vectors.py` then holds the committed file to it, and wants a reader.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Final

from support.vectors.fixed import mapped

HERE: Final = Path(__file__).resolve().parent
FOLDER: Final = HERE.parent.parent / "vectors"


def topics() -> list[str]:
    """Give the names of all topics."""
    helpers = {"__init__", "fixed", "make"}
    return sorted(path.stem for path in HERE.glob("*.py") if path.stem not in helpers)


def rendered(topic: str) -> str:
    """Give the text of a topic's file."""
    module = importlib.import_module(f"support.vectors.{topic}")
    about = str(module.__doc__).splitlines()[0]
    return json.dumps({"about": about, **mapped(module.make())}, indent=1, ensure_ascii=True) + "\n"


def main() -> None:
    """Write every topic's file."""
    FOLDER.mkdir(exist_ok=True)
    for topic in topics():
        path = FOLDER / f"{topic}.json"
        path.write_text(rendered(topic))
        print(path.name)


if __name__ == "__main__":
    main()
