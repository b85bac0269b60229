"""The schema, as the steps that lead to it: step n is ``000n-*.sql``, and is never edited again.

A fresh store takes every step too, so there is one truth and no second schema that could drift.
"""

from __future__ import annotations

from importlib import resources


def steps() -> list[str]:
    """Give the SQL of every step, in order; a store that took n of them has ``user_version`` n."""
    files = [file for file in resources.files(__name__).iterdir() if file.name.endswith(".sql")]
    return [file.read_text(encoding="utf-8") for file in sorted(files, key=lambda file: file.name)]
