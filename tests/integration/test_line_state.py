"""What status says of a line that does not work, and why."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import threading
import time

import pytest

from support.processes import until
from support.stations import Stations, message, start
from support.stations_network import Cable
from support.stations_proxy import Proxy


def test_a_dead_peer_is_reported_with_reason_and_next_attempt(stations: Stations) -> None:
    """Whoever looks must see that the line is down, why, since when, and what happens next."""
    alpha, bravo = stations.running_pair()
    alpha.fit()
    bravo.kill()
    down = alpha.when("bravo", state="down", reason="refused")
    assert down["detail"]
    assert down["rtt_ms"] is None or down["last_heard_s"] > 0
    assert down["session_age_s"] is None
    checked = alpha.hotline("status", "--check", "bravo")
    assert checked.code == 6
    assert "refused" in checked.err
    until("it tries again", lambda: alpha.status("bravo")["attempts"] >= 3)
    assert alpha.status("bravo")["state"] == "down"
    alpha.await_logged("line_state", reason="refused")
    reasons = [line["reason"] for line in alpha.logged("line_state")]
    assert reasons[-2:] in (["truncated", "refused"], ["session-lost", "refused"])


def test_retry_dials_at_once(stations: Stations) -> None:
    """An operator who knows that the peer is back must not have to wait for a timer."""
    alpha, bravo = stations.make("alpha"), stations.make("bravo")
    port = stations.free_port()
    bravo.pin(alpha, calls=False)
    alpha.pin(bravo, f"127.0.0.1:{port}")
    bravo.start()
    alpha.start()

    def far_off() -> bool:
        waits_s = alpha.status("bravo")["next_attempt_s"]
        return waits_s is not None and waits_s > 2.5

    def up_before_its_time() -> bool:
        """Tell whether the line came up sooner than by itself, for which a machine may be too busy."""
        until("the next attempt is seconds away", far_off)
        with Proxy(bravo.port, port):  # the peer is back from one moment to the next
            before = alpha.status("bravo")
            assert before["attempts"] > 0
            asked = time.monotonic()
            alpha.call("retry", line="bravo")
            status = alpha.up("bravo")
            took_s = time.monotonic() - asked
            assert status["attempts"] == 0, "contact starts the count anew"
            assert status["next_attempt_s"] is None
        return bool(took_s < before["next_attempt_s"] - 1)

    until("it did not come up by itself only", up_before_its_time)


def test_a_retry_says_what_comes_of_it(stations: Stations) -> None:
    """Told that a line is called which cannot call, an operator waits for what never comes."""
    alpha, bravo, charlie = (stations.make(name) for name in ("alpha", "bravo", "charlie"))
    alpha.pin(bravo)
    alpha.pin(charlie, calls=False)
    alpha.start()
    alpha.when("bravo", reason="refused")
    assert alpha.hotline("retry").out == (
        "calling bravo now; see: hotline status\n"
        "charlie has no address to dial: the peer must call\n"
    )
    bravo.pin(alpha, calls=False)
    bravo.start()
    alpha.call("retry", line="bravo")
    alpha.up("bravo")
    stands = alpha.hotline("retry", "bravo").out  # on a busy machine a heartbeat may be late
    assert stands.startswith(("bravo is up already", "bravo has a session already, degraded"))
    for name in ("bravo", "charlie"):
        assert alpha.hotline("peer", "revoke", name, "--confirm", name).code == 0
    done = alpha.hotline("retry")
    assert done.code == 5
    assert done.out.splitlines() == [
        f"{name} is not called: its card is refused for good" for name in ("bravo", "charlie")
    ]
    assert "there is no line that can be called" in done.err


def test_who_sends_on_a_halted_line_is_told(stations: Stations) -> None:
    """It is queued, and nothing moves until somebody acts; nor is a message sent that was cancelled."""
    alpha, bravo = stations.running_pair()
    alpha.send("bravo", message("before"))
    alpha.settled("bravo")
    bravo.kill()
    shutil.rmtree(bravo.state)
    bravo.start()
    for station, line, reason in (
        (alpha, "bravo", "peer-log-lost"),
        (bravo, "alpha", "own-log-lost"),
    ):
        station.when(line, state="halted", reason=reason)
        done = station.hotline("send", line, "x", "--id", "late")
        assert (done.code, done.out) == (0, f"queued late for {line}\n")
        assert f"hint: line {line} is halted ({reason}): an operator must act" in done.err
        assert "\n  now: remove nothing" in station.hotline("status").out
    assert alpha.hotline("cancel", "late").code == 0
    again = alpha.hotline("send", "bravo", "x", "--id", "late")
    assert (again.code, again.out) == (5, "cancelled late for bravo (it was queued before)\n")
    assert "late is cancelled: it was not sent" in again.err


def test_a_stalled_daemon_is_told_from_a_dead_network(stations: Stations) -> None:
    """Silence of a hung program and of a cut cable call for different people."""
    alpha, bravo = stations.running_pair(heartbeat_s=1.0)  # long enough to be degraded first
    bravo.running.tell(signal.SIGSTOP)
    alpha.await_logged("line_state", state="degraded", reason="peer-stalled")
    first = alpha.await_logged("line_state", state="down", was="degraded")
    assert first["reason"] == "peer-stalled"
    assert first["detail"]
    alpha.send("bravo", message("meanwhile"))
    bravo.running.tell(signal.SIGCONT)
    alpha.call("retry")
    alpha.up("bravo")
    bravo.up("alpha")
    alpha.settled("bravo")
    assert [one["id"] for one in bravo.box("inbox")] == ["meanwhile"]


def test_a_cut_cable_is_named(stations: Stations) -> None:
    """Where the other host no longer acknowledges anything, the daemon there is not to blame."""
    if os.geteuid() != 0:
        pytest.skip("only root can lay a cable: a network that loses packets is not tested here")
    alpha, bravo = stations.make("alpha"), stations.make("bravo")
    with Cable() as cable:
        bravo.host, bravo.inside = cable.far_address, cable.inside
        bravo.pin(alpha, calls=False)
        alpha.pin(bravo)
        start(bravo, alpha)
        cable.cut()
        # Which of the two states it is seen in first is a matter of a heartbeat.
        until(
            "the silence is seen",
            lambda: (
                alpha.logged("line_state", state="degraded", reason="network-silent")
                and bravo.logged("line_state", state="degraded", reason="network-silent")
            ),
        )
        assert alpha.await_logged("session_silent")["reason"] == "network-silent"
        alpha.send("bravo", message("stuck"))
        assert alpha.when("bravo", state="down")["queued"] == 1
        assert not alpha.logged("line_state", reason="peer-stalled")
        cable.mend()
        alpha.call("retry")
        alpha.up("bravo")
        alpha.settled("bravo")
        assert [one["id"] for one in bravo.box("inbox")] == ["stuck"]
        bravo.clean_up()


def test_a_middlebox_that_swallows_everything_is_not_blamed_on_the_network(
    stations: Stations,
) -> None:
    """Where somebody acknowledges what is never passed on, the reason claims no more than is seen.

    The bytes are taken and nothing comes back: from here that is a peer that has stalled.
    """
    alpha, bravo = stations.make("alpha"), stations.make("bravo")
    with Proxy(bravo.port) as proxy:
        alpha.pin(bravo, proxy.address)
        bravo.pin(alpha, calls=False)
        bravo.start()
        alpha.start()
        alpha.up("bravo")
        proxy.stall()
        assert alpha.await_logged("session_silent")["reason"] == "peer-stalled"
        assert alpha.status("bravo")["state"] == "down"
        assert alpha.hotline("status", "--check").code == 6


def test_something_else_that_answers_is_told_from_what_does_not(stations: Stations) -> None:
    """A web server at the peer's port looked like a peer with another card, and left no trace."""
    alpha, bravo = stations.make("alpha"), stations.make("bravo")
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    with server.accept()[0] as caller:
                        caller.recv(65536)
                        caller.sendall(b"HTTP/1.1 400 Bad Req")

        serving = threading.Thread(target=serve)
        serving.start()
        alpha.pin(bravo, f"127.0.0.1:{server.getsockname()[1]}")
        alpha.start()
        told = alpha.when("bravo", reason="handshake-failed")
        failed = alpha.await_logged("dial_failed", reason="handshake-failed")
        server.shutdown(socket.SHUT_RDWR)
        serving.join()
    assert told["detail"].endswith(failed["why"])
    assert failed["why"].startswith("20 bytes of an answer came, and the connection ")


def test_a_peer_that_stopped_stays_one_that_stopped(stations: Stations) -> None:
    """A planned stop read as a daemon that is not there, a third of a second later."""
    alpha, bravo = stations.running_pair()
    bravo.stop()
    alpha.await_logged("dial_failed", reason="refused")
    until("it is refused", lambda: alpha.status("bravo")["detail"].endswith("refuses for it"))
    status = alpha.status("bravo")
    assert (status["state"], status["reason"]) == ("down", "peer-stopped")
    assert 'it says "the station stops" (' in status["detail"]
