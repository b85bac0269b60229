"""Dialling: what cannot be reached is named in the words that an operator acts on."""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import trio
import trio.testing

from hotline.daemon.dialling import DialFailedError, Dialler
from hotline.limits import DIAL_TIMEOUT_S
from support.processes import LONG_S


async def dial(address: str) -> trio.SocketStream:
    """Connect as a daemon does that has not dialled before."""
    return await Dialler().dial(address)


@pytest.fixture
def deaf_servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let no name server answer while the test lasts."""
    over, resolve = threading.Event(), socket.getaddrinfo

    def ask(host: Any, *arguments: Any) -> Any:
        if host == b"peer.example":
            over.wait()
        return resolve(host, *arguments)

    monkeypatch.setattr(socket, "getaddrinfo", ask)
    yield
    over.set()


async def test_a_station_that_listens_is_reached() -> None:
    """Without this, a dial that never works would pass all other tests here."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        stream = await dial(f"127.0.0.1:{listener.socket.getsockname()[1]}")
        await stream.aclose()


async def test_a_closed_port_is_refused() -> None:
    """Refused means that the host is there: somebody has to start the daemon."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        with pytest.raises(DialFailedError) as caught:
            await dial(f"127.0.0.1:{held.getsockname()[1]}")
    assert caught.value.trouble == "refused"


async def test_a_host_that_answers_nothing_times_out(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A dial without an end would keep the next address from ever being tried."""
    del autojump_clock
    with socket.socket() as deaf, socket.socket() as first:
        # A listener whose queue is full: the kernel lets further connections wait, as a dead host.
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        first.connect(deaf.getsockname())
        began = trio.current_time()
        with pytest.raises(DialFailedError) as caught:
            await dial(f"127.0.0.1:{deaf.getsockname()[1]}")
    assert caught.value.trouble == "timed-out"
    assert trio.current_time() - began == pytest.approx(DIAL_TIMEOUT_S)


async def test_an_address_without_a_route_is_unreachable() -> None:
    """Unreachable means the network, and another person than refused does."""
    with pytest.raises(DialFailedError) as caught:
        await dial("[fe80::1%lo]:1")  # a link-local address on an interface that has none
    assert caught.value.trouble in ("unreachable", "refused")


async def test_a_name_that_does_not_exist_is_unresolved(monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt name is for whoever wrote the configuration."""

    async def nobody(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr("trio.socket.getaddrinfo", nobody)
    with pytest.raises(DialFailedError) as caught:
        await dial("no-such-host.invalid:1")
    assert caught.value.trouble == "unresolved"


async def test_servers_that_do_not_answer_are_no_host_that_is_off(
    autojump_clock: trio.testing.MockClock, deaf_servers: None
) -> None:
    """Where our own network is cut the peer's host was blamed: it is off, or cut off."""
    del autojump_clock, deaf_servers
    began = trio.current_time()
    with pytest.raises(DialFailedError) as caught:
        await dial("peer.example:1963")
    assert caught.value.trouble == "unresolved"
    assert "no answer" in str(caught.value)
    assert trio.current_time() - began < DIAL_TIMEOUT_S, "by then the line itself says timed-out"


async def test_names_that_hang_take_no_thread_from_the_store(deaf_servers: None) -> None:
    """A lookup outlives its dial: with some lines no inbox could be read, and no stop ended."""
    del deaf_servers
    one = Dialler()

    async def call() -> None:
        with pytest.raises(DialFailedError):
            await one.dial("peer.example:1963")

    async with trio.open_nursery() as nursery:
        for _ in range(2 * int(trio.to_thread.current_default_thread_limiter().total_tokens)):
            nursery.start_soon(call)
        await trio.testing.wait_all_tasks_blocked()
        with trio.fail_after(LONG_S):
            assert await trio.to_thread.run_sync(lambda: "read") == "read"
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("number", "trouble"),
    [
        (errno.EMFILE, "no-room"),
        (errno.ENOBUFS, "no-room"),
        (errno.EPERM, "refused"),
        (errno.EHOSTDOWN, "unreachable"),
        (errno.ETIMEDOUT, "timed-out"),
    ],
)
async def test_what_is_wrong_here_is_not_blamed_on_the_peers_host(
    monkeypatch: pytest.MonkeyPatch, number: int, trouble: str
) -> None:
    """Somebody would be sent to a host that is up, while a packet filter here says no."""

    async def fail(*_: object, **__: object) -> None:
        raise OSError("all attempts failed") from OSError(number, "said by the system")

    monkeypatch.setattr(trio, "open_tcp_stream", fail)
    with pytest.raises(DialFailedError) as caught:
        await dial("127.0.0.1:1")
    assert caught.value.trouble == trouble
