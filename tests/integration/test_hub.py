"""One daemon with several lines."""

from __future__ import annotations

from support.processes import until
from support.stations import Stations, message, start

NAMES = ("bravo", "charlie", "delta")


def test_lines_of_one_station_do_not_mix(stations: Stations) -> None:
    """An order for one peer that reaches another is worse than one that reaches nobody."""
    hub = stations.make("alpha")
    peers = {name: stations.make(name) for name in NAMES}
    for peer in peers.values():
        hub.pin(peer)
        peer.pin(hub, calls=peer.name != "delta")
    start(hub, *peers.values())
    for name, peer in peers.items():
        # The same ids on every line: only line and body tell them apart.
        hub.send(name, *(message(f"m-{n}", f"{n} for {name}") for n in range(100)))
        peer.send("alpha", *(message(f"m-{n}", f"{n} from {name}") for n in range(100)))
    for name, peer in peers.items():
        hub.settled(name)
        peer.settled("alpha")
        assert [one["body"] for one in peer.box("inbox")] == [f"{n} for {name}" for n in range(100)]
        assert [one["body"] for one in hub.box("inbox", name)] == [
            f"{n} from {name}" for n in range(100)
        ]
    assert len(hub.box("inbox")) == 300
    unclear = hub.hotline("ack", "m-7")
    assert unclear.code == 5
    assert all(name in unclear.err for name in NAMES)
    assert hub.hotline("ack", "m-7", "--line", "charlie", "--note", "yours").code == 0
    for name, peer in peers.items():
        hub.settled(name)
        peer.when("alpha", unacknowledged=99 if name == "charlie" else 100)

    peers["bravo"].kill()
    hub.when("bravo", state="down")
    hub.fit("delta")
    hub.fit("charlie")

    def only_bravo_is_unfit() -> bool:
        checked = hub.hotline("status", "--check")
        assert checked.code == 6
        return "bravo" in checked.err and "delta" not in checked.err

    until("the one that is down is named", only_bravo_is_unfit)
