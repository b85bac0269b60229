"""Writes down, a moment later and on a thread of its own, what was told in a hurry.

A log line costs more to spell than a signature to make, and while a message passes through it would be
spelled in its way. So whoever logs only leaves what is to be done; the order is kept.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

LINGER_S: Final = 0.02
"""How much later a line is written than it was told."""

WAITING: Final = 4096
"""Lines that may wait; who tells more writes them down there and then, so that memory is bounded."""


class LogQueue:
    """A queue of things to do and a thread that does them; none of them may wait or raise."""

    def __init__(self) -> None:
        """Start the thread."""
        self._told: deque[Callable[[], None]] = deque()
        self._writing = threading.Lock()
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._resting = True
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def tell(self, write: Callable[[], None]) -> None:
        """Have write called soon, after all that was told before; never raises."""
        self._told.append(write)
        if self._closing.is_set() or len(self._told) > WAITING:
            self._write()
        elif self._resting:
            self._resting = False
            self._bell.put(None)

    def close(self) -> None:
        """Write down what waits; what is told later is written at once."""
        self._closing.set()
        self._bell.put(None)
        self._write()

    def _run(self) -> None:
        while not self._closing.is_set():
            self._bell.get()
            # Whoever was just told of is still at work: let it have the interpreter.
            self._closing.wait(LINGER_S)
            self._resting = True  # before the last look, so that nothing told after it is left
            self._write()

    def _write(self) -> None:
        with self._writing:
            while self._told:
                self._told.popleft()()
