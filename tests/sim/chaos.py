"""What goes wrong, and when: faults come at random, most of them end by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim import network
from sim.options import TROUBLES

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.network import Way
    from sim.station import Station
    from sim.world import World

_DAY_NS = 86_400 * 10**9


class Chaos:
    """Fires the faults that the options name."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.random = world.stream("chaos")
        self.over = False
        self.fired: dict[str, int] = {}
        self._backups: dict[str, dict[str, bytes]] = {}
        self._pace = max(world.options.heartbeat_s.values())

    def start(self) -> None:
        """Begin."""
        options = self.world.options
        if options.faults:
            self._next()
        if options.trouble in TROUBLES:
            share = self.random.uniform(0.1, 0.9)
            age = self.random.choice([self.random.random(), 0.03, 0.0])
            self.world.when_busy(options.chaos_s * share * (1.0 - age), self._backup)
            self.world.when_busy(options.chaos_s * share, self._trouble)

    def _next(self) -> None:
        gap = self.random.expovariate(1.0 / self.world.options.fault_gap_s)
        self.world.when_busy(gap, self._fire)

    def _fire(self) -> None:
        if self.over:
            return
        self._next()
        fault = self.random.choice(self.world.options.faults)
        self._note(fault)
        getattr(self, "_" + fault.replace("-", "_"))()

    def _note(self, fault: str) -> None:
        self.fired[fault] = self.fired.get(fault, 0) + 1
        self.world.trace("chaos", fault)

    def heal(self) -> None:
        """No more faults, and an end to those that last."""
        self.over = True
        world = self.world
        for way in world.ways.values():
            self._mend(way)
        for station in world.stations:
            station.disk.room_bytes = None
            station.disk.fail_sync = ""
            station.disk.dies_after = None
            station.dies_untold = False
            station._thaw(station.life)
        for station in [one for one in world.stations if one.is_clone]:
            station.crash()
            station.powered = False
            world.stations.remove(station)
        for station in world.stations:
            self._restart(station, 1.0)

    # --- helpers ---

    def _station(self) -> Station:
        return self.random.choice(self.world.stations)

    def _way(self) -> Way:
        return self.random.choice(list(self.world.ways.values()))

    def _while(self) -> float:
        """How long a fault lasts: around the times at which a line changes its mind."""
        return self._pace * self.random.choice([0.1, 0.5, 1, 2, 3, 4, 8])

    def _mend(self, way: Way) -> None:
        options = self.world.options
        way.clogged, way.refusing, way.damage = False, False, 0.0
        way.rate, way.crumbs = options.rate, options.crumbs
        for flow in list(way.flows):
            flow.unclog()

    def _clog_ways(self, ways: list[Way], duration_s: float) -> None:
        for way in ways:
            way.clogged = True
            self.world.after(duration_s, lambda way=way: self._mend(way))  # type: ignore[misc]

    def _restart(self, station: Station, after_s: float) -> None:
        def go() -> None:
            station.powered = True
            if station in self.world.stations:
                station.start()

        self.world.after(after_s, go)

    # --- stations ---

    def _crash(self) -> None:
        station = self._station()
        station.crash()
        self._restart(station, self._while())

    def _power(self) -> None:
        station = self._station()
        station.lose_power()
        self._restart(station, self._while())

    def _answer(self) -> None:
        """Die when the next commit is durable and nobody has been told."""
        self._station().dies_untold = True

    def _death(self) -> None:
        self._station().disk.dies_after = self.random.randrange(12)

    def after_death(self, station: Station) -> Callable[[], None]:
        """Give what follows when a process died in a write: its host may have died with it."""
        dark = self.random.random() < 0.5
        self._restart(station, self._while())

        untold = station.alive and station.writer.untold > 0

        def follow() -> None:
            if dark:
                if untold:
                    self.world.mark("power loss between commit and answer")
                station.lose_power()

        return follow

    def _stop(self) -> None:
        self._station().stop()

    def _stall(self) -> None:
        self._station().freeze(self._while())

    def _clock(self) -> None:
        sign = self.random.choice([-1, 1])
        self._station().wall_step_ns += sign * int(self.random.expovariate(1.0) * _DAY_NS)

    def _full(self) -> None:
        disk = self._station().disk
        disk.room_bytes = self.random.choice([0, 0, 5000, 50_000, 200_000])
        disk.reserve_bytes = self.random.choice([0, 30_000])

        def free() -> None:
            disk.room_bytes = None

        self.world.after(self._while(), free)

    def _io_lost(self) -> None:
        self._station().disk.fail_sync = "lost"

    def _io_durable(self) -> None:
        self._station().disk.fail_sync = "durable"

    # --- the network ---

    def _clog(self) -> None:
        way = self._way()
        self._clog_ways([way, self.world.way(*reversed(way.name.split(">")))], self._while())

    def _deaf(self) -> None:
        self._clog_ways([self._way()], self._while())

    def _flap(self) -> None:
        way = self._way()
        for number in range(self.random.randrange(3, 12)):
            at = number * self._pace * 0.7
            self.world.after(at, lambda: self._clog_ways([way], self._pace * 0.4))

    def _reset(self) -> None:
        live = [end for end in self.world.ends if end.open and end.other.open]
        if live:
            who = self.random.choice(["near", "far", "both", "none"])
            network.cut(
                self.random.choice(live),
                near_learns=who in ("near", "both"),
                far_learns=who in ("far", "both"),
            )

    def _half_close(self) -> None:
        live = [end for end in self.world.ends if end.open]
        if live:
            end = self.random.choice(live)
            end.other.out.held.clear()
            end.other.out.broken = True
            end.ended("truncated")

    def _refuse(self) -> None:
        way = self._way()
        way.refusing = True
        self.world.after(self._while(), lambda: self._mend(way))

    def _slow(self) -> None:
        way = self._way()
        way.rate = self.random.choice([8_000.0, 8_000.0, 40_000.0])
        self.world.after(self._while(), lambda: self._mend(way))

    def _crumbs(self) -> None:
        way = self._way()
        way.crumbs = True
        self.world.after(self._while(), lambda: self._mend(way))

    # --- the attacker ---

    def _damage(self) -> None:
        way = self._way()
        way.damage = self.random.choice([0.01, 0.2])
        self.world.after(self._while(), lambda: self._mend(way))

    def _replay(self) -> None:
        self.world.attacker.replay()

    def _junk(self) -> None:
        self.world.attacker.junk()

    # --- stores that are not what they were ---

    def _backup(self) -> None:
        for station in self.world.stations:
            self._backups[station.name] = station.disk.backup()

    def _trouble(self) -> None:
        trouble, world = self.world.options.trouble, self.world
        station = self._station()
        self._note(trouble)
        if trouble == "clone":
            world.clone(station, self._backups[station.name])
            return
        self.exchange(station, {} if trouble == "wipe" else self._backups[station.name])

    def exchange(self, station: Station, files: dict[str, bytes]) -> None:
        """A station finds these files in place of its store when it starts again."""
        if station.alive:
            station.crash()
        station.disk.restore(files)
        self.world.checker.restored(station)
        self._restart(station, self._while())
