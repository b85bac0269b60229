"""TCP as it may go: two flows of bytes between two ends, over ways that may be slow or hostile.

A way is one direction between two stations; all connections share its rate. Bytes of one connection
arrive in order or not at all. What an end has given to its kernel is on its way whatever becomes of
the process; what reaches a closed end is answered by a reset.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from hotline.limits import CLOSE_TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.world import World

MSS: Final = 1448
_SEGMENT_BYTES: Final = 64 * 1024
_SYN_RETRIES_S: Final = (0.0, 1.0, 3.0, 7.0)


@dataclass
class Way:
    """One direction between two stations."""

    name: str
    delay_s: float = 0.02
    jitter: float = 0.2
    rate: float | None = None
    """Bytes a second; None: not the bottleneck."""
    clogged: bool = False
    crumbs: bool = False
    """Bytes arrive in small pieces, down to one byte."""
    damage: float = 0.0
    """The chance that a segment is changed on the way."""
    refusing: bool = False
    """New connections are refused (a firewall's reset)."""
    free_at: float = 0.0
    flows: list[Flow] = field(default_factory=list)


class Flow:
    """One direction of one connection."""

    def __init__(self, world: World, way: Way, to: End) -> None:
        self.world = world
        self.way = way
        self.to = to
        self.src: End
        self.queue: deque[bytes] = deque()
        self.queued_bytes = 0
        self.air = 0
        """Segments that have left and not arrived."""
        self.held: deque[bytes | str] = deque()
        """Arrived before a clog, to be sent again after it."""
        self.fin = ""
        self.broken = False
        self._moving = False
        self._last_arrival = 0.0
        way.flows.append(self)

    @property
    def unacknowledged(self) -> bool:
        """Tell whether bytes have not reached the other kernel."""
        return bool(self.queue or self.air or self.held)

    def put(self, data: bytes) -> None:
        """The kernel takes bytes."""
        self.queue.append(data)
        self.queued_bytes += len(data)
        self.pump()

    def finish(self, how: str) -> None:
        """After all bytes comes the end."""
        self.fin = self.fin or how
        self.pump()

    def pump(self) -> None:
        """Move the next segment, if the way is free."""
        if self._moving or self.broken or self.way.clogged:
            return
        piece: bytes | str
        if self.queue:
            piece = self._segment()
        elif self.fin and self.fin != "sent":
            piece, self.fin = self.fin, "sent"
        else:
            return
        world, way = self.world, self.way
        took = len(piece) / way.rate if way.rate else 0.0
        start = max(world.now, way.free_at)
        way.free_at = start + took
        self._moving = True
        self.air += 1
        delay = way.delay_s * (1.0 + way.jitter * world.random.random())
        self._last_arrival = max(self._last_arrival, start + took + delay)
        world.at(self._last_arrival, lambda: self._arrive(piece))
        world.at(start + took, self._moved)

    def _moved(self) -> None:
        self._moving = False
        self.src.drained()
        self.pump()

    def _segment(self) -> bytes:
        data = self.queue.popleft()
        most = _SEGMENT_BYTES if self.way.rate is None else 3 * MSS
        if self.way.crumbs and len(data) < 4 * _SEGMENT_BYTES:
            most = self.world.random.choice([1, 1, 17, MSS, MSS, 4096, 4097, _SEGMENT_BYTES])
        if len(data) > most:
            self.queue.appendleft(data[most:])
            data = data[:most]
        self.queued_bytes -= len(data)
        return data

    def _arrive(self, piece: bytes | str) -> None:
        self.air -= 1
        if self.broken:
            return
        if self.way.clogged or self.held:
            self.held.append(piece)
            return
        self._deliver(piece)

    def unclog(self) -> None:
        """What was lost in the clog is sent again."""
        while self.held and not self.way.clogged and not self.broken:
            self._deliver(self.held.popleft())
        self.pump()

    def _deliver(self, piece: bytes | str) -> None:
        if isinstance(piece, str):
            self.to.ended(piece)
            return
        if self.way.damage and self.world.random.random() < self.way.damage:
            piece = self.world.attacker.damage(piece)
            self.to.tampered = True
        self.to.arrived(piece)

    def break_off(self) -> None:
        """Nothing of this flow arrives any more."""
        self.broken = True
        self.queue.clear()
        self.queued_bytes = 0
        self.held.clear()
        if self in self.way.flows:
            self.way.flows.remove(self)


class End:
    """One end of a connection, and who owns it there: hooks are called while it is open."""

    def __init__(self, world: World, host: str) -> None:
        self.world = world
        self.host = host
        self.out: Flow
        self.open = True
        self.tampered = False
        """An attacker has changed what came here."""
        self.spliced = False
        """The other end is no station."""
        self.on_data: Callable[[bytes], None] = lambda _data: None
        self.on_end: Callable[[str], None] = lambda _how: None
        self.on_room: Callable[[], None] = lambda: None

    @property
    def other(self) -> End:
        """The end over there."""
        return self.out.to

    def drained(self) -> None:
        """The kernel has room again."""
        if self.open:
            self.on_room()

    def arrived(self, data: bytes) -> None:
        """Bytes came to this host."""
        if not self.world.host_up(self.host):
            return
        if self.open:
            self.on_data(data)
        else:
            self._reset_other()

    def ended(self, how: str) -> None:
        """The stream ends here."""
        if self.open:
            self.open = False
            self.on_end(how)
            self._finish("truncated")

    def _reset_other(self) -> None:
        self.out.queue.clear()
        self.out.queued_bytes = 0
        self.out.fin = "" if self.out.fin == "sent" else self.out.fin
        self._finish("session-lost")

    def _finish(self, how: str) -> None:
        self.out.finish(how)

    def close(self, farewell: bytes = b"") -> None:
        """The process lets go: farewell, then the end; what does not leave in time is dropped."""
        if not self.open:
            return
        self.open = False
        if farewell:
            self.out.put(farewell)
        self._finish("truncated")
        if self.out.queue:
            self.world.after(CLOSE_TIMEOUT_S, self._give_up)

    def _give_up(self) -> None:
        if self.out.queue and self.world.random.random() < 0.5:
            self._reset_other()

    def vanish(self) -> None:
        """The host has lost power: not even an end is sent."""
        self.open = False
        self.out.break_off()


def connect(world: World, near: End, far: End) -> None:
    """Join two ends."""
    near.out = Flow(world, world.way(near.host, far.host), far)
    far.out = Flow(world, world.way(far.host, near.host), near)
    near.out.src, far.out.src = near, far
    world.ends += [near, far]
    if len(world.ends) > 256:
        world.forget_closed()


def dial(world: World, source: str, target: str, answered: Callable[[str], None]) -> None:
    """Try to reach a host: answered is told "" for a connection, or the trouble."""
    there, back = world.way(source, target), world.way(target, source)

    def attempt(number: int) -> None:
        if there.clogged or back.clogged or not world.host_up(target):
            if number + 1 < len(_SYN_RETRIES_S):
                pause = _SYN_RETRIES_S[number + 1] - _SYN_RETRIES_S[number]
                world.after(pause, lambda: attempt(number + 1))
            else:
                world.after(10.0 - _SYN_RETRIES_S[-1], lambda: answered("timed-out"))
            return
        refused = there.refusing or not world.listening(target)
        world.after(there.delay_s + back.delay_s, lambda: answered("refused" if refused else ""))

    world.after(0.0, lambda: attempt(0))


def cut(end: End, *, near_learns: bool, far_learns: bool) -> None:
    """Break a connection in the middle: what is under way is lost, and who learns of it is luck."""
    for side, learns in ((end, near_learns), (end.other, far_learns)):
        flow = side.out
        flow.queue.clear()
        flow.queued_bytes = 0
        flow.broken = True
        if flow in flow.way.flows:
            flow.way.flows.remove(flow)
        if learns and side.open:
            side.open = False
            side.on_end("session-lost")
        elif side.open:
            _half_open(side)


def _half_open(side: End) -> None:
    """This end still believes in its connection; the next bytes it sends are answered by a reset.

    (Where the path is gone for good they are not: then silence is all it ever gets.)
    """
    world = side.world
    if world.random.random() < 0.5:
        side.out = _Void(world, side)
    else:
        side.out.broken = True


class _Void(Flow):
    """Where bytes go once the other end has gone: a reset comes back."""

    def __init__(self, world: World, side: End) -> None:
        super().__init__(world, side.out.way, side.out.to)
        self.src = side
        self._fired = False
        self.way.flows.remove(self)

    def pump(self) -> None:
        if self._fired or not self.queue:
            return
        self._fired = True
        side = self.src
        self.world.after(2 * self.way.delay_s, lambda: side.ended("session-lost"))
