"""The list of scenarios: each is a function over an arena, told apart by its name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from faults.arena import Arena

Play = Callable[[Arena], None]


@dataclass(frozen=True)
class Scenario:
    """One scenario: what it does, what it needs, and how its arena is made."""

    name: str
    about: str
    play: Play
    needs: tuple[str, ...]
    settings: dict[str, Any] = field(default_factory=dict)


SCENARIOS: Final[dict[str, Scenario]] = {}


def scenario(name: str, *needs: str, **settings: Any) -> Callable[[Play], Play]:
    """Add a function to the list; its docstring says what would go wrong without the test."""

    def add(play: Play) -> Play:
        about = (play.__doc__ or "").strip().splitlines()[0]
        SCENARIOS[name] = Scenario(name, about, play, needs, settings)
        return play

    return add
