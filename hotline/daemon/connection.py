"""One TCP connection: bytes between a socket and a line."""

from __future__ import annotations

import contextlib
import fcntl
import socket
import struct
import sys
import termios
from typing import TYPE_CHECKING, Final

import trio

from hotline.limits import (
    CLOSE_TIMEOUT_S,
    HEARTBEAT_MAX_S,
    MISSED_DOWN,
    RECEIVE_BYTES,
    SEND_BYTES,
    UNIT_BYTES,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_TCP_USER_TIMEOUT: Final = 18
"""Linux's number (tcp(7)); Python names it only where the C library does."""

_USER_TIMEOUT_S: Final = (MISSED_DOWN + 1) * HEARTBEAT_MAX_S
"""Longer than any line bears silence: the line is to say when a session is over, not the kernel.

Which silence a line bears is known only once the peer has told its interval, and a reload changes it.
"""

_SIOCOUTQNSD: Final = 0x894B
"""Linux's number (tcp(7)): bytes in the send queue that have not been sent yet."""

_TCP_INFO_BYTES: Final = 104
_PROBE_S: Final = 0.5
"""More than the first probe of a closed window takes on any sensible path."""

_LOOK_S: Final = 0.01
"""How often to look whether a farewell has arrived: the kernel tells of that to nobody."""

_LAST_ACK_RECEIVED: Final = 56
"""Where struct tcp_info (linux/tcp.h) has the milliseconds since the last acknowledgement."""


def tune(stream: trio.SocketStream) -> None:
    """Send small units at once, keep few in the kernel, and have it give up on a dead path."""
    # Not on every system, nor on a socket that the peer has reset already: heartbeats notice.
    with contextlib.suppress(OSError):
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream.setsockopt(socket.IPPROTO_TCP, _TCP_USER_TIMEOUT, int(_USER_TIMEOUT_S * 1000))
        # What waits here can be overtaken and shares a record; what waits in the kernel cannot.
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNIT_BYTES)


def took_all(queued: int, unsent: int, last_ack_s: float, silence_s: float) -> bool | None:
    """Judge by what waits in our kernel (bytes) and the age of its last answer: does the peer's live?

    What waits because the peer's window is closed has not left: a stalled daemon's kernel takes what
    its socket holds, answers each probe that there is no room for more, and lives. What waits because
    our own network is gone has not left either, but then nothing answers. Probes come at times that
    double, so if they are answered, the last answer is no older than half of the silence, and a little.

    Where something has left and is not acknowledged, a path may be dead; but a kernel whose socket is
    full may throw away what came, and answer each repetition. Then nothing is known (None).
    """
    if queued == 0:
        return True
    if queued == unsent:
        return last_ack_s <= silence_s / 2 + _PROBE_S
    return None if silence_s > _PROBE_S and last_ack_s < silence_s / 2 else False


class Connection:
    """Moves bytes until either end stops; ``hang_up`` ends it with a farewell."""

    def __init__(
        self,
        stream: trio.SocketStream,
        pull: Callable[[int], bytes],
        received: Callable[[bytes], None],
        ended: Callable[[str], None],
    ) -> None:
        """Take bytes to send from pull, give those that come to received, and tell ended its end."""
        self._stream = stream
        self._pull = pull
        self._received = received
        self._ended = ended
        self._writable = trio.Event()
        self._farewell: bytes | None = None
        self._received_at = trio.current_time()
        self._lived = False
        self._scope = trio.CancelScope()
        self._reading = trio.CancelScope()

    @property
    def host(self) -> str:
        """The address at the other end; empty if it has gone already."""
        try:
            return str(self._stream.socket.getpeername()[0])
        except OSError:
            return ""

    def writable(self) -> None:
        """Bytes wait to be pulled."""
        self._writable.set()

    def hang_up(self, farewell: bytes) -> None:
        """Send farewell after what is under way, and close; nothing more is received."""
        self._farewell = farewell
        now = trio.current_time()
        self._lived = now - self._received_at <= CLOSE_TIMEOUT_S
        self._scope.deadline = now + CLOSE_TIMEOUT_S
        self._reading.cancel()
        self._writable.set()

    def kernel_took_all(self) -> bool | None:
        """Tell whether the peer's kernel has acknowledged all that left; None if that is unknown."""
        try:
            queued, unsent = self._in_kernel(termios.TIOCOUTQ), self._in_kernel(_SIOCOUTQNSD)
            info = self._stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
            (last_ack_ms,) = struct.unpack_from("I", bytes(info), _LAST_ACK_RECEIVED)
        except (OSError, ValueError, struct.error):
            return None
        silence_s = trio.current_time() - self._received_at
        return took_all(queued, unsent, last_ack_ms / 1000, silence_s)

    def _in_kernel(self, number: int) -> int:
        """Give a count of bytes in our kernel's send queue; raises OSError or ValueError."""
        found = fcntl.ioctl(self._stream.socket.fileno(), number, bytes(4))
        return int.from_bytes(found, sys.byteorder)

    async def run(self) -> None:
        """Move bytes until the connection ends; closes the socket."""
        trouble = "session-lost"
        with self._scope:
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._send)
                    with self._reading:
                        trouble = await self._receive()
                        nursery.cancel_scope.cancel()
            finally:
                await trio.aclose_forcefully(self._stream)
        if self._farewell is None:
            self._ended(trouble)

    async def _receive(self) -> str:
        while True:
            try:
                data = await self._stream.receive_some(RECEIVE_BYTES)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return "session-lost"
            if not data:
                return "truncated"
            self._received_at = trio.current_time()
            self._received(bytes(data))

    async def _send(self) -> None:
        try:
            while True:
                await self._writable.wait()
                self._writable = trio.Event()
                while self._farewell is None and (data := self._pull(SEND_BYTES)):
                    await self._stream.send_all(data)
                if self._farewell is not None:
                    await self._stream.send_all(self._farewell)
                    await self._stream.send_eof()
                    await self._let_arrive()
                    return
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            # The reader sees the same end and tells it; after a hang-up nobody needs to know.
            return

    async def _let_arrive(self) -> None:
        """Read on, and drop it, until the peer's kernel has all that was said.

        A socket that is closed over what was not read takes back what has not arrived. Who was
        silent sends nothing now, and may be dead: to wait for it would only make a stop slower.
        """
        with contextlib.suppress(OSError, ValueError):  # there is no such queue any more
            while self._lived and self._in_kernel(termios.TIOCOUTQ):
                with trio.move_on_after(_LOOK_S):
                    if not await self._stream.receive_some(RECEIVE_BYTES):
                        return
