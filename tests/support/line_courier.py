"""A courier between the two stations of a LineWorld, and what daemon and operators do for one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hotline import limits
from hotline.errors import HaltError, RefusedError
from hotline.line.effects import Commit, Effect
from hotline.model import Precedence, Side
from support.line_world import LineWorld, Reply, Station

if TYPE_CHECKING:
    from hotline.line.courier_files import Packed
    from hotline.line.moment import Moment
    from hotline.store.interface import Transaction

OPERATOR = "watch"


def ask_export(
    station: Station,
    after: int | None = None,
    most_bytes: int = limits.COURIER_BYTES,
    *,
    may_number: bool = True,
) -> Reply:
    """Ask for the next file; the answer is (what was packed, the file), or what refused it."""
    reply, courier, wall_ns = Reply(), station.line.courier, station.moment().wall_ns

    def done(outcome: Any, at: Moment) -> list[Effect]:
        if isinstance(outcome, Exception):
            reply.value = outcome
            return []
        effects = courier.packed(outcome, OPERATOR, at)
        reply.value = outcome, courier.seal(outcome, wall_ns)
        return effects + station.line.recorded(outcome.record, at)

    try:
        courier.ready()
    except RefusedError as error:
        reply.value = error
        return reply

    def work(tx: Transaction) -> Packed:
        return courier.pack(tx, after, most_bytes, wall_ns, may_number=may_number)

    station.perform([Commit(work, done)])
    return reply


def ask_import(station: Station, file: bytes) -> Reply:
    """Bring a station a file; the answer is what it brought, or what refused it."""
    reply, courier, wall_ns = Reply(), station.line.courier, station.moment().wall_ns
    try:
        courier.ready()
        courier.roomy()
        content = courier.open(file)
    except RefusedError as error:
        reply.value = error
        return reply

    def done(outcome: Any, at: Moment) -> list[Effect]:
        reply.value = outcome
        if isinstance(outcome, HaltError):
            return courier.disagreed(outcome, at)
        if isinstance(outcome, Exception):
            return []
        effects = courier.taken(outcome, content, OPERATOR, at)
        return effects + station.line.recorded(outcome.record, at)

    station.perform([Commit(lambda tx: courier.take_in(tx, content, wall_ns), done)])
    return reply


def answer(world: LineWorld, reply: Reply) -> Any:
    """Let time pass until there is an answer; raises what refused."""
    world.until(lambda: reply.value is not None)
    if isinstance(reply.value, Exception):
        raise reply.value
    return reply.value


def export(world: LineWorld, station: Station, **bounds: Any) -> bytes:
    """Give the next file of a station."""
    file: bytes = answer(world, ask_export(station, **bounds))[1]
    return file


def bring(world: LineWorld, station: Station, file: bytes) -> Any:
    """Have a station take a file in."""
    return answer(world, ask_import(station, file))


def give_keys(world: LineWorld) -> None:
    """Let each station keep the other's courier key, as if a file with it had come."""
    replies = []
    for station in world.stations:
        work = station.line.courier.keeping(world.other(station).line.pairing.courier_key.encoded)
        reply = Reply()
        replies.append(reply)

        def done(outcome: Any, at: Moment, s: Station = station, r: Reply = reply) -> list[Effect]:
            r.value = outcome
            return s.line.courier.key_kept(outcome, at)

        station.perform([Commit(work, done)])
    world.until(lambda: all(reply.value is not None for reply in replies))
    assert all(reply.value is True for reply in replies)


def until_keys_are_kept(world: LineWorld) -> None:
    """Let time pass until both courier keys have gone by wire."""
    world.until(lambda: all(station.events("courier_key_kept") for station in world.stations))


def states(station: Station) -> list[str]:
    """Give what has become of each message of a station, oldest first."""
    return [str(view.state) for view in station.page(Side.OWN)]


def send(world: LineWorld, station: Station, *ids: str, **draft: Any) -> None:
    """Have messages accepted."""
    for identifier in ids:
        reply = station.send(identifier, **draft)
        world.until(lambda reply=reply: reply.value is not None)  # type: ignore[misc]


class TwoWays:
    """Wire and courier at once, by a world's own randomness: files may come late, twice, or never."""

    def __init__(self, world: LineWorld) -> None:
        self.world = world
        self.files: dict[str, list[bytes]] = {station.name: [] for station in world.stations}
        """What may be brought to each station, at any time."""
        self.brought = 0
        self._exporting: list[tuple[str, Reply]] = []
        self._importing: list[Reply] = []
        self._count = 0
        self._steps = 0
        self._acts = (
            *(self._send, self._send, self._export, self._export, self._import, self._import),
            *(self._cut, self._clog, self._crash),
        )

    def step(self) -> None:
        """Do one thing, let some time pass, and see what came of all that was asked."""
        station = self.world.random.choice(self.world.stations)
        if station.alive:
            self.world.random.choice(self._acts)(station)
        else:
            station.start()
        self.world.run(self.world.random.choice((0.001, 0.05, 0.5, 5.0)))
        for name, reply in [one for one in self._exporting if one[1].value is not None]:
            self._exporting.remove((name, reply))
            if isinstance(reply.value, tuple):
                self.files[name].append(reply.value[1])
        for reply in [one for one in self._importing if one.value is not None]:
            self._importing.remove(reply)
            assert not isinstance(reply.value, HaltError)
            self.brought += not isinstance(reply.value, Exception)
        self._steps += 1
        if self._steps % 8 == 0 and all(one.alive for one in self.world.stations):
            self.world.check_messages()

    def _send(self, station: Station) -> None:
        random = self.world.random
        self._count += 1
        body = "x" * random.choice((10, 10, 3_000, 20_000))
        station.send(f"m{self._count}", body, random.choice(list(Precedence)))

    def _export(self, station: Station) -> None:
        most_bytes = self.world.random.choice((3_000, limits.COURIER_BYTES))
        reply = ask_export(station, most_bytes=most_bytes)
        self._exporting.append((self.world.other(station).name, reply))

    def _import(self, station: Station) -> None:
        if self.files[station.name]:
            file = self.world.random.choice(self.files[station.name][-4:])
            self._importing.append(ask_import(station, file))

    def _cut(self, _: Station) -> None:
        self.world.cut()

    def _clog(self, station: Station) -> None:
        if self.world.random.random() < 0.5:
            self.world.clog(station)
        else:
            self.world.heal()

    def _crash(self, station: Station) -> None:
        if self.world.random.random() < 0.5:
            station.crash()

    def settle(self) -> None:
        """Let the wire do the rest, and see that both stations hold the same."""
        world = self.world
        world.heal()
        for station in world.stations:
            if not station.alive:
                station.start()
            assert station.record.halt is None
        world.until_up()
        world.until(lambda: all(s.record.queued_bytes == 0 for s in world.stations), 120)
        world.until(
            lambda: all(world.other(s).record.peer == s.record.own for s in world.stations), 120
        )
        world.run(10)
        world.check_messages(settled=True)
