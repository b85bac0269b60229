"""The judges of the scenarios are judged: each is shown the fault that it must see."""

from __future__ import annotations

import random
import struct
from typing import Any

import pytest
from faults.account import reckon
from faults.load import Ledger
from faults.relay import Fate, Weather, payload_start, with_tcp_checksum
from faults.sampler import Claims, Sample, Truth


def ledger(*accepted: str) -> Ledger:
    made = Ledger()
    messages = [{"id": name, "body": f"body {name}"} for name in accepted]
    made.ask(messages)
    made.answered(messages)
    return made


def inbox(*names: str) -> list[dict[str, Any]]:
    return [{"id": name, "body": f"body {name}", "number": n} for n, name in enumerate(names, 1)]


def outbox(**states: str) -> list[dict[str, Any]]:
    return [{"id": name, "state": state} for name, state in states.items()]


def test_an_exact_delivery_is_no_problem() -> None:
    """A judge that always complains is as useless as one that never does."""
    told = outbox(a="delivered", b="acknowledged")
    account = reckon(ledger("a", "b"), told, inbox("a", "b"), Claims())
    assert account.problems == []
    assert (account.accepted, account.delivered, account.lost) == (2, 2, 0)


@pytest.mark.parametrize(
    ("told", "arrived", "problem"),
    [
        (outbox(a="delivered"), inbox(), "accepted and lost"),
        (outbox(a="delivered"), inbox("a", "a"), "delivered twice"),
        (outbox(a="delivered", z="delivered"), inbox("a", "z"), "never accepted"),
        (outbox(a="sent"), inbox("a"), "delivered but not told so"),
        (outbox(a="queued"), inbox(), "left without an end"),
        (outbox(a="delivered"), [{"id": "a", "body": "b0dy a", "number": 1}], "changed on the way"),
    ],
)
def test_what_does_not_fit_is_a_problem(
    told: list[dict[str, Any]], arrived: list[dict[str, Any]], problem: str
) -> None:
    """A scenario whose reckoning sees nothing would pass on any program."""
    account = reckon(ledger("a"), told, arrived, Claims())
    assert any(problem in one for one in account.problems)


def test_a_refused_message_that_arrives_is_unknown() -> None:
    """Refused means that nothing was queued: an operator will have found another way."""
    asked = ledger()
    asked.ask([{"id": "a", "body": "body a"}])
    assert asked.unsure == {"a"}
    asked.refuse(["a"], "disk-full")
    assert reckon(asked, outbox(a="delivered"), inbox("a"), Claims()).unknown == 1


@pytest.mark.parametrize(
    ("states", "backward"),
    [
        (("queued", "sent", "delivered", "acknowledged"), False),
        (("queued", "expired"), False),
        (("sent", "queued"), True),
        (("delivered", "sent"), True),
        (("sent", "cancelled"), True),
        (("delivered", "expired"), True),
    ],
)
def test_a_state_that_goes_backwards_is_seen(states: tuple[str, ...], *, backward: bool) -> None:
    """Delivered cannot be taken back, nor what is sent be cancelled."""
    claims = Claims()
    for state in states:
        claims.note({"id": "a", "state": state})
    assert bool(claims.backward) is backward


def test_delivered_of_what_is_not_there_is_an_untrue_claim() -> None:
    """The claim was made, whatever the state says later."""
    claims = Claims()
    claims.note({"id": "a", "state": "delivered"})
    account = reckon(ledger("a"), outbox(a="queued"), inbox(), claims)
    assert any("claimed delivered once" in one for one in account.problems)


@pytest.mark.parametrize(
    ("asked", "answered", "state", "reason", "untrue"),
    [
        (12.1, 12.2, "up", "proven", True),
        (11.9, 12.2, "up", "proven", False),  # it may have been up when it answered
        (12.1, 20.1, "up", "proven", False),  # the fault may have been over
        (12.1, 12.2, "down", "network-silent", False),
        (10.5, 10.6, "degraded", "peer-stalled", True),
        (9.9, 10.6, "degraded", "peer-stalled", False),
    ],
)
def test_only_what_cannot_have_been_true_is_untrue(
    asked: float, answered: float, state: str, reason: str, *, untrue: bool
) -> None:
    """The judge must not convict on a sample that was asked for in time."""
    truth = Truth("a cut", 10.0, 20.0, 2.0, frozenset({"peer-stalled"}))
    assert truth.broken_by(Sample(asked, answered, "alpha", state, reason, {})) is untrue


def segment(payload: bytes) -> bytes:
    """Give a packet of IPv4 and TCP with this payload; its checksum is not set."""
    ip = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, 40 + len(payload), 1, 0, 64, 6, 0, b"\x0a" * 4, b"\x0b" * 4
    )
    tcp = struct.pack("!HHIIBBHHH", 1963, 4000, 7, 9, 0x50, 0x18, 512, 0, 0)
    return ip + tcp + payload


def folded(packet: bytes) -> int:
    """Add up a segment with its pseudo-header as its receiver does: 0xFFFF is intact."""
    data = packet[12:20] + struct.pack("!BBH", 0, 6, len(packet) - 20) + packet[20:]
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


@pytest.mark.parametrize("size", [1, 2, 1399, 1400])
def test_a_mended_checksum_is_right(size: int) -> None:
    """With a wrong one TCP would drop the segment, and the AEAD would never be put to the test."""
    packet = with_tcp_checksum(segment(random.Random(size).randbytes(size)))
    assert folded(packet) == 0xFFFF
    assert payload_start(packet) == 40
    assert payload_start(segment(b"")) is None


def test_weather_does_what_it_says() -> None:
    """A relay that changes nothing would let every scenario pass."""
    packet = with_tcp_checksum(segment(b"x" * 100))
    fate = Fate(1)
    assert fate.of(packet) == [(0.0, packet)]
    fate.weather = Weather(loss=1.0)
    assert fate.of(packet) == []
    fate.weather = Weather(duplicate=1.0)
    assert [data for _, data in fate.of(packet)] == [packet, packet]
    fate.weather = Weather(tamper=1.0)
    ((_, tampered),) = fate.of(packet)
    assert tampered[40:] != packet[40:]
    assert folded(tampered) == 0xFFFF
    fate.weather = Weather(corrupt=1.0)
    ((_, corrupted),) = fate.of(packet)
    assert folded(corrupted) != 0xFFFF
    fate.weather = Weather(reorder=1.0, delay_s=0.5)
    ((delay_s, _),) = fate.of(packet)
    assert delay_s > 0.5
    named = ("lost", "doubled", "tampered", "corrupted", "overtaken")
    assert all(fate.counts[what] == 1 for what in named)
