"""Worlds arranged so that something rare happens often: for planted bugs, and for marks."""

from __future__ import annotations

from typing import Any, Final

from sim.options import LOSSES

_PAIR: Final[dict[str, Any]] = {
    "stations": ("north", "south"),
    "pairs": (("north", "south"),),
    "dialling": (("north", "south"), ("south", "north")),
    "dead_address": False,
    "real": False,
    "lull_s": 0.0,
    "rate": None,
    "crumbs": False,
}

QUICK: Final[dict[str, Any]] = {"real": False, "lull_s": 0.0}
"""Any world, without the cost of real cryptography and of a long time in which nothing happens."""

UNEVEN: Final[dict[str, Any]] = _PAIR | {
    "heartbeat_s": {"north": 1.0, "south": 1.0},
    "faults": ("reset",),
    "trouble": "",
    "fault_gap_s": 4.0,
    "session_s": 3600.0,
    "commit_s": (0.005, 0.05),
    "slow_disk": "south",
    "delay_s": 0.0005,
    "operation_gap_s": 0.3,
    "chaos_s": 20.0,
}
"""One disk is slow and connections break: one station has agreed long before the other."""

RENEWING: Final[dict[str, Any]] = UNEVEN | {
    "faults": (),
    "session_s": 2.0,
    "delay_s": 0.3,
    "operation_gap_s": 0.1,
}
"""One session after the other, on a long path, under load."""

ANSWERED: Final[dict[str, Any]] = UNEVEN | {
    "faults": (),
    "slow_disk": "",
    "commit_s": (0.0002, 0.004),
    "trouble": "wipe",
    "recovers": True,
    "operation_gap_s": 0.1,
}
"""Much is said and answered, and then one store is empty."""

LOADED: Final[dict[str, Any]] = UNEVEN | {
    "faults": (),
    "slow_disk": "",
    "rate": 60_000.0,
    "operation_gap_s": 0.1,
}
"""More is asked for than the link can carry."""

RECOVERING: Final[dict[str, Any]] = QUICK | {"trouble": "restore", "recovers": True}
"""A store is an old one, and an operator has its log taken back."""

LOSING: Final[dict[str, Any]] = QUICK | {"trouble": LOSSES, "recovers": True}
"""A store is lost more than once, with long messages half sent, and its log taken back each time."""

LOST_TWICE: Final[dict[str, Any]] = ANSWERED | {
    "trouble": LOSSES,
    "couriers": False,
    "rotates": False,
    "delay_s": 0.02,
    "operation_gap_s": 4.0,
    "chaos_s": 40.0,
}
"""The same, and nothing else goes wrong: soon over."""

CARRYING: Final[dict[str, Any]] = UNEVEN | {
    "faults": ("clog", "refuse", "power"),
    "slow_disk": "",
    "trouble": "restore",
    "recovers": True,
    "couriers": True,
    "operation_gap_s": 0.1,
    "delay_s": 0.3,
}
"""A store is an old one, the wire is often cut, and couriers go all the time."""

REPEATED: Final[dict[str, Any]] = UNEVEN | {
    "faults": ("full",),
    "couriers": True,
    "operation_gap_s": 0.1,
    "delay_s": 0.3,
    "chaos_s": 40.0,
}
"""Disks refuse what comes, on a long path, and couriers bring what goes by wire too."""

DYING: Final[dict[str, Any]] = UNEVEN | {
    "heartbeat_s": {"north": 5.0, "south": 5.0},
    "faults": ("stall", "power"),
    "slow_disk": "",
    "commit_s": (0.0002, 0.004),
    "fault_gap_s": 15.0,
    "operation_gap_s": 5.0,
    "chaos_s": 300.0,
}
"""Hosts die and daemons stall: one calls anew where the other believes in the session before."""

ROTATING: Final[dict[str, Any]] = QUICK | {"rotates": True}
"""Keys change, whatever else happens."""

CLONED: Final[dict[str, Any]] = _PAIR | {
    "dialling": (("north", "south"),),
    "heartbeat_s": {"north": 5.0, "south": 5.0},
    "faults": ("reset",),
    "trouble": "clone",
    "fault_gap_s": 6.0,
    "operation_gap_s": 4.0,
    "chaos_s": 60.0,
    "delay_s": 0.3,
}
"""Two hosts with the same keys and the same log talk to one peer at once."""
