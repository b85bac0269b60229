"""When a stranger's connection closes, for what was sent.

A real daemon is called by strangers of each kind at once; each waits until it is hung up on. Both
distributions are told: of those whose first unit has a right mac, and so cost the station work, and
of those who sent junk or nothing. If the time told what was sent, they would differ.
"""

from __future__ import annotations

import bisect
import contextlib
import math
import os
import random
import selectors
import socket
import statistics
import time
from typing import TYPE_CHECKING, Final

from bench.figure import SECONDS, Figure, Outcome, Reach, Scale, measurement
from bench.world import stations

from hotline.identity import read_secret_keys
from hotline.identity.card import read_card
from hotline.line.pairing import Pairing
from hotline.line.session import Session
from hotline.noise.ephemerals import system_ephemerals
from hotline.noise.kem import MLKEM1024
from hotline.wire import handshake

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from support.stations import Station

UNIT_BYTES: Final = 4096
AT_ONCE: Final = 50
"""Fewer than one source may hold, so that nobody yields."""


def kinds(alpha: Station, bravo: Station) -> dict[str, Callable[[], bytes]]:
    """Give what each kind of stranger sends; nobody of them has alpha's secret keys."""
    keys = read_secret_keys(alpha.folder / "alpha.key")
    pairing = Pairing(keys, read_card(alpha.card), read_card(bravo.card))
    genuine = Session(pairing, system_ephemerals(MLKEM1024), initiator=True).pull(UNIT_BYTES)

    def right_mac() -> bytes:
        junk = os.urandom(handshake.FIRST_MESSAGE_BYTES)
        return handshake.seal_first(junk, pairing.calling_mac_key)

    def right_mac_and_key() -> bytes:
        other = genuine[-17] ^ random.randrange(1, 256)  # never the right one by chance
        spoilt = genuine[:-17] + bytes([other])
        return handshake.seal_first(spoilt, pairing.calling_mac_key)

    return {
        "nothing": lambda: b"",
        "a byte": lambda: b"\x16",
        "junk, a unit": lambda: os.urandom(UNIT_BYTES),
        "junk, two units": lambda: os.urandom(2 * UNIT_BYTES),
        "right mac, junk behind": right_mac,
        "right mac, all but the last tag": right_mac_and_key,
    }


def measure(bravo: Station, sent: list[tuple[str, bytes]]) -> dict[str, list[float]]:
    """Call once for each of sent, some at a time; give how long each connection lasted, in s."""
    lasted: dict[str, list[float]] = {name: [] for name, _ in sent}
    for start in range(0, len(sent), AT_ONCE):
        with selectors.DefaultSelector() as selector:
            for name, data in sent[start : start + AT_ONCE]:
                began = time.monotonic()
                caller = socket.create_connection(("127.0.0.1", bravo.port), 10)
                caller.sendall(data)
                selector.register(caller, selectors.EVENT_READ, (name, began, caller))
                time.sleep(random.uniform(0, 0.02))
            while selector.get_map():
                for key, _ in selector.select(30):
                    name, began, caller = key.data
                    with contextlib.suppress(ConnectionResetError):
                        assert caller.recv(1) == b"", "a stranger was answered"
                    lasted[name].append(time.monotonic() - began)
                    selector.unregister(caller)
                    caller.close()
    return lasted


def distance(one: Sequence[float], other: Sequence[float]) -> float:
    """Give the greatest difference of two distributions, 0 to 1 (Kolmogorov and Smirnov)."""
    ordered = sorted(one), sorted(other)

    def share(values: list[float], upto: float) -> float:
        return bisect.bisect_right(values, upto) / len(values)

    return max(abs(share(ordered[0], x) - share(ordered[1], x)) for x in (*one, *other))


def by_chance(one: int, other: int) -> float:
    """Give the distance that so many of one distribution have by chance once in a hundred times."""
    return 1.628 * math.sqrt((one + other) / (one * other))


def told(name: str, values: Sequence[float]) -> str:
    """Give one distribution in a line."""
    first, *_, last = statistics.quantiles(values, n=20)
    median = statistics.median(values)
    return (
        f"{name}: {len(values)} calls, median {1000 * median:.1f} ms,"
        f" 5 % to 95 % {1000 * first:.1f} to {1000 * last:.1f} ms"
    )


@measurement("strangers")
def strangers(scale: Scale) -> Outcome:
    """Call a daemon with each kind of first unit, in a random order."""
    costly = Figure(
        "strangers",
        "until a stranger is hung up on whose unit costs public-key work",
        SECONDS,
        Reach("within 1 % of the others", at_most=1.01, of_ratio=True),
        "a stranger who sends nothing or junk",
    )
    with stations() as some:
        alpha, bravo = some.make("alpha"), some.make("bravo")
        bravo.pin(alpha, calls=False)
        bravo.start()
        senders = kinds(alpha, bravo)
        sent = [(name, make()) for name, make in senders.items() for _ in range(scale.strangers)]
        random.shuffle(sent)
        lasted = measure(bravo, sent)
    for name, values in lasted.items():
        (costly.runs if name.startswith("right") else costly.floors).extend(values)
    found = distance(costly.runs, costly.floors)
    chance = by_chance(len(costly.runs), len(costly.floors))
    costly.notes += [
        told("with a right mac", costly.runs),
        told("without one", costly.floors),
        f"distance of the two distributions {found:.2f}; by chance up to {chance:.2f}",
    ]
    return Outcome([costly])
