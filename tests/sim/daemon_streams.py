"""Sockets for a daemon in a simulated world: a connection of network.py, as trio's streams look."""

from __future__ import annotations

import errno
import math
import os
import struct
from collections import deque
from typing import TYPE_CHECKING, Any

import trio
import trio.testing

if TYPE_CHECKING:
    from sim.daemon_station import WatchedRunner
    from sim.network import End

_PIECE_BYTES = 64 * 1024


class _NoSocket:
    """What takes the place of a socket's descriptor."""

    def fileno(self) -> int:
        raise OSError(errno.EBADF, "there is no kernel here to ask")


class SimStream(_NoSocket, trio.abc.HalfCloseableStream):
    """A TCP connection."""

    def __init__(self, end: End, send_buffer: int) -> None:
        self.end = end
        self.socket = self
        self.runner: WatchedRunner | None = None
        self._room_bytes = send_buffer
        self._got: deque[bytes] = deque()
        self._how = ""
        self._closed = False
        self._changed = trio.Event()
        end.on_data = self._arrived
        end.on_end = self._ended
        end.on_room = self._wake

    # --- from the network ---

    def _wake(self) -> None:
        # Who reads and who writes may both wait for it.
        changed, self._changed = self._changed, trio.Event()
        changed.set()

    def _arrived(self, data: bytes) -> None:
        self._got.append(data)
        self._wake()

    def _ended(self, how: str) -> None:
        self._how = how
        self._wake()

    async def _change(self) -> None:
        await self._changed.wait()

    # --- what the daemon uses ---

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        await trio.lowlevel.checkpoint()
        while not self._got:
            if self._closed:
                raise trio.ClosedResourceError
            if self._how == "truncated":
                return b""
            if self._how:
                raise trio.BrokenResourceError
            await self._change()
        data = self._got.popleft()
        if max_bytes is not None and len(data) > max_bytes:
            self._got.appendleft(data[max_bytes:])
            data = data[:max_bytes]
        if self.runner is not None and not (self.end.spliced or self.end.tampered):
            self.runner.heard()
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.lowlevel.checkpoint()
        rest = bytes(data)
        while rest:
            self._check_sending()
            if self.end.out.queued_bytes >= self._room_bytes:
                await self._change()
                continue
            self.end.out.put(rest[:_PIECE_BYTES])
            rest = rest[_PIECE_BYTES:]

    def _check_sending(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError
        if not self.end.open:
            raise trio.BrokenResourceError

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def send_eof(self) -> None:
        await trio.lowlevel.checkpoint()
        self._check_sending()

    async def aclose(self) -> None:
        self._closed = True
        self.end.close()
        self._wake()
        await trio.lowlevel.checkpoint()

    def getpeername(self) -> tuple[str, int]:
        return self.end.other.host, 1

    def setsockopt(self, *_: Any) -> None:
        raise OSError(errno.ENOPROTOOPT, "there is no kernel here to tell")


class PatientListener(trio.abc.Listener[Any]):
    """A listening socket: what is put in comes out, but for an OSError, which is raised."""

    def __init__(self) -> None:
        self._put, self._waiting = trio.open_memory_channel[Any](math.inf)
        self.open = True

    def put(self, item: Any) -> None:
        """Let a connection, or an error, wait here."""
        self._put.send_nowait(item)

    async def accept(self) -> Any:
        item = await self._waiting.receive()
        if isinstance(item, OSError):
            raise item
        return item

    async def aclose(self) -> None:
        self.open = False
        while True:
            try:
                item = self._waiting.receive_nowait()
            except trio.WouldBlock:
                break
            if isinstance(item, SimStream):
                item.end.close()
        await trio.lowlevel.checkpoint()


def _who_calls(*_: Any) -> bytes:
    return struct.pack("3i", os.getpid(), os.geteuid(), os.getegid())


def desk() -> tuple[Any, Any]:
    """Give the daemon's end and the operator's end of a connection on one host.

    Nothing is sent that the other end does not read.
    """
    ours, theirs = trio.testing.lockstep_stream_pair()
    ours.getsockopt = _who_calls  # type: ignore[attr-defined]
    ours.socket = _NoSocket()  # type: ignore[attr-defined]
    return ours, theirs
