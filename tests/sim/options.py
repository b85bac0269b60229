"""What one seed decides before anything happens: limits, pace, topology, and which faults there are."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from random import Random
from typing import Any, Final

from hotline.limits import RECORDS_PER_KEY, RENEW_RECORDS, SESSION_S

NAMES: Final = ("north", "south", "west")

FAULTS: Final = (
    "crash", "power", "answer", "death", "stop", "stall",
    "clog", "deaf", "reset", "half-close", "refuse", "slow", "flap", "crumbs",
    "damage", "replay", "junk",
    "full", "io-lost", "io-durable", "clock",
)  # fmt: skip

_ROTATES_SHARE: Final = 0.4
_COURIERS_SHARE: Final = 0.3

_DAY_S: Final = 86_400.0

TROUBLES: Final = ("restore", "wipe", "clone")

LOSSES: Final = "losses"
"""The trouble of worlds in which one store is lost again and again (losing.py)."""

_LOSSES_SHARE: Final = 0.4
"""Of the worlds whose operators have a lost log taken back."""


@dataclass(frozen=True)
class Options:
    """Everything about a world that is no event in it."""

    seed: int
    real: bool
    """Real keys and signatures throughout."""
    stations: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    dialling: tuple[tuple[str, str], ...]
    """(who, whom) has an address to dial."""
    dead_address: bool
    """The first of several addresses answers nobody."""
    heartbeat_s: dict[str, float]
    chaos_s: float
    delay_s: float
    rate: float | None
    """Bytes a second of every way; None: fast."""
    crumbs: bool
    commit_s: tuple[float, float]
    slow_disk: str
    """The station whose commits take ten times as long."""
    send_buffer: int
    faults: tuple[str, ...]
    fault_gap_s: float
    trouble: str
    operation_gap_s: float
    records_per_key: int
    renew_records: int
    session_s: float
    rotates: bool
    """Operators change keys."""
    recovers: bool
    """Operators have a line recovered whose own log was lost."""
    couriers: bool
    """Files go by hand too."""
    lull_s: float
    """How long nobody does anything, in the midst of it all."""

    @classmethod
    def of(cls, seed: int, *, brief: bool = False, **fixed: Any) -> Options:
        """Draw the options of a seed; ``fixed`` ones are as told, ``brief`` worlds end early."""
        random = Random(f"options {seed}")
        stations = NAMES[: random.choice([2, 2, 2, 3])]
        pairs = [(NAMES[0], other) for other in stations[1:]]
        if len(stations) == 3 and random.random() < 0.5:
            pairs.append((NAMES[1], NAMES[2]))
        dialling = []
        for pair in pairs:
            either = random.choice([(pair,), (pair[::-1],), (pair, pair[::-1])])
            dialling += list(either)
        pace = random.choice([1.0, 5.0, 20.0, 30.0])
        # A heartbeat is a record of 4 KiB: at 64 kbit/s two a second would be all that the link does.
        rate = random.choice([None, None, None, 1e6, 1e5, 8e3 if pace > 1 else 4e4])
        chaos_s = pace * (random.choice([20, 40, 80]) if not brief else 7)
        options = cls(
            seed=seed,
            real=seed % 8 == 0,
            stations=stations,
            pairs=tuple(pairs),
            dialling=tuple(dialling),
            dead_address=random.random() < 0.2,
            heartbeat_s={name: pace * random.choice([0.5, 1, 1, 2]) for name in stations},
            chaos_s=chaos_s,
            delay_s=random.choice([0.0005, 0.02, 0.02, 0.3]),
            rate=rate,
            crumbs=random.random() < 0.2,
            commit_s=random.choice([(0.0002, 0.004), (0.0002, 0.004), (0.005, 0.08)]),
            slow_disk=random.choice(["", "", *stations]),
            send_buffer=random.choice([16, 64, 256]) * 1024,
            faults=tuple(one for one in FAULTS if random.random() < 0.6),
            fault_gap_s=chaos_s / random.choice([4, 8, 16, 32]),
            trouble=random.choice(TROUBLES) if random.random() < 0.2 else "",
            operation_gap_s=chaos_s / random.choice([10, 30, 60, 120]),
            records_per_key=random.choice([4, 16, 64, RECORDS_PER_KEY]),
            renew_records=random.choice([60, 500, RENEW_RECORDS]),
            session_s=random.choice([pace * 8, 600.0, SESSION_S]),
            recovers=random.random() < 0.5,
            couriers=Random(f"couriers {seed}").random() < _COURIERS_SHARE,
            rotates=Random(f"rotates {seed}").random() < _ROTATES_SHARE,
            lull_s=0.0 if brief else _lull_s(Random(f"lasts {seed}"), pace),
        )
        # Drawn apart, and after all else: no other world is another one for it.
        again = Random(f"losses {seed}").random() < _LOSSES_SHARE
        if again and options.recovers and options.trouble in {"restore", "wipe"}:
            options = replace(options, trouble=LOSSES)
        return replace(options, **fixed)

    def commit_takes(self, station: str) -> tuple[float, float]:
        """Give the least and the most that a commit takes somewhere."""
        low, high = self.commit_s
        return (10 * low, 10 * high) if station == self.slow_disk else (low, high)

    @property
    def slowest_commit_s(self) -> float:
        """The most that a commit takes anywhere."""
        return self.commit_s[1] * (10 if self.slow_disk else 1)

    def addresses(self, who: str, whom: str) -> tuple[str, ...]:
        """Give where who dials whom."""
        if (who, whom) not in self.dialling:
            return ()
        return ("nowhere", whom) if self.dead_address else (whom,)

    def described(self) -> str:
        """Give all options, one a line."""
        return "\n".join(f"  {one.name} = {getattr(self, one.name)!r}" for one in fields(self))


def _lull_s(random: Random, pace: float) -> float:
    """Draw none, a hundred heartbeats, several hundred, or a day where heartbeats are few."""
    share = random.random()
    if share < 0.5:
        return 0.0
    if share < 0.85:
        return 100 * pace
    return _DAY_S if pace >= 20 and share > 0.95 else 400 * pace
