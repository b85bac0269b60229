"""Who is knocking: tells a line's peer from anyone else by one unit, before any public-key work."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from hotline.limits import REPLAYS_REMEMBERED
from hotline.wire import handshake

if TYPE_CHECKING:
    from hotline.line.line import Line


class Door:
    """All lines that may be called, and the first units by which their peers have called."""

    def __init__(self) -> None:
        """Let nobody in yet."""
        self._lines: dict[str, Line] = {}
        self._seen: dict[bytes, OrderedDict[bytes, None]] = {}
        """By the lines' psk, which is made of both cards and the secret: a name may change."""

    def add(self, line: Line) -> None:
        """Let a line's peer in."""
        self._lines[line.record.name] = line
        self._seen.setdefault(line.pairing.psk, OrderedDict())

    def remove(self, name: str) -> None:
        """Let a line's peer in no longer."""
        self._lines.pop(name, None)

    def identify(self, unit: bytes) -> Line | None:
        """Give the line that a first unit (4096 bytes) is for; None for a stranger.

        Also None for a unit that is remembered: whoever recorded it could otherwise make this station
        answer, and so learn that it is here.
        """
        for line in self._lines.values():
            if line.pairing.called_by(unit) is not None:
                seen = self._seen[line.pairing.psk]
                return None if handshake.fingerprint(unit) in seen else line
        return None

    def remember(self, line: Line, unit: bytes) -> None:
        """Take a first unit that line found genuine for a stranger's from now on.

        Should be called before anything else is identified, so that no copy comes in between. Only
        what verified is kept: junk with a right mac, which both cards are enough to make, would wash
        it out. The memory is bounded and does not outlive the daemon; a replay beyond it gets one
        answer that it cannot read, and no further.
        """
        seen = self._seen[line.pairing.psk]
        seen[handshake.fingerprint(unit)] = None
        if len(seen) > REPLAYS_REMEMBERED:
            seen.popitem(last=False)
