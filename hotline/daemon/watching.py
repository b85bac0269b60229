"""Operators on watch, and commands that wait: who wants to know what happens on which line."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import trio

from hotline.limits import KIB, MIB

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hotline.store.interface import Reader
    from hotline.store.views import Arrival, MessageView, Pass

_EVENTS_WAITING: Final = 4096
_NEWS_WAITING: Final = 4096
"""Runs of messages not yet read from the store for those on watch; more is a disk that crawls."""

_SPELT_OUT: Final = 64
"""Runs of which the messages themselves are kept: who is further behind has them read from the disk."""

_READ_AT_ONCE: Final = 64
"""Messages read for those on watch at a time: a FLASH that comes meanwhile waits for no more."""

_FEW: Final = 4
"""Messages that are shown with the facts of their arrival, if nothing waits to be shown before them."""

_EVENTS_AT_ONCE: Final = 32
_CHARACTERS_AT_ONCE: Final = 32 * KIB
"""Events that are sent together: what a FLASH told meanwhile may have before it."""

_CHARACTERS_WAITING: Final = 16 * MIB
"""What a watching client may be behind before it is let go: it must not make the daemon grow."""


class Watch:
    """One open watch; ``scope`` is cancelled when its client does not keep up."""

    def __init__(self, line: str | None) -> None:
        """Watch one line, or all."""
        self.line = line
        self.scope = trio.CancelScope()
        self._flashes: deque[dict[str, Any]] = deque()
        self._others: deque[dict[str, Any]] = deque()
        self._waiting_characters = 0
        self._told = trio.Event()

    def tell(self, event: dict[str, Any]) -> None:
        """Pass on an event, or end the watch if the client does not keep up."""
        (self._flashes if _is_flash(event) else self._others).append(event)
        self._waiting_characters += _characters(event)
        events = len(self._flashes) + len(self._others)
        if events > _EVENTS_WAITING or self._waiting_characters > _CHARACTERS_WAITING:
            self.let_go()
        self._told.set()

    def let_go(self) -> None:
        """End the watch, also while its client holds up the event that is being sent."""
        self._flashes.clear()
        self._others.clear()
        self._waiting_characters = 0
        self.scope.cancel()

    async def take(self) -> list[dict[str, Any]]:
        """Wait for the next events, and give a few that may be sent at once: every FLASH first."""
        while not self._flashes and not self._others:
            self._told = trio.Event()
            await self._told.wait()
        events: list[dict[str, Any]] = []
        characters = 0
        while (waiting := self._flashes or self._others) and (
            len(events) < _EVENTS_AT_ONCE and characters < _CHARACTERS_AT_ONCE
        ):
            events.append(waiting.popleft())
            characters += _characters(events[-1])
        self._waiting_characters -= characters
        return events


def _is_flash(event: dict[str, Any]) -> bool:
    message = event.get("message")
    if message is None:
        return bool(event.get("flash"))
    return bool(message.get("precedence") == "FLASH")


def _characters(event: dict[str, Any]) -> int:
    message = event.get("message")
    return len(message["body"]) if message is not None else sum(map(len, event.get("ids", ())))


class Run(NamedTuple):
    """A few messages of one line, to be shown one after another."""

    line: str
    ids: Sequence[str]
    arrivals: Sequence[Arrival]
    """All of them, or none."""
    flash: bool = False
    """Whether they are of that precedence."""


class News:
    """Messages that came and are still to be shown: every FLASH first, then in order.

    Ids are kept, and of the few newest runs what they say, as far as it is at hand.
    """

    def __init__(self) -> None:
        self._flashes: deque[Run] = deque()
        self._others: deque[Run] = deque()
        self._came = trio.Event()
        self._showing: Run | None = None
        self.overflown = False
        """Whether the last ``put`` found no place."""

    def put(
        self,
        line: str,
        ids: Sequence[str],
        flashes: Sequence[str],
        arrivals: Sequence[Arrival] = (),
    ) -> Sequence[Arrival]:
        """Note what came on a line; flashes are some of ids, arrivals what is at hand of either.

        Gives what should be shown at once: FLASHes at hand, unless another is still to be read, and a
        few others, unless anything is.
        """
        waiting = len(self._flashes) + len(self._others)
        self.overflown = waiting >= _NEWS_WAITING
        if self.overflown or not ids:
            return ()
        now: Sequence[Arrival] = ()
        at_hand = {one.id: one for one in arrivals}
        kept = at_hand if waiting < _SPELT_OUT else {}
        if flashes:
            showing = self._showing is not None and self._showing.flash
            if not (self._flashes or showing) and at_hand.keys() >= set(flashes):
                now = [at_hand[one] for one in flashes]
            else:
                self._flashes += _runs(line, flashes, kept, flash=True)
            others = set(flashes)
            ids = [one for one in ids if one not in others]
        elif (
            not waiting
            and self._showing is None
            and len(ids) <= _FEW
            and at_hand.keys() >= set(ids)
        ):
            return [at_hand[one] for one in ids]
        self._others += _runs(line, ids, kept)
        self._came.set()
        return now

    async def take(self) -> Run:
        """Wait for the next few messages to show: their line, their ids, and them if at hand."""
        self._showing = None
        # What is at hand costs no wait: others have their turn here.
        await trio.lowlevel.checkpoint()
        while not self._flashes and not self._others:
            self._came = trio.Event()
            await self._came.wait()
        self._showing = (self._flashes or self._others).popleft()
        return self._showing


def _runs(
    line: str, ids: Sequence[str], at_hand: dict[str, Arrival], *, flash: bool = False
) -> list[Run]:
    runs: list[Run] = []
    for start in range(0, len(ids), _READ_AT_ONCE):
        some = ids[start : start + _READ_AT_ONCE]
        arrivals = [at_hand[one] for one in some if one in at_hand]
        runs.append(Run(line, some, arrivals if len(arrivals) == len(some) else (), flash))
    return runs


class Watches:
    """All open watches; ``on_change`` is called whenever somebody comes on watch or leaves."""

    def __init__(self, on_change: Callable[[], None]) -> None:
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
        self._on_change()
        return watch

    def close(self, watch: Watch) -> None:
        """An operator leaves."""
        self._open.discard(watch)
        self._on_change()

    def attended(self, line: str) -> bool:
        """Tell whether anybody watches a line."""
        return any(watch.line in (None, line) for watch in self._open)

    def tell(self, line: str, event: dict[str, Any]) -> None:
        """Pass an event of line to everyone who watches it."""
        for watch in self._open:
            if watch.line in (None, line):
                watch.tell(event)

    def let_go(self) -> None:
        """End all watches: events were missed, and whoever looks on must not believe otherwise."""
        for watch in self._open:
            watch.let_go()

    def progress(self, line: str) -> trio.Event:
        """Give an event that is set when the state of any message of line may have changed."""
        return self._progress.setdefault(line, trio.Event())

    def progressed(self, line: str) -> None:
        """The state of some message of line may have changed."""
        event = self._progress.pop(line, None)
        if event is not None:
            event.set()


def shown(ids: Sequence[str], reader: Reader, passed: Pass) -> list[MessageView]:
    """Give the messages that have these ids, of any line; passed is told of what is damaged."""
    return [view for identifier in ids for view in reader.show(identifier, passed)]
