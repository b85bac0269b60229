"""One connection over real sockets: nothing lost at its end, and no socket left open."""

from __future__ import annotations

import itertools
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from hotline.daemon import connection
from hotline.daemon.connection import Connection, took_all, tune
from hotline.limits import CLOSE_TIMEOUT_S
from support.processes import LONG_S

Clock = trio.testing.MockClock

RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Line:
    """What a connection talks to: gives what is to be sent and notes what comes."""

    def __init__(self) -> None:
        self.to_send: deque[bytes] = deque()
        self.got = b""
        self.ends: list[str] = []
        self.hang_up_at: bytes | None = None
        self.connection: Connection | None = None

    def pull(self, most_bytes: int) -> bytes:
        """Give the next bytes."""
        assert most_bytes > 0
        return self.to_send.popleft() if self.to_send else b""

    def received(self, data: bytes) -> None:
        """Note bytes, and hang up if this is what was waited for."""
        self.got += data
        if self.hang_up_at is not None and self.hang_up_at in self.got:
            assert self.connection is not None
            self.connection.hang_up(b"goodbye")


class Ends:
    """A connection of a line over TCP, and the peer's end of it."""

    def __init__(self, stream: trio.SocketStream, peer: trio.SocketStream) -> None:
        self.line = Line()
        self.stream = stream
        self.peer = peer
        self.connection = Connection(
            stream, self.line.pull, self.line.received, self.line.ends.append
        )
        self.line.connection = self.connection

    @property
    def closed(self) -> bool:
        """Tell whether our socket has gone."""
        return self.stream.socket.fileno() == -1

    async def all_that_comes(self) -> bytes:
        """Read at the peer's end until it ends."""
        found = b""
        while data := await self.peer.receive_some(65536):
            found += data
        return found


@asynccontextmanager
async def connected(peer_room: int | None = None) -> AsyncIterator[Ends]:
    """Make both ends of a TCP connection; ours is for the connection to close.

    peer_room is what the peer's kernel takes in, about, before it is read there.
    """
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        sock = trio.socket.socket()
        if peer_room is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, peer_room)
        await sock.connect(listener.socket.getsockname())
        peer = trio.SocketStream(sock)
        ends = Ends(await listener.accept(), peer)
    try:
        yield ends
    finally:
        await trio.aclose_forcefully(peer)
    assert ends.closed


async def test_bytes_go_both_ways_in_order() -> None:
    """A chunk that is sent twice, or out of order, breaks every record behind it."""
    async with connected() as ends:
        chunks = [bytes([number]) * 70_000 for number in range(20)]
        ends.line.to_send += chunks
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ends.connection.run)
            ends.connection.writable()
            got = b""
            while len(got) < sum(map(len, chunks)):
                got += await ends.peer.receive_some(65536)
            assert got == b"".join(chunks)
            ends.line.to_send.append(b"later")
            ends.connection.writable()
            assert await ends.peer.receive_some(65536) == b"later"
            await ends.peer.send_all(b"answer" * 20_000)
            await ends.peer.aclose()
        assert ends.line.got == b"answer" * 20_000
        assert ends.line.ends == ["truncated"]


async def test_a_reset_is_told_from_an_end() -> None:
    """Which of the two it was is what the operator is told of the cause."""
    async with connected() as ends:
        ends.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        await ends.peer.aclose()
        await ends.connection.run()
        assert ends.line.ends == ["session-lost"]


async def test_the_farewell_comes_last_and_whole() -> None:
    """A close frame in the middle of a record, or none at all, looks like an attack."""
    async with connected() as ends:
        ends.line.to_send += [b"x" * 65536] * 40
        ends.line.hang_up_at = b"enough"
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ends.connection.run)
            ends.connection.writable()
            await trio.testing.wait_all_tasks_blocked()
            await ends.peer.send_all(b"that is enough")
            await trio.testing.wait_all_tasks_blocked()
            got = await ends.all_that_comes()
        assert got.endswith(b"x" + b"goodbye")
        assert (len(got) - len(b"goodbye")) % 65536 == 0, "a chunk that was begun was not finished"
        assert ends.line.ends == [], "who hangs up needs no telling"


async def test_what_the_peer_still_says_takes_no_farewell_back(mock_clock: Clock) -> None:
    """On a slow link with traffic both ways, an orderly stop looked like a line that was cut."""
    del mock_clock  # it stands still: this does not end because time is over
    async with connected(peer_room=4096) as ends:
        ends.line.to_send.append(b"x" * 20_000)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ends.connection.run)
            ends.connection.writable()
            await trio.testing.wait_all_tasks_blocked()
            ends.connection.hang_up(b"goodbye")
            await ends.peer.send_all(b"too late")
            await trio.testing.wait_all_tasks_blocked()
            assert await ends.all_that_comes() == b"x" * 20_000 + b"goodbye"
            await ends.peer.aclose()
        assert ends.line.got == b""


async def test_a_peer_whose_kernel_has_the_farewell_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A daemon over there that stands still must not make each stop here as slow as may be."""
    monkeypatch.setattr(connection, "CLOSE_TIMEOUT_S", 10 * LONG_S)
    async with connected() as ends:
        ends.connection.hang_up(b"goodbye")
        with trio.fail_after(LONG_S):
            await ends.connection.run()
        assert await ends.all_that_comes() == b"goodbye"


async def test_a_peer_that_was_silent_is_not_waited_for(autojump_clock: Clock) -> None:
    """Behind a cut cable nothing is acknowledged any more: it must not make a stop slower."""
    del autojump_clock
    async with connected(peer_room=4096) as ends:
        ends.line.to_send.append(b"x" * 20_000)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ends.connection.run)
            ends.connection.writable()
            await trio.sleep(2 * CLOSE_TIMEOUT_S)
            began = trio.current_time()
            ends.connection.hang_up(b"goodbye")
        assert trio.current_time() - began < CLOSE_TIMEOUT_S


async def test_nothing_is_received_after_a_hang_up() -> None:
    """A frame that is taken in after the line has let go would be of no session."""
    async with connected() as ends:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ends.connection.run)
            await trio.testing.wait_all_tasks_blocked()
            ends.connection.hang_up(b"")
            await ends.peer.send_all(b"too late")
            assert await ends.all_that_comes() == b""
        assert ends.line.got == b""


async def test_a_hang_up_before_the_first_step_still_says_goodbye() -> None:
    """A line can give a connection up before its task has begun."""
    async with connected() as ends:
        ends.connection.hang_up(b"goodbye")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ends.connection.run)
            assert await ends.all_that_comes() == b"goodbye"
        assert ends.line.ends == []


async def test_a_peer_that_reads_nothing_cannot_hold_up_the_end(autojump_clock: Clock) -> None:
    """The farewell may take a second; a stop that waits for the peer would take for ever."""
    del autojump_clock
    async with connected() as ends:
        ends.line.to_send += [bytes(2**20)] * 64
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ends.connection.run)
            ends.connection.writable()
            await trio.testing.wait_all_tasks_blocked()
            ends.connection.hang_up(b"goodbye")
        assert trio.current_time() - began == pytest.approx(CLOSE_TIMEOUT_S)
        assert ends.line.ends == []
        assert ends.closed


async def test_a_cancelled_connection_leaves_no_socket(subtests: pytest.Subtests) -> None:
    """A socket that outlives its task is one file less, each time, until none is left."""
    for steps in itertools.count():
        with subtests.test(steps=steps):
            async with connected() as ends:
                ends.line.to_send += [b"x" * 1000, b"y" * 1000]
                with trio.CancelScope() as scope:
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(ends.connection.run)
                        ends.connection.writable()
                        for _ in range(steps):
                            await trio.lowlevel.checkpoint()
                        scope.cancel()
                assert ends.closed
                assert ends.line.ends == []
        if steps == 12:
            break


async def test_the_kernel_tells_what_the_peer_has_taken() -> None:
    """On this rests whether silence is blamed on the network or on the peer's daemon."""
    async with connected() as ends:
        tune(ends.stream)
        assert ends.connection.kernel_took_all() is True
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ends.stream.send_all, bytes(64 * 2**20))
            await trio.testing.wait_all_tasks_blocked()
            assert ends.connection.kernel_took_all() is False
            nursery.cancel_scope.cancel()
        await ends.stream.aclose()
        assert ends.connection.kernel_took_all() is None


@pytest.mark.parametrize(
    ("queued", "unsent", "last_ack_s", "took"),
    [
        (0, 0, 9.0, True),
        (5000, 5000, 4.0, True),  # a closed window, and probes that are answered
        (5000, 5000, 9.0, False),  # a closed window, and then the path was cut
        (5000, 0, 9.0, False),  # it left, and nothing answers
        (5000, 2000, 1.0, None),  # it left, and something there answers without taking it
    ],
)
def test_what_waits_is_judged_by_who_still_answers(
    queued: int, unsent: int, last_ack_s: float, took: bool | None
) -> None:
    """A full host that answers was once called a dead network, and others were sent for."""
    assert took_all(queued, unsent, last_ack_s, silence_s=10.0) is took


async def test_a_socket_that_is_reset_already_can_be_tuned() -> None:
    """A peer that is gone before we look at it must not end the daemon."""
    async with connected() as ends:
        ends.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        await ends.peer.aclose()
        tune(ends.stream)
        ends.line.to_send.append(b"x" * 100)
        ends.connection.writable()
        await ends.connection.run()
        assert ends.line.ends == ["session-lost"]
