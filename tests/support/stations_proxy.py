"""A network between two stations that a test can record, stall, damage and cut."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Callable
from typing import Final

_CHUNK_BYTES: Final = 64 * 1024

Alter = Callable[[bytes], bytes]


class Proxy:
    """Takes connections at ``port`` and passes bytes on to a port of this machine, both ways.

    ``upstream`` is all that callers have sent, a list of chunks for each connection.
    """

    def __init__(self, target_port: int, port: int = 0) -> None:
        """Listen, at a port that is free or held for us."""
        self._target_port = target_port
        self._flowing = threading.Event()
        self._flowing.set()
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._alter: Alter | None = None
        self._cut_after_bytes: int | None = None
        self.upstream: list[list[bytes]] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", port))
        self._listener.listen()
        self.port: int = self._listener.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self._run(self._accept)

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- what a test does to the network ---

    def stall(self) -> None:
        """Pass nothing on any more, without a word."""
        self._flowing.clear()

    def flow(self) -> None:
        """Pass everything on again."""
        self._flowing.set()

    def cut(self) -> int:
        """End every connection on both sides; gives how many there were."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for sock in pair:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
        return len(pairs)

    def cut_each_after(self, most_bytes: int | None) -> None:
        """End each connection, from now on, once its caller has sent more than so many bytes."""
        self._cut_after_bytes = most_bytes

    def alter_next(self, alter: Alter) -> None:
        """Pass the next chunk that a caller sends through alter."""
        self._alter = alter

    @property
    def altered(self) -> bool:
        """Tell whether that has happened."""
        return self._alter is None

    def close(self) -> None:
        """End everything."""
        self._closing.set()
        self._flowing.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self.cut()
        for thread in self._threads:
            thread.join()
        self._listener.close()

    # --- the pumps ---

    def _run(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.socket()
            try:
                far.connect(("127.0.0.1", self._target_port))
            except OSError:
                far.close()
                near.close()
                continue
            record: list[bytes] = []
            self.upstream.append(record)
            with self._lock:
                self._pairs.append((near, far))
            if self._closing.is_set():
                self.cut()
            self._run(self._serve, near, far, record)

    def _serve(self, near: socket.socket, far: socket.socket, record: list[bytes]) -> None:
        with near, far:
            back = threading.Thread(target=self._pump, args=(far, near, None), daemon=True)
            back.start()
            self._pump(near, far, record)
            back.join()

    def _pump(self, source: socket.socket, sink: socket.socket, record: list[bytes] | None) -> None:
        with contextlib.suppress(OSError):
            while True:
                select.select([source], [], [])
                self._flowing.wait()
                data = source.recv(_CHUNK_BYTES)
                if not data:
                    break
                if record is not None:
                    record.append(data)
                    alter, self._alter = self._alter, None
                    data = alter(data) if alter is not None else data
                    most = self._cut_after_bytes
                    if most is not None and sum(map(len, record)) > most:
                        break
                sink.sendall(data)
        for sock in (source, sink):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
