"""Strangers at the listening port: whatever they send, they learn nothing and keep nobody out."""

from __future__ import annotations

import contextlib
import os
import resource
import select
import socket
import time
from collections.abc import Iterator

import pytest
from support.processes import until
from support.stations import Stations, message
from support.stations_proxy import Proxy

UNIT_BYTES = 4096
CLOSED_AFTER_S = 10.0
IDLE_CALLERS = 300


@pytest.fixture
def many_files() -> Iterator[None]:
    """Let this process open a socket for every caller."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def connect(port: int, source: str = "127.0.0.1") -> socket.socket:
    """Call a station from an address of this machine."""
    return socket.create_connection(("127.0.0.1", port), 10, source_address=(source, 0))


def endings(callers: dict[str, socket.socket], timeout_s: float) -> dict[str, tuple[bytes, float]]:
    """Wait until every caller is hung up on; give what it was sent, and when the end came."""
    names = {sock.fileno(): name for name, sock in callers.items()}
    poll = select.poll()
    for sock in callers.values():
        poll.register(sock, select.POLLIN)
    got: dict[str, bytes] = dict.fromkeys(callers, b"")
    found: dict[str, tuple[bytes, float]] = {}
    began = time.monotonic()
    while len(found) < len(callers):
        left_s = timeout_s - (time.monotonic() - began)
        assert left_s > 0, f"still open: {callers.keys() - found.keys()}"
        for descriptor, _ in poll.poll(left_s * 1000):
            name = names[descriptor]
            data = b""
            with contextlib.suppress(ConnectionResetError):
                data = callers[name].recv(65536)
            got[name] += data
            if not data:
                poll.unregister(descriptor)
                found[name] = (got[name], time.monotonic() - began)
    return found


@pytest.mark.usefixtures("many_files")
def test_strangers_get_silence_and_the_peer_gets_through(stations: Stations) -> None:
    """One byte back, or an early close, would tell a scanner that something listens for a friend."""
    alpha, bravo = stations.make("alpha"), stations.make("bravo")
    bravo.pin(alpha)
    bravo.start()
    with contextlib.ExitStack() as opened:
        proxy = opened.enter_context(Proxy(bravo.port))
        alpha.pin(bravo, proxy.address)
        alpha.start()
        alpha.up("bravo")
        first_unit = b"".join(proxy.upstream[0])[:UNIT_BYTES]
        assert len(first_unit) == UNIT_BYTES
        sent = {
            "nothing": b"",
            "a byte": b"\0",
            "almost a unit": os.urandom(UNIT_BYTES - 1),
            "a unit": os.urandom(UNIT_BYTES),
            "more than a unit": os.urandom(UNIT_BYTES + 1),
            "many units": os.urandom(64 * UNIT_BYTES),
            "a replay": first_unit,
            "a replay and more": first_unit + os.urandom(UNIT_BYTES),
            "a damaged replay": first_unit[:-1] + bytes([first_unit[-1] ^ 1]),
            "a browser": b"GET / HTTP/1.1\r\nHost: bravo\r\n\r\n",
            "half closed": b"\x16\x03\x01",
        }
        callers = {name: opened.enter_context(connect(bravo.port)) for name in sent}
        for name, data in sent.items():
            callers[name].sendall(data)
        callers["half closed"].shutdown(socket.SHUT_WR)

        # Meanwhile, and from the very same address, the peer is served at once.
        alpha.stop()
        began = time.monotonic()
        alpha.start()
        alpha.up("bravo")
        done = alpha.hotline("send", "bravo", "through", "--wait", "delivered", "--timeout", "5")
        assert done.code == 0
        assert time.monotonic() - began < CLOSED_AFTER_S / 2

        # So it is while hundreds of connections just stand there, from one address and from many.
        idle = {
            str(number): opened.enter_context(
                connect(bravo.port, "127.0.0.1" if number % 2 else f"127.0.1.{number % 250 + 1}")
            )
            for number in range(IDLE_CALLERS)
        }
        proxy.cut()
        alpha.await_logged("session_cut")
        alpha.call("retry")
        alpha.up("bravo")
        alpha.send("bravo", message("among-many"))
        alpha.settled("bravo")

        ended = endings(callers, CLOSED_AFTER_S + 3)
        assert {name: data for name, (data, _) in ended.items()} == dict.fromkeys(sent, b"")
        times = [at for _, at in ended.values()]
        assert max(times) - min(times) < 1.0, f"the moment of closing tells what came: {ended}"
        # The newest of those that stood there are held still; the others had to yield.
        assert any(select.select([sock], [], [], 0)[0] for sock in idle.values())
        assert bravo.status("alpha")["state"] == "up"


def test_a_stranger_is_held_for_ten_seconds_whatever_it_sends(stations: Stations) -> None:
    """The clock starts when the connection is made, so that no input can move the end."""
    alpha, bravo = stations.pair()
    del alpha
    bravo.start()
    with contextlib.ExitStack() as opened:
        began = time.monotonic()
        callers = {name: opened.enter_context(connect(bravo.port)) for name in ("silent", "slow")}
        callers["slow"].sendall(os.urandom(UNIT_BYTES - 1))
        until("some seconds have passed", lambda: time.monotonic() - began > 3)
        callers["slow"].sendall(b"!")
        ended = endings(callers, CLOSED_AFTER_S + 3)
        for data, _ in ended.values():
            assert data == b""
        assert CLOSED_AFTER_S - 0.5 < time.monotonic() - began < CLOSED_AFTER_S + 2
    bravo.await_logged("stranger_ignored")
