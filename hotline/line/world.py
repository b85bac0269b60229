"""What a line takes from outside beside time: the rest of the one law."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from hotline.noise.ephemerals import Ephemerals


@dataclass(frozen=True, slots=True)
class World:
    """What a line may ask beside effects; a simulator gives its own."""

    ephemerals: Ephemerals
    uniform: Callable[[], float]
    """A float in 0..1, for jitter."""
    kernel_took_all: Callable[[int], bool | None]
    """Whether the peer's kernel has acknowledged all bytes of a connection; None: not known."""
    has_room: Callable[[], bool]
    """Whether the disk has room for what the peer sends, beside what acknowledging it takes."""
