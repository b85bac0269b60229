"""The control socket: a Unix socket for this station's operators, JSON-RPC one object a line.

The kernel says who is calling (SO_PEERCRED), so an operator's name cannot be claimed. Only the user who
runs the daemon, and root, get in; the file's mode says the same.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
from typing import TYPE_CHECKING, Any, Final

import trio

from hotline.daemon import jsonrpc
from hotline.daemon.jsonrpc import Call, CallError
from hotline.daemon.lasting import Lasting
from hotline.daemon.operators import operator_name
from hotline.daemon.requests import Requests
from hotline.errors import HotlineError, RefusedError
from hotline.limits import (
    CONTROL_CLIENTS,
    CONTROL_LASTING,
    CONTROL_REQUEST_BYTES,
    RECEIVE_BYTES,
)

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from hotline.daemon.station import Station

_CREDENTIALS: Final = struct.Struct("3i")
_REQUEST_BYTES: Final = 4 * RECEIVE_BYTES
"""One read of what a client asks: more than its socket holds, so that a batch takes few."""

_CALLS_AT_ONCE: Final = 8
"""Requests of one client under way: enough to keep a batch moving, little to hold."""

_GONE_CHECK_S: Final = 1.0
"""How often to look whether a client that says no more still listens."""


def _user(stream: trio.SocketStream) -> int:
    """Give the user id of who is calling."""
    credentials = stream.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, uid, _ = _CREDENTIALS.unpack(bytes(credentials))
    return int(uid)


def _has_hung_up(stream: trio.SocketStream) -> bool:
    """Tell whether a client has closed its end; False if it only said that it has no more to say."""
    poll = select.poll()
    try:
        poll.register(stream.socket.fileno(), 0)
    except (OSError, ValueError):
        return True  # there is no socket any more
    return any(ready & select.POLLHUP for _, ready in poll.poll(0))


async def _turn_away(stream: trio.SocketStream) -> None:
    """Say that there is no place; a client that does not listen is not waited for."""
    error = RefusedError(
        "busy",
        f"the daemon is serving {CONTROL_CLIENTS} commands already",
        hint="try again when some of them have ended",
    )
    with trio.move_on_after(_GONE_CHECK_S), contextlib.suppress(trio.BrokenResourceError):
        await stream.send_all(jsonrpc.failure(None, error))
        await stream.send_eof()
        # A socket that is closed over what was not read takes back what it said.
        while await stream.receive_some(RECEIVE_BYTES):
            pass


class Control:
    """Serves operators' commands."""

    def __init__(self, station: Station, log: FilteringBoundLogger) -> None:
        """Serve requests to station; should be made before a line works, for it may have to wait."""
        self._station = station
        self._log = log
        # Asked once: a directory on the far side of a cut network would hold up every line.
        self._names = {uid: operator_name(uid) for uid in (0, os.geteuid())}
        self._room = trio.CapacityLimiter(CONTROL_CLIENTS)
        self._lasting = trio.CapacityLimiter(CONTROL_LASTING)

    async def serve(self, stream: trio.SocketStream) -> None:
        """Serve one client until it leaves."""
        async with stream:
            operator = self._names.get(_user(stream))  # None: neither our user nor root
            if operator is None:
                self._log.warning("control_refused")
                return
            try:
                self._room.acquire_nowait()
            except trio.WouldBlock:
                self._log.warning("control_busy", clients=CONTROL_CLIENTS)
                await _turn_away(stream)
                return
            try:
                try:
                    async with trio.open_nursery() as nursery:
                        client = _Client(stream, self._station, operator, nursery, self._lasting)
                        await client.run()
                        nursery.cancel_scope.cancel()
                except* (trio.BrokenResourceError, trio.ClosedResourceError):
                    pass  # the client went away; what it asked to be committed goes on without it
                except* HotlineError as group:
                    self._log.warning("control_client_dropped", why=str(group.exceptions[0]))
            finally:
                self._room.release()


class _Client:
    """One connection: requests come in lines, run side by side, and are answered as they end."""

    def __init__(
        self,
        stream: trio.SocketStream,
        station: Station,
        operator: str,
        nursery: trio.Nursery,
        places: trio.CapacityLimiter,
    ) -> None:
        self._stream = stream
        self._nursery = nursery
        self._answers = station.answers
        self._sending = trio.Lock()
        self._calls = trio.Semaphore(_CALLS_AT_ONCE)
        lasting = Lasting(station, self._notify, nursery.start_soon, places)
        self._requests = Requests(station, operator, lasting)

    async def run(self) -> None:
        """Take requests until the client has no more, and answer all of them while it listens."""
        buffer = bytearray()
        while True:
            data = await self._stream.receive_some(_REQUEST_BYTES)
            if not data:
                break
            scanned = len(buffer)
            buffer += data
            end = buffer.find(b"\n", scanned)
            while end >= 0:
                line = bytes(buffer[:end])
                del buffer[: end + 1]
                await self._take(line)
                end = buffer.find(b"\n")
            if len(buffer) > CONTROL_REQUEST_BYTES:
                error = CallError(jsonrpc.INVALID_REQUEST, "the request is too long")
                await self._send(jsonrpc.failure(None, error))
                return
        await self._finish()

    async def _finish(self) -> None:
        """Wait until all is answered, or nobody listens: a wait for a dead line would never end."""
        under_way = _CALLS_AT_ONCE
        while under_way and not _has_hung_up(self._stream):
            with trio.move_on_after(_GONE_CHECK_S):
                while under_way:
                    await self._calls.acquire()
                    under_way -= 1

    async def _take(self, line: bytes) -> None:
        try:
            call = jsonrpc.parse(line)
        except CallError as error:
            await self._send(jsonrpc.failure(None, error))
            return
        await self._calls.acquire()
        placed = trio.Event()
        self._nursery.start_soon(self._answer, call, placed)
        if call.method == "send":
            # Trio starts tasks in any order; messages are queued in the order in which they were asked
            # for, however many requests are under way.
            await placed.wait()
        else:
            await trio.lowlevel.checkpoint()

    async def _answer(self, call: Call, placed: trio.Event) -> None:
        try:
            with self._answers.due() as due:
                try:
                    result = await self._requests.serve(call, placed.set, due)
                    answer = jsonrpc.result(call.identifier, result)
                except HotlineError as error:
                    answer = jsonrpc.failure(call.identifier, error)
                if call.identifier is not None:
                    await self._send(answer)
        finally:
            placed.set()
            self._calls.release()

    async def _notify(self, method: str, *params: dict[str, Any]) -> None:
        await self._send(b"".join(jsonrpc.notification(method, one) for one in params))

    async def _send(self, data: bytes) -> None:
        async with self._sending:
            await self._stream.send_all(data)
