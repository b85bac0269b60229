"""Callers: everyone is held here, unanswered, until one unit tells which line's peer it is.

A stranger learns nothing, not even from time: whatever was sent, or nothing, the connection closes
HANDSHAKE_TIMEOUT_S after it was made, without a byte. Held connections are bounded; when there are too
many, the oldest of the source that holds most yields, but not the few from where a peer is expected. A
peer sends its unit as soon as it is connected, which takes one way there and back: from elsewhere it is
through unless so many sources have called meanwhile that it is the oldest; then it calls again.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import TYPE_CHECKING

import trio

from hotline.limits import (
    HANDSHAKE_TIMEOUT_S,
    PENDING_EXPECTED,
    PENDING_PER_SOURCE,
    PENDING_TOTAL,
    UNIT_BYTES,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hotline.daemon.sources import Sources

    Serve = Callable[[], Awaitable[None]]
    Greet = Callable[[trio.SocketStream, str, bytes], Serve | None]


class Pending:
    """Connections that have not proven who they are; ``admit`` makes room for one more."""

    def __init__(
        self,
        sources: Sources,
        most: int = PENDING_TOTAL,
        most_per_source: int = PENDING_PER_SOURCE,
    ) -> None:
        """Hold at most so many, in all and from one source; sources say what one is."""
        self._known = sources
        self._most = most
        self._most_per_source = most_per_source
        self._held: OrderedDict[int, tuple[str, trio.CancelScope]] = OrderedDict()
        self._sources: Counter[str] = Counter()
        self._next = 0

    def __len__(self) -> int:
        return len(self._held)

    def admit(self, host: str, scope: trio.CancelScope) -> int:
        """Hold one more, whose scope is cancelled when it has to yield; gives its ticket."""
        source = self._known.of(host)
        if self._sources[source] >= self._most_per_source:
            self._evict(source)
        elif len(self._held) >= self._most:
            self._evict(self._largest())
        self._next += 1
        self._held[self._next] = (source, scope)
        self._sources[source] += 1
        return self._next

    def release(self, ticket: int) -> None:
        """Hold a connection no longer."""
        held = self._held.pop(ticket, None)
        if held is None:
            return
        source = held[0]
        self._sources[source] -= 1
        if not self._sources[source]:
            del self._sources[source]

    def _largest(self) -> str:
        """Give the source that holds most, of those that hold more than a peer's few places if any."""
        by_count = self._sources.most_common()
        for source, count in by_count:
            if count > PENDING_EXPECTED or not self._known.expects(source):
                return source
        return by_count[0][0]

    def _evict(self, source: str) -> None:
        ticket, (_, scope) = next(item for item in self._held.items() if item[1][0] == source)
        self.release(ticket)
        scope.cancel()


class Listener:
    """Holds callers; ``greet`` says for a caller's first unit who serves it from here, if anyone."""

    def __init__(self, pending: Pending, greet: Greet) -> None:
        """Share what is pending with other listeners."""
        self._pending = pending
        self._greet = greet

    async def hold(self, stream: trio.SocketStream) -> None:
        """Deal with one caller, until its connection ends."""
        try:
            peer = stream.socket.getpeername()
        except OSError:
            await trio.aclose_forcefully(stream)  # reset before it was even looked at
            return
        host = str(peer[0])
        # As in the configuration; but an Address refuses port 0, from which a stranger may call.
        address = f"[{host}]:{peer[1]}" if ":" in host else f"{host}:{peer[1]}"
        deadline = trio.current_time() + HANDSHAKE_TIMEOUT_S
        serve = None
        with trio.CancelScope(deadline=deadline) as scope:
            ticket = self._pending.admit(host, scope)
            try:
                unit = await _read_unit(stream)
                serve = self._greet(stream, address, unit) if unit is not None else None
                if serve is None:
                    await trio.sleep_until(deadline)
            finally:
                self._pending.release(ticket)
        if serve is not None:
            await serve()
        else:
            await trio.aclose_forcefully(stream)


async def _read_unit(stream: trio.SocketStream) -> bytes | None:
    """Read one unit and not a byte more; None if the stream ends before it is whole."""
    unit = bytearray()
    while len(unit) < UNIT_BYTES:
        try:
            data = await stream.receive_some(UNIT_BYTES - len(unit))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return None
        if not data:
            return None
        unit += data
    return bytes(unit)
