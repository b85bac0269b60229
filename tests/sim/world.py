"""The simulated world: real lines and real stores on a heap of (virtual time, sequence, action).

One seed decides everything: network, disks, clocks, operators, attacker and limits. Real are
hotline.line with all below it, and SqliteStore with SQLite itself; hotline.daemon is played by
station.py, runner.py, writer.py and network.py of this folder.

THE FAULT MODEL

Network. Bytes arrive in order, in pieces down to one byte, after a delay; ways are rate-limited (down
to 64 kbit/s, shared by all connections), clogged one way or both (what was lost is sent again after
it, connects time out after 10 s with retries in between), flapping; connections are cut so that a
suffix is lost and either, both or neither end learns of it (half-open: a reset on the next send, or
silence for ever), closed one way, refused. Not modelled: reordering and loss below TCP, IP addresses,
TCP_USER_TIMEOUT (the line's own timers fire first), a receiver's full buffer.

Stations. A process is killed between any two events, and in the midst of any write or sync of a
transaction; a host loses power (nothing more is sent, every unsynced sector survives or not by
itself); the disk fills up; one sync fails, with its writes lost or durable, and then the process must
sign nothing and exit; a machine is paused; the wall clock steps by days. A commit's outcome comes
later and in a batch, the next batch may be under way by then. Not modelled: bits that rot, a disk
that lies about a sync, threads that interleave within one transaction, memory errors.

Stores. An old backup is restored, a store is wiped, also again and again while long messages are half
sent (losing.py), a clone runs beside its original. (A restore
forgets what was accepted since: that is excused. A clone may sign another history before either
meets the peer's disk: that too, for no station alone can know; what is checked is that it halts.)

Couriers. In three worlds of ten files go by hand too: packed at any time, brought late, again, out of
order, or never (couriers.py). Not modelled: an operator who says --unheard where it is not true.

Attacker. Flips, inserts and doubles bytes, plays recorded first units again, sends junk; has no keys.

Cryptography. One seed in eight uses the real keys, signatures and KEM; the others stand-ins of the
same shape (crypto.py). AES-256-GCM is real in all. Nonces and keys are watched in all.

WHAT MUST HOLD ALWAYS (checker.py, inspection.py): no accepted message is lost, none is shown twice,
each is what its author said, in the author's order; a state never goes back; what is said to the peer
is durable here, and what is called delivered is durable there; nothing is signed twice, on a halted
line, or after the store failed; no nonce is used twice; no honest peer is accused; every queue is
within its limit; timers never spin; `up` is never said without fresh bytes both ways; a stranger gets
no byte.

AND AFTER THE WORLD IS HEALED (settling.py), within a bounded time: everything is delivered or ended,
both logs are equal, both lines are up; or, if a store was exchanged, the line is halted.

AND THEN (proving.py): every log in every store proves itself to the last signature, receipt and
checkpoint, and evidence of some messages, as each station can make it, says what their authors said.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from contextlib import ExitStack, contextmanager
from functools import cache
from hashlib import blake2b
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from sim import crypto, network
from sim.attacker import Attacker
from sim.chaos import Chaos
from sim.checker import Checker
from sim.couriers import Couriers
from sim.disk import Disk, DiskVfs
from sim.losing import Losing
from sim.lull import Lull
from sim.network import End, Way
from sim.operators import Operators
from sim.pairing import WatchedSession
from sim.recovering import Recovering
from sim.reports import Reports
from sim.rotation import Rotation
from sim.settling import settle
from sim.station import Station

from hotline.identity import Card
from hotline.identity.publickeys import check_ed25519

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sim.ledger import Direction
    from sim.options import Options
    from sim.runner import Runner

    from hotline.model import LineRecord

_TRACED = 80
_PROBES = 40
_INSPECTIONS = 4
_worlds = count()


def _any_card(_new: Any, _used: Any) -> None:
    """Take any card: cheap ones have one key."""


class World:
    """One seed's world; ``run`` lives through it."""

    station_class: type[Station] = Station
    operators_class: type[Operators] = Operators
    chaos_class: type[Chaos] = Chaos

    def __init__(self, options: Options, folder: Path) -> None:
        self.options = options
        self.folder = folder
        self.now = 0.0
        self.random = self.stream("network")
        self.disk_random = self.stream("disk")
        self.marks: Counter[str] = Counter()
        self.recent: deque[str] = deque(maxlen=_TRACED)
        self._digest = blake2b(digest_size=16)
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = count()
        ephemerals = crypto.real_ephemerals if options.real else crypto.cheap_ephemerals
        self.ephemerals = ephemerals(self.stream("keys"))
        self.vfs = DiskVfs(f"sim-{next(_worlds)}", lambda folder: self._disks[folder])
        self._disks: dict[Path, Disk] = {}
        self.ways: dict[tuple[str, str], Way] = {}
        self.ends: list[End] = []
        self.checker = Checker(self)
        self.reports = Reports(self)
        self.attacker = Attacker(self)
        self.operators = self.operators_class(self)
        self.lull = Lull(self)
        self.couriers = Couriers(self)
        self.recovering = Recovering(self)
        self.losing = Losing(self)
        self.rotation = Rotation(self)
        self.chaos = self.chaos_class(self)
        self.stations: list[Station] = []
        for name in options.stations:
            self._build(name, None)
        for one, other in options.pairs:
            self.way(one, other)
            self.way(other, one)

    def _build(self, name: str, clone_of: Station | None) -> Station:
        disk = Disk(self.folder / name)
        self._disks[disk.folder] = disk
        station = self.station_class(self, name, disk, clone_of=clone_of)
        self.stations.append(station)
        return station

    def clone(self, original: Station, backup: dict[str, bytes]) -> None:
        """Start a second host with the same keys and an old copy of the store."""
        self.checker.cloned(original)
        twin = self._build(original.name + "-clone", original)
        twin.disk.restore(backup)
        twin.start()

    # --- time ---

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Let action happen at a time."""
        heapq.heappush(self._heap, (when, next(self._sequence), action))

    def after(self, delay_s: float, action: Callable[[], None]) -> None:
        """Let action happen after a while."""
        self.at(self.now + delay_s, action)

    def when_busy(self, delay_s: float, action: Callable[[], None]) -> None:
        """Let somebody act, or a fault come, after a while; in a lull nobody does, and none."""
        self.at(self.lull.over(self.now, delay_s), action)

    def stream(self, name: str) -> Random:
        """Give randomness of its own to one part of the world."""
        return Random(f"{name} {self.options.seed}")

    def pass_until(self, end: float) -> None:
        """Let time pass until an end."""
        heap = self._heap
        while heap and heap[0][0] <= end:
            when, _, action = heapq.heappop(heap)
            self.now = max(self.now, when)
            action()
        self.now = max(self.now, end)

    def run(self) -> None:
        """Live through all of it; raises Violation."""
        with self._rules():
            for until in self.plot():
                self.pass_until(until)

    def plot(self) -> Iterator[float]:
        """Give, one after another, the times until which time should pass; raises Violation."""
        for station in self.stations:
            station.start()
        self.operators.start()
        self.couriers.start()
        self.chaos.start()
        self.recovering.start()
        self.losing.start()
        self.rotation.start()
        busy = [self.options.chaos_s * (number + 1) / _PROBES for number in range(_PROBES)]
        looks = [self.lull.over(0.0, when) for when in busy] + self.lull.looks(_PROBES)
        for number, until in enumerate(sorted(looks)):
            yield until
            self.checker.probe()
            self.lull.look()
            if number % (_PROBES // _INSPECTIONS) == 0:
                self.checker.inspect()
        self.operators.busy = False
        yield from settle(self)

    @contextmanager
    def _rules(self) -> Iterator[None]:
        """Put this world's limits and witnesses in place of the product's."""
        options = self.options
        protocol = crypto.watched_protocol(self.checker.used, real=options.real)
        with ExitStack() as stack:
            for name, value in {
                "hotline.wire.records.RECORDS_PER_KEY": options.records_per_key,
                "hotline.line.session.RENEW_RECORDS": options.renew_records,
                "hotline.line.links.SESSION_S": options.session_s,
                "hotline.line.session.PROTOCOL": protocol,
                "hotline.line.line.Session": WatchedSession,
            }.items():
                stack.enter_context(patch(name, value))
            if options.real:
                for name in ("verify_ed25519", "verify_mldsa"):
                    check = crypto.remembering(getattr(Card, name))
                    stack.enter_context(patch.object(Card, name, check))
                sound = cache(check_ed25519)
                stack.enter_context(patch("hotline.identity.card.check_ed25519", sound))
            else:
                stack.enter_context(patch("hotline.noise.handshakestate.dh", crypto.CHEAP_DH))
                succession = patch("hotline.line.key_changes.Succession", crypto.CheapSuccession)
                stack.enter_context(succession)
                succession = patch("hotline.evidence.signers.Succession", crypto.CheapSuccession)
                stack.enter_context(succession)
                stack.enter_context(patch("hotline.line.key_changes.check_fresh", _any_card))
            stack.callback(self._close)
            yield

    def _close(self) -> None:
        for station in self.stations:
            if station.alive:
                station._gone()
        self.vfs.unregister()
        self._heap.clear()

    # --- places ---

    def way(self, source: str, target: str) -> Way:
        """Give one direction between two hosts."""
        found = self.ways.get((source, target))
        if found is None:
            options = self.options
            found = Way(
                f"{source}>{target}", options.delay_s, rate=options.rate, crumbs=options.crumbs
            )
            self.ways[source, target] = found
        return found

    def call(self, host: str, end: End) -> None:
        """A connection comes in at a host."""
        called = next((one for one in self.stations if one.name == host and one.alive), None)
        if called is None:
            end.close()  # whoever listened has gone meanwhile
        else:
            called.when(lambda: called.answer(end))

    def resolve(self, address: str) -> str | None:
        """Give the host that an address leads to: with a clone about, one of two."""
        hosts = [one.name for one in self.stations if one.identity == address]
        return self.random.choice(hosts) if hosts else None

    def host_up(self, host: str) -> bool:
        """Tell whether a host's kernel answers."""
        return host == Attacker.host or any(
            one.name == host and one.powered for one in self.stations
        )

    def listening(self, host: str) -> bool:
        """Tell whether somebody accepts connections on a host."""
        return any(one.name == host and one.listening for one in self.stations)

    def peers_of(self, station: Station) -> list[str]:
        """Give the names of a station's peers."""
        return [
            two if one == station.identity else one
            for one, two in self.options.pairs
            if station.identity in (one, two)
        ]

    def runner(self, identity: str, peer: str) -> Runner | None:
        """Give who runs a line now, if anybody does."""
        for station in self.stations:
            if station.identity == identity and station.alive and not station.is_clone:
                return station.runners.get(peer)
        return None

    def line_number(self, station: Station, peer: str) -> int:
        """Give the number of a line in its store."""
        records: list[LineRecord] = station.read(lambda reader: reader.lines())
        return next(record.line for record in records if record.name == peer)

    def holds(self, direction: Direction, number: int | None) -> bool:
        """Tell whether the reader's disk has an entry, whatever happens to it now."""
        station = next(one for one in self.stations if one.identity == direction.reader)
        record = station.durable_records.get(direction.author)
        return record is not None and number is not None and record.peer.number >= number

    # --- connections ---

    def join(self, near: str, far: str) -> tuple[End, End]:
        """Make a connection between two hosts."""
        ends = End(self, near), End(self, far)
        network.connect(self, *ends)
        return ends

    def ends_of(self, host: str) -> list[End]:
        """Give all ends on a host."""
        return [end for end in self.ends if end.host == host]

    def forget_closed(self) -> None:
        """Drop connections that both ends have left, once nothing of them moves."""
        gone = [
            end
            for end in self.ends
            if not (end.open or end.other.open or end.out.air or end.other.out.air)
        ]
        for end in gone:
            if end.out in end.out.way.flows:
                end.out.way.flows.remove(end.out)
        dropped = {id(end) for end in gone}
        self.ends = [end for end in self.ends if id(end) not in dropped]

    # --- witnesses ---

    def trace(self, *words: Any) -> None:
        """Note a transition."""
        text = f"{self.now:12.6f} " + " ".join(map(str, words))
        text = text.replace(str(self.folder), "")
        self.recent.append(text)
        self._digest.update(text.encode())

    def mark(self, name: str) -> None:
        """A rare path ran."""
        self.marks[name] += 1

    @property
    def fingerprint(self) -> str:
        """Give what two runs of one seed must agree on."""
        return self._digest.hexdigest()

    def is_clones(self, identifier: str) -> bool:
        """Tell whether a message was sent by a clone."""
        return identifier.startswith("clone-")

    def retried(self, station: Station, peer: str) -> bool:
        """Tell whether an operator has just released this line."""
        return self.now - self.operators.retried.get((station.name, peer), -1e9) < 10.0
