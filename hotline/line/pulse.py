"""Heartbeats: round trip, clock offset, and proof that what we say is heard.

Round trip and offset follow NTP (RFC 5905, section 8): the echo tells which of our heartbeats the
peer had, and how long it held it, so its own pace does not count as distance.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from hotline.limits import CALM_ROUND_TRIPS, CALM_S
from hotline.wire.frames import Heartbeat

if TYPE_CHECKING:
    from hotline.line.moment import Moment
    from hotline.model import LineRecord

_REMEMBERED: Final = 64
"""Heartbeats whose echo may still come: minutes, at any sensible interval."""


class Pulse:
    """Heartbeats of one session, both ways; ``proven_at`` is when what was echoed left us."""

    __slots__ = (
        "_began_at",
        "_heard_at",
        "_sent",
        "attended",
        "clock_offset_s",
        "heard_number",
        "interval_s",
        "number",
        "peer_has",
        "peer_interval_s",
        "proven_at",
        "rtt_s",
    )

    def __init__(self, interval_s: float, now: float) -> None:
        """Start with the proof that a fresh handshake gives: the peer answered our new key."""
        self._began_at = now
        self.interval_s = interval_s
        self.peer_interval_s = interval_s
        self.number = 0
        self.proven_at = now
        self.rtt_s: float | None = None
        self.clock_offset_s: float | None = None
        self.attended = False
        self._sent: OrderedDict[int, float] = OrderedDict()
        self.heard_number = 0
        self.peer_has = 0
        """How far the peer's copy of our log went by its newest heartbeat."""
        self._heard_at = now

    def calm_at(self, times: int = 1) -> float:
        """Give when what waited for the session has probably gone; infinity before a round trip."""
        if self.rtt_s is None:
            return math.inf
        return self._began_at + times * max(CALM_S, CALM_ROUND_TRIPS * self.rtt_s)

    def beat(
        self, moment: Moment, record: LineRecord, *, accepting: bool, attended: bool
    ) -> Heartbeat:
        """Give the next heartbeat to send."""
        self.number += 1
        self._sent[self.number] = moment.now
        if len(self._sent) > _REMEMBERED:
            self._sent.popitem(last=False)
        held_s = moment.now - self._heard_at if self.heard_number else 0.0
        return Heartbeat(
            number=self.number,
            time_ns=moment.wall_ns,
            echo=self.heard_number,
            held_us=int(held_s * 1e6),
            interval_ms=int(self.interval_s * 1000),
            own_number=record.own.number,
            own_head=record.own.head,
            peer_number=record.peer.number,
            peer_head=record.peer.head,
            receipted=record.receipt.number if record.receipt else 0,
            accepting=accepting,
            attended=attended,
        )

    def heard(self, heartbeat: Heartbeat, moment: Moment) -> None:
        """Learn from the peer's heartbeat."""
        self.heard_number = heartbeat.number
        self._heard_at = moment.now
        self.attended = heartbeat.attended
        self.peer_has = heartbeat.peer_number
        self.peer_interval_s = heartbeat.interval_ms / 1000
        sent_at = self._sent.get(heartbeat.echo)
        if sent_at is None:
            return
        while self._sent and next(iter(self._sent)) <= heartbeat.echo:
            self._sent.popitem(last=False)
        self.proven_at = sent_at
        self.rtt_s = max(0.0, moment.now - sent_at - heartbeat.held_us / 1e6)
        self.clock_offset_s = (heartbeat.time_ns - moment.wall_ns) / 1e9 + self.rtt_s / 2
