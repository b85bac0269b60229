"""A station written from docs/protocol.md alone, on the line with a real daemon."""

from __future__ import annotations

import socket
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import msgpack  # type: ignore[import-untyped]
import pytest

from support import by_the_page
from support.processes import until
from support.stations import message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.stations import Station, Stations

HELLO, ENTRIES, RECEIPT, HEARTBEAT, CHECKPOINT, CLOSE, COURIER_KEY = 2, 3, 4, 5, 6, 7, 11


class Caller:
    """Alpha, by the page: calls bravo's daemon and speaks as a station must."""

    def __init__(self, alpha: Station, bravo: Station) -> None:
        keys = by_the_page.Keys.read_file((alpha.folder / "alpha.key").read_text())
        self.keys = keys
        own = by_the_page.Card.read_file(alpha.card)
        self.peer = by_the_page.Card.read_file(bravo.card)
        self.session = by_the_page.Initiator(keys, own, self.peer)
        self.own_log = by_the_page.Log(own.id, self.peer.id)
        self.peer_log = by_the_page.Log(self.peer.id, own.id)
        self.heard: deque[tuple[int, list[Any]]] = deque()
        self.sock = socket.create_connection(("127.0.0.1", bravo.port), 10)
        self.sock.settimeout(20)
        self.beats = 0

    def read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = self.sock.recv(count - len(data))
            assert piece, "the daemon hung up"
            data += piece
        return data

    def open(self) -> None:
        """Make the handshake and both attestations."""
        self.sock.sendall(self.session.first_unit())
        self.session.read_second_unit(self.read(4096))
        [(kind, body)] = self.session.frames(self.read(8192))
        assert kind == 1
        self.session.check_attestation(body)
        self.sock.sendall(self.session.attestation())

    def say(self, kind: int, *fields: object) -> None:
        self.sock.sendall(self.session.units(kind, list(fields)))

    def stands(self) -> list[object]:
        """Numbers and heads of both logs."""
        own, peer = self.own_log, self.peer_log
        return [own.number, own.heads[-1], peer.number, peer.heads[-1]]

    def beat(self) -> None:
        self.beats += 1
        beat = [self.beats, time.time_ns(), 0, 0, 5000, *self.stands(), 0, True, False]
        self.say(HEARTBEAT, *beat)

    def hear(self, kind: int) -> list[Any]:
        """Wait for a frame of a kind; what a station may say at any time in between is no news."""
        while True:
            while self.heard:
                got, fields = self.heard.popleft()
                if got == kind:
                    return fields
                assert got in (HEARTBEAT, CHECKPOINT, COURIER_KEY), f"{got} while {kind} was due"
            for got, body in self.session.frames(self.read(4096)):
                self.heard.append((got, msgpack.unpackb(body)))

    def write(self, *fields: object) -> None:
        """Seal an entry and send it."""
        data = msgpack.packb(list(fields))
        self.own_log.add(data)
        number = self.own_log.number
        signature = self.keys.ed25519.sign(self.own_log.head_text(number))
        self.say(ENTRIES, number, [data], signature)

    def receipted(self) -> None:
        """Wait for the daemon's receipt over all that was written."""
        number, head, time_ns, signature = self.hear(RECEIPT)
        assert (number, head) == (self.own_log.number, self.own_log.heads[number])
        self.peer.check_ed25519(signature, self.own_log.receipt_text(number, time_ns))

    def take(self) -> tuple[int, dict[str, Any]]:
        """Take one entry in, check its signature, and sign a receipt."""
        first, [data], signature = self.hear(ENTRIES)
        assert first == self.peer_log.number + 1
        self.peer_log.add(data)
        self.peer.check_ed25519(signature, self.peer_log.head_text(first))
        now = time.time_ns()
        receipt = self.keys.ed25519.sign(self.peer_log.receipt_text(first, now))
        self.say(RECEIPT, first, self.peer_log.heads[first], now, receipt)
        return by_the_page.entry(data)


@pytest.fixture
def bravo_and_caller(stations: Stations) -> Iterator[tuple[Station, Caller]]:
    """Give a real bravo that waits for alpha, and alpha by the page, who has called it."""
    alpha, bravo = stations.make("alpha"), stations.make("bravo")
    bravo.pin(alpha, calls=False, heartbeat_s=5)
    bravo.start()
    caller = Caller(alpha, bravo)
    with caller.sock:
        yield bravo, caller


def test_a_station_made_from_the_page_talks_to_the_daemon(
    bravo_and_caller: tuple[Station, Caller],
) -> None:
    """An engineer with the page and none of the code must be able to write the other end of a line."""
    bravo, caller = bravo_and_caller
    caller.open()
    caller.say(HELLO, *caller.stands(), 0, 5000, True, 0 if caller_is_second(caller) else 1, False)
    hello = caller.hear(HELLO)
    assert hello[:2] == [0, caller.peer_log.heads[0]]
    assert hello[2:4] == [0, caller.own_log.heads[0]]
    caller.beat()
    assert caller.hear(HEARTBEAT)[5:9] == hello[:4], "what it tells is what we may go on from"
    bravo.up("alpha")

    caller.write(1, "order-1", 0, time.time_ns(), None, "by hand", "From the page", "Say again")
    caller.receipted()
    [got] = bravo.json("inbox")
    assert (got["id"], got["body"], got["precedence"]) == ("order-1", "Say again", "FLASH")

    assert bravo.hotline("ack", "order-1", "--decision", "wilco").code == 0
    kind, answer = caller.take()
    assert kind == 3
    assert (answer["message_id"], answer["number"], answer["decision"]) == ("order-1", 1, 1)

    bravo.send("alpha", message("reply-1", "Heard"))
    kind, reply = caller.take()
    assert kind == 1
    assert (reply["id"], reply["body"]) == ("reply-1", "Heard")
    until(
        "it counts as delivered", lambda: bravo.json("show", "reply-1")[0]["state"] == "delivered"
    )

    caller.say(CLOSE, "stopped", "done")
    bravo.await_logged("session_closed", code="stopped")
    caller.sock.close()
    assert bravo.logged("session_failed") == bravo.logged("line_halted") == []


def caller_is_second(caller: Caller) -> bool:
    """Tell whether bravo is the arbiter: only the arbiter counts its choices."""
    return caller.session.own.id > caller.peer.id
