"""Dialling: what cannot be reached is named in the words that an operator acts on."""

from __future__ import annotations

import socket

import pytest
import trio
import trio.testing

from hotline.daemon.dialling import DialFailedError, dial
from hotline.limits import DIAL_TIMEOUT_S


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
