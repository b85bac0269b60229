"""Those who call a station and are not its peer: many at once, each held open, and coming again.

What they keep up lasts as long as a test looks, on however slow a machine.
"""

from __future__ import annotations

import contextlib
import itertools
import selectors
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Final

_CONNECT_S: Final = 30.0
_CHUNK_BYTES: Final = 65536


class Callers:
    """Connections to a port of this machine, each of which begins with ``first()``."""

    def __init__(
        self, port: int, first: Callable[[], bytes] = bytes, sources: Sequence[str] = ("127.0.0.1",)
    ) -> None:
        """Call nobody yet; sources are the addresses to call from, in turn."""
        self.came = 0
        self.answered = 0
        self._port = port
        self._first = first
        self._sources = itertools.cycle(sources)
        self._selector = selectors.DefaultSelector()
        self._answered: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._leaving = threading.Event()
        self._thread: threading.Thread | None = None
        self._fault: BaseException | None = None

    def __enter__(self) -> Callers:
        return self

    def __exit__(self, *_: object) -> None:
        self._leaving.set()
        if self._thread is not None:
            self._thread.join()
        for key in list(self._selector.get_map().values()):
            self._drop(key.fileobj)  # type: ignore[arg-type]
        self._selector.close()
        if self._fault is not None:
            raise self._fault

    def call(self, count: int = 1) -> None:
        """Let so many more come."""
        for _ in range(count):
            source = (next(self._sources), 0)
            address = ("127.0.0.1", self._port)
            caller = socket.create_connection(address, _CONNECT_S, source_address=source)
            with contextlib.suppress(OSError):  # it had to yield already
                caller.sendall(self._first())
            with self._lock:
                self._selector.register(caller, selectors.EVENT_READ)
                self.came += 1

    def keep_coming(self, every_s: float) -> None:
        """Let one more come again and again, until the end."""
        self._thread = threading.Thread(target=self._come, args=(every_s,), daemon=True)
        self._thread.start()

    def _come(self, every_s: float) -> None:
        try:
            while not self._leaving.wait(every_s):
                self.call()
                self.held()
        except BaseException as error:  # noqa: BLE001 - it is raised at the end
            self._fault = error

    def drip(self, each: int) -> None:
        """Have every so many-th of those who are held say one more byte."""
        with self._lock:
            for key in list(self._selector.get_map().values())[::each]:
                with contextlib.suppress(OSError):
                    key.fileobj.send(b"\x16")  # type: ignore[union-attr]

    def held(self) -> int:
        """Count those who have not been hung up on, once what came has been read."""
        with self._lock:
            for key, _ in self._selector.select(0):
                self._hear(key.fileobj)  # type: ignore[arg-type]
            return len(self._selector.get_map())

    def _hear(self, caller: socket.socket) -> None:
        with contextlib.suppress(ConnectionResetError):
            if caller.recv(_CHUNK_BYTES):
                self.answered += caller not in self._answered
                self._answered.add(caller)
                return
        self._drop(caller)

    def _drop(self, caller: socket.socket) -> None:
        self._selector.unregister(caller)
        self._answered.discard(caller)
        caller.close()
