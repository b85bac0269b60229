"""Commands that wait and watch: they take no place from others, and none when they are gone."""

from __future__ import annotations

import contextlib
import os
import signal
import socket

import pytest

from hotline import limits
from support.processes import until
from support.stations import Refused, Station, Stations, message


@pytest.fixture
def alone(stations: Stations) -> Station:
    """A station whose line is down, with one message that waits."""
    alpha, _ = stations.pair()
    alpha.start()
    alpha.send("bravo", message("waits"))
    return alpha


def open_sockets(station: Station) -> int:
    folder = f"/proc/{station.running.process.pid}/fd"
    count = 0
    for number in os.listdir(folder):  # noqa: PTH208
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            count += os.readlink(f"{folder}/{number}").startswith("socket:")  # noqa: PTH115
    return count


def test_waits_of_clients_that_are_gone_take_no_place(alone: Station) -> None:
    """Scripts whose `send --wait` timed out on a dead line shut every operator out, for good."""
    before = open_sockets(alone)
    for _ in range(limits.CONTROL_CLIENTS + 6):
        with alone.client() as client:
            client.post("wait", line="bravo", ids=["waits"], state="delivered")
            client.call("status")  # it has a place, and so the wait before it has been read
    until("all sockets are closed", lambda: open_sockets(alone) <= before)
    assert alone.hotline("status").code == 0


def test_a_wait_of_half_a_connection_is_answered(alone: Station) -> None:
    """``echo request | socat -t 60 - UNIX:control.sock`` says no more, and still listens."""
    with alone.client() as client:
        client.post("wait", line="bravo", ids=["waits"], state="delivered")
        client.sock.shutdown(socket.SHUT_WR)
        until("it was asked", lambda: alone.call("status")["station"] == "alpha")
        assert alone.hotline("cancel", "waits").code == 0
        assert client.take()["params"] == {"done": 1, "total": 1}
        assert client.take()["result"]["messages"] == [{"id": "waits", "state": "cancelled"}]


def test_who_waits_leaves_places_for_who_asks(alone: Station) -> None:
    """However many scripts wait for a dead line, `status`, `retry` and `peer revoke` go on."""
    with contextlib.ExitStack() as opened:
        waiting = [opened.enter_context(alone.client()) for _ in range(limits.CONTROL_LASTING)]
        for number, client in enumerate(waiting):
            if number % 2:
                client.call("watch")
            else:
                client.post("wait", line="bravo", ids=["waits"], state="delivered")

        def refused(method: str, **params: object) -> bool:
            with alone.client() as one_more:
                try:
                    one_more.sock.settimeout(0.2)
                    one_more.call(method, **params)
                except Refused as error:
                    return error.code == "busy"
                except TimeoutError:
                    return False
            return False

        until("no more may watch", lambda: refused("watch"))
        assert refused("wait", line="bravo", ids=["waits"], state="delivered")
        assert alone.hotline("status").code == 0
        waiting.pop().close()
        waiting.pop().close()
    until("there is a place again", lambda: not refused("watch"))


def test_nobody_waits_for_a_line_that_is_revoked(alone: Station) -> None:
    """A script stood for ever, waiting for what could not come any more."""
    process = alone.begin("send", "bravo", "in vain", "--wait", "delivered")
    until("it is queued", lambda: len(alone.box("outbox")) == 2)
    assert alone.hotline("peer", "revoke", "bravo", "--confirm", "bravo").code == 0
    assert process.wait() == 5


def test_nobody_waits_for_a_line_that_is_removed(alone: Station) -> None:
    """The same, where the line was taken out of the configuration."""
    process = alone.begin("send", "bravo", "in vain", "--wait", "delivered")
    until("it is queued", lambda: len(alone.box("outbox")) == 2)
    alone.lines.clear()
    alone.write()
    alone.running.tell(signal.SIGHUP)
    assert process.wait() == 5
