"""Operators on watch, and commands that wait: who wants to know what happens on which line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import trio

if TYPE_CHECKING:
    from collections.abc import Callable

_EVENTS_WAITING: Final = 4096
"""Events a watching client may be behind before it is let go: it must not make the daemon grow."""


class Watch:
    """One open watch: events come out of ``events``, which ends when the client is too slow."""

    def __init__(self, line: str | None) -> None:
        """Watch one line, or all."""
        self.line = line
        self._send, self.events = trio.open_memory_channel[dict[str, Any]](_EVENTS_WAITING)

    def tell(self, event: dict[str, Any]) -> None:
        """Pass on an event, or end the watch if the client does not keep up."""
        try:
            self._send.send_nowait(event)
        except (trio.WouldBlock, trio.BrokenResourceError):
            self._send.close()
        except trio.ClosedResourceError:
            pass


class Watches:
    """All open watches; ``on_change`` is told whenever somebody comes on watch or the last leaves."""

    def __init__(self, on_change: Callable[[bool], None]) -> None:
        """Start with nobody on watch."""
        self._on_change = on_change
        self._open: set[Watch] = set()
        self._progress: dict[str, trio.Event] = {}

    def __len__(self) -> int:
        return len(self._open)

    def open(self, line: str | None) -> Watch:
        """An operator comes on watch."""
        watch = Watch(line)
        self._open.add(watch)
        self._on_change(True)
        return watch

    def close(self, watch: Watch) -> None:
        """An operator leaves."""
        self._open.discard(watch)
        if not self._open:
            self._on_change(False)

    def tell(self, line: str, event: dict[str, Any]) -> None:
        """Pass an event of line to everyone who watches it."""
        for watch in self._open:
            if watch.line in (None, line):
                watch.tell(event)

    def progress(self, line: str) -> trio.Event:
        """Give an event that is set when the state of any message of line may have changed."""
        return self._progress.setdefault(line, trio.Event())

    def progressed(self, line: str) -> None:
        """The state of some message of line may have changed."""
        event = self._progress.pop(line, None)
        if event is not None:
            event.set()
