"""Cuts and flipped bits on the way: noticed, told, and made good without loss."""

from __future__ import annotations

import random

from support.processes import until
from support.stations import Station, Stations, message, start
from support.stations_proxy import Proxy


def behind(stations: Stations, proxy_of: Station) -> Station:
    """Make alpha, the only one who dials."""
    alpha = stations.make("alpha")
    proxy_of.pin(alpha, calls=False)
    return alpha


def test_cut_connections_are_noticed_and_lose_nothing(stations: Stations) -> None:
    """A stream that just ends, in the middle of a message, must not pass for an orderly end."""
    bravo = stations.make("bravo")
    alpha = behind(stations, bravo)
    rng = random.Random(1989)
    with Proxy(bravo.port) as proxy:
        alpha.pin(bravo, proxy.address)
        start(bravo, alpha)
        sent: list[str] = []
        for cut in range(8):
            ids = [f"cut-{cut}-{number}" for number in range(rng.randrange(1, 200))]
            alpha.send("bravo", *(message(one, one + "x" * rng.randrange(9000)) for one in ids))
            bravo.send("alpha", *(message(one, one + "y" * 100) for one in ids))
            sent += ids
            alpha.up("bravo")
            assert proxy.cut() >= 1
            until("the cut is logged", lambda n=cut: len(alpha.logged("session_cut")) > n)  # type: ignore[misc]
            alpha.call("retry")
            alpha.up("bravo")
        assert {line["how"] for line in alpha.logged("session_cut")} <= {
            "truncated",
            "session-lost",
        }
        bravo.await_logged("session_cut", how="truncated")
        for station, line, peer, letter in (
            (alpha, "bravo", bravo, "x"),
            (bravo, "alpha", alpha, "y"),
        ):
            station.settled(line)
            got = peer.box("inbox")
            assert [one["id"] for one in got] == sent
            assert all(one["body"].rstrip(letter) == one["id"] for one in got)


def test_a_flipped_bit_ends_the_session_and_nothing_else(stations: Stations) -> None:
    """One bit that gets through would be a forged order; one that loses a message, a missing one."""
    bravo = stations.make("bravo")
    alpha = behind(stations, bravo)
    rng = random.Random(1977)

    def flip(data: bytes) -> bytes:
        at = rng.randrange(len(data))
        return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]

    with Proxy(bravo.port) as proxy:
        alpha.pin(bravo, proxy.address)
        start(bravo, alpha)
        for number in range(4):
            proxy.alter_next(flip)
            alpha.send("bravo", message(f"flip-{number}", f"the {number}th order" + "." * 20_000))
            until("the session ends", lambda n=number: len(bravo.logged("session_failed")) > n)  # type: ignore[misc]
            assert proxy.altered
            alpha.await_logged("session_cut")
            alpha.call("retry")
            alpha.up("bravo")
            alpha.settled("bravo")
        assert {line["error"] for line in bravo.logged("session_failed")} == {"RecordError"}
        assert [(one["id"], one["body"].rstrip(".")) for one in bravo.box("inbox")] == [
            (f"flip-{number}", f"the {number}th order") for number in range(4)
        ]
        assert bravo.status("alpha")["state"] == "up"


def test_a_line_that_is_cut_again_and_again_still_gets_everything_through(
    stations: Stations,
) -> None:
    """Each connection lives for a few units only: progress must be kept from one to the next."""
    bravo = stations.make("bravo")
    alpha = behind(stations, bravo)
    with Proxy(bravo.port) as proxy:
        alpha.pin(bravo, proxy.address)
        start(bravo, alpha)
        proxy.cut_each_after(150_000)
        alpha.send("bravo", message("long", "z" * 1_000_000))

        def through() -> bool:
            alpha.call("retry")
            return str(alpha.box("outbox")[0]["state"]) == "delivered"

        until("the message is through", through)
        assert len(alpha.logged("session_agreed")) > 3, "it was hardly cut"
        assert bravo.box("inbox")[0]["body"] == "z" * 1_000_000
