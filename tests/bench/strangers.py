"""When a stranger's connection closes, for what was sent: ``python tests/bench/strangers.py [CALLS]``.

A real daemon is called by strangers of each kind at once; each waits until it is hung up on. Both
distributions are printed: of those whose first unit has a right mac, and so cost the station work, and
of those who sent junk or nothing. If the time told what was sent, they would differ.
"""

from __future__ import annotations

import contextlib
import os
import random
import selectors
import socket
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from hotline.identity import read_secret_keys
from hotline.identity.card import read_card
from hotline.line.pairing import Pairing
from hotline.line.session import Session
from hotline.noise.ephemerals import system_ephemerals
from hotline.noise.kem import MLKEM1024
from hotline.wire import handshake
from support.stations import Station, stations_at_work

if TYPE_CHECKING:
    from collections.abc import Callable

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
        spoilt = genuine[:-17] + os.urandom(1)
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
    """Call once for each of sent, some at a time; give how long each connection lasted, in ms."""
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
                    lasted[name].append((time.monotonic() - began) * 1000)
                    selector.unregister(caller)
                    caller.close()
    return lasted


def row(name: str, values: list[float]) -> str:
    """Give one distribution in a line, in milliseconds."""
    quarters = statistics.quantiles(values, n=20)
    return (
        f"| {name} | {len(values)} | {min(values):.1f} | {quarters[0]:.1f} | "
        f"{statistics.median(values):.1f} | {quarters[-1]:.1f} | {max(values):.1f} |"
    )


def main(calls: int) -> int:
    """Print both distributions, and each kind's."""
    with stations_at_work() as stations:
        alpha, bravo = stations.make("alpha"), stations.make("bravo")
        bravo.pin(alpha, calls=False)
        bravo.start()
        senders = kinds(alpha, bravo)
        sent = [(name, make()) for name, make in senders.items() for _ in range(calls)]
        random.shuffle(sent)
        lasted = measure(bravo, sent)
    print("| sent | calls | least | 5 % | median | 95 % | most |\n|---|---|---|---|---|---|---|")
    for name, values in lasted.items():
        print(row(name, values))
    costly = [one for name, values in lasted.items() if name.startswith("right") for one in values]
    cheap = [
        one for name, values in lasted.items() if not name.startswith("right") for one in values
    ]
    print(row("**all with a right mac**", costly))
    print(row("**all without**", cheap))
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 50))
