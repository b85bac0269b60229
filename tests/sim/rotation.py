"""Operators change a station's keys, and may do so again once every peer has confirmed.

The files with the new keys outlive every crash, as they do on a host whose disk honours fsync. A peer's
operator is handed the successions whenever its daemon starts: so a line whose store was lost finds its
peer under the keys of the day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim import crypto

from hotline.errors import StoreFullError
from hotline.line import key_changes
from hotline.line.lineage import Generation
from hotline.model import Side

if TYPE_CHECKING:
    from sim.pairing import WatchedPairing
    from sim.runner import Runner
    from sim.station import Station
    from sim.world import World

_AGAIN_S = 5.0
_MOST = 3
_IN_A_WORLD = 3.0
_BOTH = 0.4
"""How often the operators of two stations have the same thought."""


class Rotation:
    """Every station's later keys, by its identity."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.random = world.stream("rotation")
        self._made: dict[str, list[tuple[Any, Any]]] = {}
        self._untold: set[Runner] = set()
        """Whose operators are to hear that the peer has confirmed."""

    def start(self) -> None:
        """Begin to change keys, in worlds whose operators do."""
        if self.world.options.rotates and self.world.options.trouble != "clone":
            self._next()

    def _next(self) -> None:
        gap_s = self.random.expovariate(_IN_A_WORLD / self.world.options.chaos_s)
        self.world.when_busy(gap_s, self._look)

    def _look(self) -> None:
        if not self.world.operators.busy:
            return
        self._next()
        stations = [one for one in self.world.stations if self._may(one)]
        both = self.random.random() < _BOTH
        for station in self.random.sample(stations, min(len(stations), 2 if both else 1)):
            self._rotate(station)

    def _may(self, station: Station) -> bool:
        """Tell whether a station's daemon would let its operator do it now."""
        if not station.alive or station.frozen or station.stopping or station.is_clone:
            return False
        return len(self._made.get(station.identity, [])) < _MOST and not any(
            line.halt is not None or line.record.recovering or line.key_changes.state == "pending"
            for line in (runner.line for runner in station.runners.values())
        )

    def _rotate(self, station: Station) -> None:
        made, options = self._made.setdefault(station.identity, []), self.world.options
        old = (made[-1][0].card, made[-1][1]) if made else (station.card, station.keys)
        made.append(
            crypto.successor(station.identity, old, len(made) + 1, options.seed, real=options.real)
        )
        for runner in station.runners.values():
            self.take_up(runner)

    def has_changed(self, identity: str) -> bool:
        """Tell whether a station has had other keys."""
        return bool(self._made.get(identity))

    def successions(self, identity: str) -> list[Any]:
        """Give a station's successions, as the files beside its card say."""
        return [succession for succession, _ in self._made.get(identity, [])]

    def known(self, pairing: WatchedPairing, station: Station, peer: str) -> None:
        """Give a pairing what the files of both stations say, and what the store remembers."""
        for succession, keys in self._made.get(station.identity, []):
            pairing.owns.add(Generation(succession.card, keys))
        for succession, _ in self._made.get(peer, []):
            pairing.peers.add(Generation(succession.card))

    def remember(self, pairing: WatchedPairing, station: Station, line: int) -> None:
        """Stand where the store does."""

        def look(reader: Any) -> None:
            record = next(one for one in reader.lines() if one.line == line)
            changes = [reader.key_changes(line, side) for side in Side]
            key_changes.remember(pairing, record, *changes)

        station.store.read(look)

    def take_up(self, runner: Runner) -> None:
        """Have a line announce the keys that its log does not name yet, as the daemon does."""
        line, station = runner.line, runner.station
        number, wall_ns = line.record.line, station.moment().wall_ns
        for succession, keys in self._made.get(station.identity, []):
            line.key_changes.prepare(succession.card, keys)
            if line.key_changes.state == "pending":
                self._untold.add(runner)
            at = line.pairing.owns.index(succession.card.id)
            if at is None or line.pairing.owns[at].number is not None:
                continue
            runner.request(
                lambda tx, one=succession: (key_changes.begin(tx, number, one, wall_ns),),  # type: ignore[misc]
                lambda outcome: self._taken_up(runner, outcome),
                fetch=True,
            )

    def _taken_up(self, runner: Runner, outcome: Any) -> None:
        """Try again after a full disk, as the daemon does."""

        def again() -> None:
            if runner in runner.station.runners.values():
                self.take_up(runner)

        if isinstance(outcome, StoreFullError):
            self.world.after(_AGAIN_S, again)

    def confirmed(self, runner: Runner) -> None:
        """A peer has confirmed new keys, and it was told."""
        self._untold.discard(runner)
        world, other = self.world, self.world.runner(runner.peer, runner.station.identity)
        world.mark("keys changed")
        if other is not None and other.line.key_changes.state == "pending":
            world.mark("both sides changed keys at once")
        if runner.line.record.queued_bytes:
            world.mark("keys changed under load")

    def unconfirmed(self) -> str:
        """Name a station of whose keys a peer does not know at the end, or nothing.

        A line that is halted, at either end, confirms nothing any more.
        """
        for station in self.world.stations:
            for runner in station.runners.values():
                there = self.world.runner(runner.peer, station.identity)
                ends = (runner, there) if there is not None else (runner,)
                halted = any(end.line.halt is not None for end in ends)
                if not halted and runner.line.key_changes.state == "pending":
                    return f"{runner.peer} has not confirmed the keys of {station.name}"
                if not halted and runner in self._untold:
                    return (
                        f"nobody heard that {runner.peer} has confirmed the keys of {station.name}"
                    )
        return ""
