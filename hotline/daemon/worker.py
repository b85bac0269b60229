"""Who does the store's work, apart from the event loop: a thread of its own."""

from __future__ import annotations

import contextlib
import queue
import threading
from typing import TYPE_CHECKING, Any, Protocol

import trio

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hotline.line.effects import Commit

    Item = Sequence[Commit] | Callable[[], None]
    Turn = Callable[[Item, Callable[[], Item | None]], bool]


class Worker(Protocol):
    """Takes items one after another and calls a turn for them, which never runs beside itself."""

    def start(self, turn: Turn) -> None:
        """Begin: turn(item, more) is called until it gives False; more() gives what waits, or None."""

    def put(self, item: Item) -> None:
        """Hand over an item; it never waits."""

    def call(self, function: Callable[..., None], *arguments: Any) -> None:
        """From a turn: call function on the event loop, after all that was called so before."""

    async def end(self) -> None:
        """Wait until the last turn is over."""


class StoreThread:
    """The daemon's worker: must be made inside trio."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self._token = trio.lowlevel.current_trio_token()
        self._thread: threading.Thread | None = None

    def start(self, turn: Turn) -> None:
        """Start the thread."""
        self._thread = threading.Thread(
            target=self._run, args=(turn,), name="hotline-store", daemon=True
        )
        self._thread.start()

    def put(self, item: Item) -> None:
        """Wake the thread."""
        self._queue.put(item)

    def call(self, function: Callable[..., None], *arguments: Any) -> None:
        """Cross over to the event loop."""
        # The loop may be gone: then the daemon is stopping, and nobody waits for the outcome.
        with contextlib.suppress(trio.RunFinishedError):
            self._token.run_sync_soon(function, *arguments)

    async def end(self) -> None:
        """Join the thread."""
        if self._thread is not None:
            await trio.to_thread.run_sync(self._thread.join)

    def _run(self, turn: Turn) -> None:
        while turn(self._queue.get(), self._more):
            pass

    def _more(self) -> Item | None:
        try:
            return self._queue.get_nowait()
        except queue.Empty:
            return None
