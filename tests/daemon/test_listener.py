"""Who is held at the door, for how long, and who has to yield."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import trio
import trio.testing

from hotline.daemon.config import Address, LineConfig
from hotline.daemon.listener import Listener, Pending
from hotline.daemon.sources import Sources
from hotline.limits import HANDSHAKE_TIMEOUT_S, UNIT_BYTES

Clock = trio.testing.MockClock
Serve = Callable[[], Awaitable[None]]

UNIT = bytes(range(256)) * 16


# --- the pending -------------------------------------------------------------------------------------


class Crowd:
    """Callers in a pending; ``gone`` are those who had to yield, in order."""

    def __init__(self, most: int, most_per_source: int) -> None:
        self.sources = Sources()
        self.pending = Pending(self.sources, most, most_per_source)
        self.tickets: dict[str, int] = {}
        self._scopes: dict[str, trio.CancelScope] = {}

    def come(self, *names: str) -> None:
        """Let callers in; a name's first letter is where it comes from, or what is before its @."""
        for name in names:
            self._scopes[name] = trio.CancelScope()
            host = name.partition("@")[0] if "@" in name else name[0]
            self.tickets[name] = self.pending.admit(host, self._scopes[name])

    @property
    def gone(self) -> set[str]:
        return {name for name, scope in self._scopes.items() if scope.cancel_called}


async def test_one_source_pushes_out_its_own_oldest_only() -> None:
    """A single host that opens connections without end must not cost another its place."""
    crowd = Crowd(most=100, most_per_source=3)
    crowd.come("b1", "a1", "a2", "a3", "a4", "a5")
    assert crowd.gone == {"a1", "a2"}
    assert len(crowd.pending) == 4


async def test_a_full_hall_takes_from_the_source_that_holds_most() -> None:
    """Many hosts at once: who has the most yields, so one that calls once gets through."""
    crowd = Crowd(most=5, most_per_source=4)
    crowd.come("p1", "a1", "a2", "a3", "b1", "c1")
    assert crowd.gone == {"a1"}
    crowd.come("d1")
    assert crowd.gone == {"a1", "a2"}
    assert len(crowd.pending) == 5


def line(*addresses: str) -> LineConfig:
    """Give a line to a peer at these addresses."""
    parsed = tuple(Address.parse(address) for address in addresses)
    return LineConfig("north", Path("north.card"), parsed, 5.0)


async def test_a_whole_network_of_ipv6_is_one_source() -> None:
    """One customer has all addresses of a /64, and could be as many sources as it likes."""
    crowd = Crowd(most=100, most_per_source=2)
    crowd.come(
        *(f"2001:db8:0:7::{n:x}@" for n in range(1, 6)), "2001:db8:0:8::1@", "2001:db8:0:8::2@"
    )
    assert crowd.gone == {f"2001:db8:0:7::{n}@" for n in (1, 2, 3)}
    crowd.come("fe80::1%eth0@", "fe80::2%eth0@", "::ffff:192.0.2.1@", "::ffff:192.0.2.2@")
    assert len(crowd.gone) == 3
    crowd.come(
        "::ffff:192.0.2.3@", "fe80::3%eth0@"
    )  # each IPv4 address is one, however it is spelled
    assert crowd.gone == {*(f"2001:db8:0:7::{n}@" for n in (1, 2, 3)), "fe80::1%eth0@"}


@pytest.mark.parametrize("by", ["an address of its line", "its last session"])
@pytest.mark.parametrize("host", ["192.0.2.7", "2001:db8::7"])
async def test_no_flood_pushes_out_where_a_peer_is_expected(by: str, host: str) -> None:
    """Whoever has 256 addresses and 430 connections a second would keep out a peer by satellite."""
    crowd = Crowd(most=20, most_per_source=3)
    if by == "its last session":
        crowd.sources.expect([line()])
        crowd.sources.met("north", host)
    else:
        crowd.sources.expect(
            [line("north.example:1963", f"[{host}]:1" if ":" in host else f"{host}:1")]
        )
    crowd.come(f"{host}@peer")
    crowd.come(*(f"198.51.100.{n}@" for n in range(200)))
    crowd.come(*(f"2001:db8::{n:x}@" for n in range(100, 200)))  # the peer's own neighbours
    assert f"{host}@peer" not in crowd.gone
    assert len(crowd.pending) == 20
    crowd.sources.forget("north")
    crowd.come(*(f"203.0.113.{n}@" for n in range(100)))
    assert f"{host}@peer" in crowd.gone


async def test_who_is_expected_holds_no_more_than_a_few_places() -> None:
    """A peer gone mad, or a neighbour behind its address, must not fill the pending for other lines."""
    crowd = Crowd(most=10, most_per_source=8)
    crowd.sources.expect([line("192.0.2.7:1")])
    crowd.come(*(f"192.0.2.7@{n}" for n in range(8)))
    crowd.come(*(f"198.51.100.{n}@" for n in range(8)))
    assert crowd.gone == {f"192.0.2.7@{n}" for n in range(6)}
    crowd.come(*(f"198.51.100.{n}@" for n in range(8, 16)))
    assert crowd.gone == {
        *(f"192.0.2.7@{n}" for n in range(6)),
        *(f"198.51.100.{n}@" for n in range(8)),
    }


async def test_a_hall_full_of_those_who_are_expected_takes_one_more() -> None:
    """A hub with more lines than places must not stand still at its door."""
    crowd = Crowd(most=3, most_per_source=2)
    crowd.sources.expect([line(*(f"192.0.2.{n}:1" for n in range(1, 5)))])
    crowd.come(*(f"192.0.2.{n}@" for n in range(1, 5)))
    assert crowd.gone == {"192.0.2.1@"}


async def test_a_line_that_is_gone_expects_nobody() -> None:
    """An address that was a peer's long ago is anybody's."""
    sources = Sources()
    sources.expect([line()])
    sources.met("north", "192.0.2.7")
    assert sources.expects("192.0.2.7")
    sources.expect([line()])
    assert sources.expects("192.0.2.7"), "another reading of the same configuration"
    sources.expect([])
    assert not sources.expects("192.0.2.7")


async def test_a_place_that_was_left_is_free() -> None:
    """Places that are counted for ever would close the door after a while."""
    crowd = Crowd(most=2, most_per_source=1)
    for turn in range(1000):
        crowd.come(f"a{turn}")
        crowd.pending.release(crowd.tickets[f"a{turn}"])
        crowd.pending.release(crowd.tickets[f"a{turn}"])  # by eviction and by its own end
    assert crowd.gone == set()
    assert len(crowd.pending) == 0
    crowd.come("a", "b")
    assert crowd.gone == set()


# --- the listener ---------------------------------------------------------------------------------


class Call:
    """One connection to a listener, in memory; ``client`` is the caller's end."""

    def __init__(self, listener: Listener, peer: tuple[str, int] = ("192.0.2.7", 40000)) -> None:
        self._listener = listener
        self.client, self._server = trio.testing.memory_stream_pair()
        # What the listener asks of a socket: who is calling.
        vars(self._server)["socket"] = SimpleNamespace(getpeername=lambda: peer)
        self.closed_at: float | None = None

    @property
    def stream(self) -> trio.SocketStream:
        """The listener's end, in the place of a socket."""
        return cast("trio.SocketStream", self._server)

    async def hold(self) -> None:
        """Be dealt with."""
        await self._listener.hold(self.stream)
        self.closed_at = trio.current_time()


async def say_nothing(_: Call) -> None: ...


async def say_a_byte(call: Call) -> None:
    await call.client.send_all(b"\0")


async def say_almost_a_unit(call: Call) -> None:
    await call.client.send_all(UNIT[:-1])


async def say_a_unit(call: Call) -> None:
    await call.client.send_all(UNIT)


async def say_more(call: Call) -> None:
    await call.client.send_all(UNIT * 3)


async def say_slowly(call: Call) -> None:
    for start in range(0, UNIT_BYTES, 512):
        await trio.sleep(1.1)
        await call.client.send_all(UNIT[start : start + 512])


async def hang_up(call: Call) -> None:
    await call.client.send_all(b"x")
    await call.client.send_eof()


async def break_off(call: Call) -> None:
    await call.client.send_all(b"x")
    await call.client.aclose()


@pytest.mark.parametrize(
    "behave",
    [
        *(say_nothing, say_a_byte, say_almost_a_unit, say_a_unit),
        *(say_more, say_slowly, hang_up, break_off),
    ],
)
async def test_a_stranger_is_held_to_the_second_and_told_nothing(
    autojump_clock: Clock, behave: Callable[[Call], Awaitable[None]]
) -> None:
    """Any other moment, or a single byte, tells a scanner how far its guess was right."""
    del autojump_clock
    pending = Pending(Sources())
    call = Call(Listener(pending, lambda *_: None))
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(call.hold)
        await behave(call)
    assert call.closed_at is not None
    assert call.closed_at - began == pytest.approx(HANDSHAKE_TIMEOUT_S, abs=1e-6)
    assert len(pending) == 0
    if behave is not break_off:
        assert await call.client.receive_some() == b""


async def test_the_peer_is_served_at_once_and_gives_its_place_back(autojump_clock: Clock) -> None:
    """A genuine caller neither waits nor counts among the strangers, however long it stays."""
    del autojump_clock
    pending = Pending(Sources())
    greeted: list[tuple[str, bytes]] = []
    served: list[tuple[float, int, bytes]] = []

    def greet(stream: trio.SocketStream, address: str, unit: bytes) -> Serve:
        greeted.append((address, unit))

        async def serve() -> None:
            rest = await stream.receive_some(65536)
            served.append((trio.current_time() - began, len(pending), bytes(rest)))
            await trio.sleep(HANDSHAKE_TIMEOUT_S * 10)

        return serve

    call = Call(Listener(pending, greet))
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(call.hold)
        await call.client.send_all(UNIT + b"what follows")
    assert greeted == [("192.0.2.7:40000", UNIT)]
    assert served == [(0.0, 0, b"what follows")]
    assert call.closed_at == began + HANDSHAKE_TIMEOUT_S * 10


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        (("192.0.2.7", 40000), "192.0.2.7:40000"),
        (("2001:db8::1", 1963, 0, 0), "[2001:db8::1]:1963"),
        (("fe80::1%eth0", 1963, 0, 2), "[fe80::1%eth0]:1963"),
    ],
)
async def test_a_callers_address_is_written_as_in_the_configuration(
    autojump_clock: Clock, peer: Any, address: str
) -> None:
    """Without brackets nobody can say where an IPv6 address ends and its port begins."""
    del autojump_clock
    greeted: list[str] = []
    call = Call(Listener(Pending(Sources()), lambda _, address, __: greeted.append(address)), peer)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(call.hold)
        await call.client.send_all(UNIT)
    assert greeted == [address]
    assert str(Address.parse(address)) == address


async def test_who_has_to_yield_is_closed_at_once(autojump_clock: Clock) -> None:
    """A place is only free when the connection that held it is gone."""
    del autojump_clock
    listener = Listener(Pending(Sources(), most=1, most_per_source=1), lambda *_: None)
    first, second = Call(listener), Call(listener)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(first.hold)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(second.hold)
        await trio.testing.wait_all_tasks_blocked()
        assert await first.client.receive_some() == b""
        assert first.closed_at == trio.current_time()
        assert second.closed_at is None
    assert second.closed_at is not None


@pytest.fixture(autouse=True)
def no_real_waiting() -> Iterator[None]:
    """See that none of these tests waits by the clock on the wall."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < HANDSHAKE_TIMEOUT_S / 2
