"""Who is knocking: tells a line's peer from anyone else by one unit, before any public-key work."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from hotline.limits import REPLAYS_REMEMBERED
from hotline.wire import handshake

if TYPE_CHECKING:
    from hotline.line.line import Line


class Door:
    """All lines that may be called, and the first units that were played to us before."""

    def __init__(self) -> None:
        """Let nobody in yet."""
        self._lines: dict[str, Line] = {}
        self._seen: dict[str, OrderedDict[bytes, None]] = {}

    def add(self, line: Line) -> None:
        """Let a line's peer in."""
        self._lines[line.record.name] = line
        self._seen.setdefault(line.record.name, OrderedDict())

    def remove(self, name: str) -> None:
        """Let a line's peer in no longer."""
        self._lines.pop(name, None)

    def identify(self, unit: bytes) -> Line | None:
        """Give the line that a first unit (4096 bytes) is for; None for a stranger.

        Also None for a unit that came before: whoever recorded it could otherwise make this station
        answer, and so learn that it is here. The memory is bounded and does not outlive the daemon;
        a replay beyond it gets one answer that it cannot read, and no further.
        """
        for line in self._lines.values():
            if line.pairing.called_by(unit) is not None:
                return line if self._is_new(line.record.name, unit) else None
        return None

    def _is_new(self, name: str, unit: bytes) -> bool:
        seen = self._seen[name]
        mark = handshake.fingerprint(unit)
        if mark in seen:
            return False
        seen[mark] = None
        if len(seen) > REPLAYS_REMEMBERED:
            seen.popitem(last=False)
        return True
