"""What a line's runner does to a real socket."""

from __future__ import annotations

import socket
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
import trio
import trio.testing

from hotline.daemon.connection import _TCP_USER_TIMEOUT, Connection
from hotline.daemon.runner import Runner
from hotline.limits import HEARTBEAT_MAX_S, HEARTBEAT_MIN_S
from hotline.line.effects import Dial, Hangup
from hotline.line.liveness import silence_limits
from support.processes import LONG_S


class QuietLine:
    """As much of a line as a runner asks; it knows every connection, and says nothing."""

    def __init__(self, heartbeat_s: float) -> None:
        self.vitals = SimpleNamespace(heartbeat_s=heartbeat_s)
        self.connected_with = trio.Event()

    def start(self, _moment: Any) -> list[Any]:
        return [Dial(1, "bravo:1")]

    def deadline(self, _moment: Any) -> float:
        return float("inf")

    def connected(self, _conn: int, _moment: Any) -> list[Any]:
        self.connected_with.set()
        return []

    def knows(self, _conn: int) -> bool:
        return True

    def pull(self, _conn: int, _most_bytes: int) -> bytes:
        return b""


@pytest.mark.parametrize("heartbeat_s", [HEARTBEAT_MIN_S, HEARTBEAT_MAX_S])
async def test_the_kernel_bears_every_silence_that_the_line_bears(heartbeat_s: float) -> None:
    """The peer's interval may be the longer one: after four of ours a session was cut that stood."""
    line: Any = QuietLine(heartbeat_s)
    writer: Any = SimpleNamespace(submit=lambda _: None)
    connections: dict[int, Connection] = {}
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    ours = await trio.open_tcp_stream(*listener.socket.getsockname()[:2])

    async def dial(_address: str) -> trio.SocketStream:
        return ours

    runner = Runner(line, connections, writer, lambda *_: None, dial)
    async with listener, trio.open_nursery() as nursery:
        with trio.fail_after(LONG_S), nullcontext(await listener.accept()) as peer:
            nursery.start_soon(runner.run)
            await line.connected_with.wait()
            borne_ms = ours.getsockopt(socket.IPPROTO_TCP, _TCP_USER_TIMEOUT)
            _, down_s = silence_limits(heartbeat_s, HEARTBEAT_MAX_S)
            assert isinstance(borne_ms, int)
            assert borne_ms > down_s * 1000
            # What the line lets go is closed at once all the same.
            runner.perform([Hangup(1, b"")])
            assert await peer.receive_some() == b""
            await peer.aclose()
        while connections:
            await trio.lowlevel.checkpoint()
        assert ours.socket.fileno() == -1
        nursery.cancel_scope.cancel()


async def test_a_line_is_woken_earlier_if_it_asks_for_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """What a request has begun, a pause or a wait for a receipt, may end long before the next beat."""
    woken: list[float] = []

    class Sleeper(QuietLine):
        until = 1000.0

        def start(self, _moment: Any) -> list[Any]:
            return []

        def deadline(self, _moment: Any) -> float:
            return self.until

        def wake(self, moment: Any) -> list[Any]:
            woken.append(moment.now)
            self.until = moment.now + 1000.0
            return []

    line: Any = Sleeper(5.0)
    writer: Any = SimpleNamespace(submit=lambda _: None)
    dial: Any = None
    runner = Runner(line, {}, writer, lambda *_: None, dial)
    began = trio.current_time()
    line.until = began + 1000.0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(runner.run)
        autojump_clock.jump(10)
        await trio.testing.wait_all_tasks_blocked()
        line.until = began + 20.0
        runner.perform([])
        await trio.sleep(100)
        nursery.cancel_scope.cancel()
    assert woken == [pytest.approx(began + 20.0)]
