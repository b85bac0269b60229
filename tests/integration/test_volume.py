"""Many messages, and daemons that die among them."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from pathlib import Path

from support.processes import until
from support.stations import Message, Stations, message
from support.stations_sender import Sender

PRECEDENCES = ("FLASH", "IMMEDIATE", "PRIORITY", "ROUTINE")


def batch(path: Path, station: str, count: int, rng: random.Random) -> list[Message]:
    """Write a file for ``send --batch`` and give its messages."""
    made = [
        message(
            f"{station}-{number}",
            f"{number} " + "é" * rng.choice((0, 10, 300)),
            precedence=rng.choice(PRECEDENCES),
        )
        for number in range(count)
    ]
    path.write_text("".join(json.dumps(one) + "\n" for one in made))
    return made


def test_a_thousand_each_way_arrive_once_and_in_order(stations: Stations, tmp_path: Path) -> None:
    """Under load, both ways at once, nothing is lost, doubled, changed or overtaken by its equals."""
    pair = stations.running_pair()
    rng = random.Random(1963)
    sent: dict[str, list[Message]] = {}
    senders = []
    for station, line in zip(pair, ("bravo", "alpha"), strict=True):
        path = tmp_path / f"{station.name}.ndjson"
        sent[line] = batch(path, station.name, 1000, rng)
        senders.append(station.begin("send", line, "--batch", path, "--wait", "delivered"))
    assert [sender.wait() for sender in senders] == [0, 0]
    for station, line in zip(pair, ("bravo", "alpha"), strict=True):
        station.settled(line)
        got = station.box("inbox", line)
        expected = sent[station.name]
        assert len(got) == len(expected)
        by_precedence: dict[str, list[Message]] = defaultdict(list)
        for one in got:
            kept = {key: one[key] for key in ("id", "body", "precedence")}
            by_precedence[one["precedence"]].append(kept)
        for precedence in PRECEDENCES:
            wanted = [one for one in expected if one["precedence"] == precedence]
            assert by_precedence[precedence] == wanted
        assert {one["state"] for one in station.box("outbox", line)} == {"delivered"}


def test_ten_kills_lose_nothing_and_double_nothing(stations: Stations) -> None:
    """Whenever a daemon dies, what it accepted arrives once, and nothing else is made up."""
    pair = stations.running_pair()
    rng = random.Random(1914)
    senders = [
        Sender(station, line) for station, line in zip(pair, ("bravo", "alpha"), strict=True)
    ]
    for sender in senders:
        sender.start()
    for _ in range(10):
        # Each life is a different length of real work, so that deaths meet all kinds of moments.
        marks = [len(one.accepted) + rng.randrange(20, 400) for one in senders]
        until(
            "both daemons accept",
            lambda m=marks: all(len(s.accepted) >= n for s, n in zip(senders, m, strict=True)),  # type: ignore[misc]
        )
        victim = rng.choice(pair)
        victim.kill()
        victim.start()
    for sender in senders:
        sender.stop()
    for station, line, peer, sender in (
        (pair[0], "bravo", pair[1], senders[0]),
        (pair[1], "alpha", pair[0], senders[1]),
    ):
        station.call("retry")
        station.up(line)
        station.settled(line)
        outbox, inbox = station.box("outbox"), peer.box("inbox")
        ids = [one["id"] for one in inbox]
        assert len(ids) == len(set(ids)), "a message came twice"
        assert set(ids) == {one["id"] for one in outbox}, "the two sides tell different stories"
        assert sender.accepted.keys() <= set(ids), "an accepted message is lost"
        assert set(ids) <= sender.accepted.keys() | sender.unsure, "a message from nowhere"
        assert {one["state"] for one in outbox} == {"delivered"}
        assert all(one["body"] == f"body of {one['id']}" for one in inbox)
        assert [one["number"] for one in inbox] == sorted(one["number"] for one in inbox)
